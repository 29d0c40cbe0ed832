"""From the tree to plain Python values for pydantic, and from pydantic's `loc` back to the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.config.nodes import Child, ListNode, MappingNode, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET_KEYS = ("external_id", "hub_external_id", "store")
"""The keys whose values no message shows."""


class _Unusable:
    """What no type takes: stands for an empty value where a key has to be left out instead."""


_UNUSABLE = _Unusable()


def plain(node: Node, *, null: object = _UNUSABLE) -> Any:
    """Return `node` as dicts, lists and scalars; an empty value becomes `null`."""
    if isinstance(node, Scalar):
        return null if node.value is None else node.value
    # What aliases share is made again in each place: the tree's limits bound how much that can be.
    if isinstance(node, ListNode):
        return [plain(child.node, null=null) for child in node.children]
    return {key: plain(child.node, null=null) for key, child in node.children.items()}


def of_the_audit(root: MappingNode) -> dict[str, Any]:
    """Return what the file says of the audit itself, as the file could say it.

    That is without ExternalIds, and without where anything is remembered or sent.
    """
    told: dict[str, Any] = _escaped(plain(root, null=None))
    for name in ("history", "destinations"):
        told.pop(name, None)
    for level in (told.get("defaults"), told.get("organization"), *(told.get("accounts") or ())):
        if isinstance(level, dict):
            for name in SECRET_KEYS:
                level.pop(name, None)
    return told


def _escaped(value: Any) -> Any:
    """Return `value` with what would read the environment again written so that it does not."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return {key: _escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


def find(root: Child, loc: Sequence[str | int]) -> tuple[Child, int]:
    """Return the deepest child on the way along `loc`, and how many steps of it were there.

    Steps may be missing at the end: of a key that is not there, or of pydantic's names for the arms of a union.
    """
    child = root
    for depth, step in enumerate(loc):
        match child.node, step:
            case MappingNode(children=named), str() if step in named:
                child = named[step]
            case ListNode(children=numbered), int() if step < len(numbered):
                child = numbered[step]
            case _:
                return child, depth
    return child, len(loc)


def text_of(node: Node | None) -> str | None:
    """Return the text that `node` holds, None where it holds none that can be relied on."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and not node.spoiled:
        return node.value
    return None


def has_variables(node: Node) -> bool:
    """Say whether anything in `node` came from the environment."""
    if isinstance(node, Scalar):
        return bool(node.variables)
    children = node.children if isinstance(node, ListNode) else node.children.values()
    return any(has_variables(child.node) for child in children)


def kind_of(node: Node) -> str:
    """Return in words what `node` is."""
    if not isinstance(node, Scalar):
        return node.kind
    match node.value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "text"
