"""The facts of a case, as its author knows them: each is absent, unknown, or what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.cli.case_nodes import CaseNodes, seconds_of
from auditor.config.nodes import Child, ListNode, Scalar
from auditor.config.text import listed
from auditor.config.values import plain
from auditor.expressions import FACT_FIELDS, SCHEMA
from auditor.model import (
    ABSENT,
    NOT_ASKED,
    Fact,
    Facts,
    Image,
    Known,
    Operation,
    Snapshot,
    SourceSnapshot,
    StackRecord,
    Volume,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLASSES: Mapping[str, type[Any]] = {
    each.__name__: each for each in (Image, Operation, Snapshot, SourceSnapshot, StackRecord, Volume)
}
_NEVER_MISSING = ("id", "snapshot_id")
_WANTED = {
    "string": "a text in quotes",
    "bool": "true or false",
    "int": "a number",
    "time": "a time, such as 2026-11-23T12:00:00Z",
    "[string]": "a list of texts",
}


class FactsReader:
    """Reads the facts of the cases of one file."""

    def __init__(self, nodes: CaseNodes) -> None:
        self._nodes = nodes

    def facts(self, child: Child | None) -> Facts:
        """Return the facts of a case; none where it tells of none."""
        if child is None:
            return Facts()
        keys = self._nodes.mapping(child, "facts", "a mapping, such as {image: absent}")
        self._nodes.check_known(keys, tuple(FACT_FIELDS))
        return Facts(**{name: self._fact(name, fact) for name, fact in keys.items() if name in FACT_FIELDS})

    def _fact(self, name: str, child: Child) -> Fact[Any]:
        kind = FACT_FIELDS[name]
        if isinstance(child.node, Scalar):
            if child.node.value in {"absent", "unknown"}:
                return ABSENT if child.node.value == "absent" else NOT_ASKED
        elif not kind.startswith("["):
            return Known(self._thing(kind, name, child))
        elif isinstance(child.node, ListNode):
            things = [self._element(kind[1:-1], name, each) for each in child.node.children]
            if not things:
                self._nodes.note(child.line, f"{name} is an empty list; write absent")
            return Known(frozenset(things) if kind == "[string]" else tuple(things))
        what = "a list" if kind.startswith("[") else "a mapping of its fields"
        self._nodes.note(child.line, f"{name} can't be used; write absent, unknown, or {what}")
        return NOT_ASKED

    def _element(self, kind: str, name: str, child: Child) -> Any:
        if kind != "string":
            return self._thing(kind, name, child)
        if isinstance(child.node, Scalar) and isinstance(child.node.value, str):
            return child.node.value
        self._nodes.note(child.line, f"an entry of {name} is no text; write it in quotes")
        return ""

    def _thing(self, kind: str, name: str, child: Child) -> Any:
        fields = SCHEMA[kind]
        keys = self._nodes.mapping(child, name, f"its fields: {listed(fields)}")
        self._nodes.check_known(keys, tuple(fields))
        values: dict[str, Any] = {}
        for field, of in fields.items():
            values[field] = () if of.startswith("[") else None
            if field in keys:
                values[field] = self._field(name, field, of, keys[field])
            elif field in _NEVER_MISSING or (kind, field) == ("SourceSnapshot", "arn"):
                self._nodes.note(child.line, f"{name} has no {field}; write one")
        return _CLASSES[kind](**values)

    def _field(self, name: str, field: str, kind: str, child: Child) -> Any:
        value = plain(child.node, null=None)
        taken: dict[str, Any] = {
            "string": value if isinstance(value, str) else None,
            "bool": value if isinstance(value, bool) else None,
            "int": value if isinstance(value, (int, float)) and not isinstance(value, bool) else None,
            "time": seconds_of(value),
            "[string]": tuple(value) if isinstance(value, list) and _all_text(value) else None,
        }
        if value is not None and taken[kind] is None:
            self._nodes.note(child.line, f"{field} of {name} can't be used; write {_WANTED[kind]}")
        return () if kind.startswith("[") and taken[kind] is None else taken[kind]


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
