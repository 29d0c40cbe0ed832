"""What has to hold of waivers and accepted gaps: each names what there is, and narrows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.config.acceptances import ACCEPTED_GAPS, WAIVERS, AcceptedGapEntry, WaiverEntry
from auditor.config.nodes import Child, ListNode, MappingNode, Scalar
from auditor.config.patterns import is_pattern, matcher
from auditor.config.text import listed, nearest, quoted
from auditor.config.values import text_of
from auditor.model import (
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    NOT_OF_AN_ACCOUNT,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
    Reason,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import BaseModel

    from auditor.config.faults import Faults

SOURCES = (
    EXPORT_RECORDS,
    OPERATIONS,
    STACK_RECORDS,
    INSTANCE_SNAPSHOTS,
    DISK_SNAPSHOTS,
    IMAGES,
    SNAPSHOTS,
    VOLUMES,
    IMAGE_PERMISSIONS,
    SNAPSHOT_PERMISSIONS,
    *NOT_OF_AN_ACCOUNT,
)
REASONS = tuple(reason.value for reason in Reason)
SHAPES: dict[str, type[BaseModel]] = {WAIVERS: WaiverEntry, ACCEPTED_GAPS: AcceptedGapEntry}
_ACCOUNT = re.compile("[0-9]{12}")  # what has another shape is told by pydantic
NARROWED_BY = {
    WAIVERS: ("policy", "account", "region", "resource"),
    ACCEPTED_GAPS: ("account", "region", "source", "reason"),
}
"""What each kind is narrowed by."""

# A pattern that takes all of one kind of these takes whatever there is of it, and narrows nothing.
_ANY_ACCOUNT = ("000000000000", "123456789012", "987654321098", "555555555555")
_ANY_RECORD = tuple(
    f"arn:aws:lightsail:{region}:{account}:{kind}/{unique}"
    for region, account, kind, unique in (
        ("us-east-1", "000000000000", "ExportSnapshotRecord", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"),
        ("eu-west-2", "987654321098", "ExportSnapshotRecord", "f9e8d7c6-b5a4-4938-a726-150413f2e1d0"),
        ("ap-south-1", "123456789012", "ExportSnapshotRecord", "77777777-6666-4555-9444-333333333333"),
    )
)
_ANY_COPY = (
    "arn:aws:ec2:us-east-1::image/ami-0a1b2c3d4e5f60718",
    "arn:aws:ec2:eu-west-2:987654321098:image/ami-99999999",
    "arn:aws:ec2:ap-south-1::snapshot/snap-77777777666665555",
)


def check_acceptances(
    root: MappingNode, policies: Collection[str], regions: Collection[str], faults: Faults
) -> None:
    """Note every name in a waiver or accepted gap that nothing has, and each one that narrows nothing."""
    known: dict[str, Collection[str]] = {
        "policy": policies,
        "region": regions,
        "source": SOURCES,
        "reason": REASONS,
    }
    # An account that the list does not have may come from the organisation, which is not asked before the run.
    if "organization" not in root.children:
        known["account"] = _listed_accounts(root)
    for kind, keys in NARROWED_BY.items():
        for entry in _entries(root, kind):
            if faults.full:
                return
            narrowing = [entry.node.children[key] for key in keys if key in entry.node.children]
            for key in keys:
                if (child := entry.node.children.get(key)) and key in known:
                    _check_name(key, child, known[key], faults)
                elif child and key == "resource":
                    _check_resource(child, faults)
            # Where one of them can't be read, or is called otherwise, that is told, and what it narrows is not known.
            called = SHAPES[kind].model_fields.keys() >= entry.node.children.keys()
            readable = called and all(text_of(child.node) for child in narrowing)
            if readable and not any(
                _narrows(key, entry.node.children.get(key), regions, policies) for key in keys
            ):
                faults.add(entry.line, _matches_everything(kind, keys))


class _Entry:
    """One entry of a list, which is a mapping."""

    def __init__(self, line: int, node: MappingNode) -> None:
        self.line = line
        self.node = node


def _entries(root: MappingNode, kind: str) -> list[_Entry]:
    written = root.children.get(kind)
    children = written.node.children if written and isinstance(written.node, ListNode) else []
    return [_Entry(child.line, child.node) for child in children if isinstance(child.node, MappingNode)]


def _listed_accounts(root: MappingNode) -> list[str]:
    written = root.children.get("accounts")
    children = written.node.children if written and isinstance(written.node, ListNode) else []
    found: list[str] = []
    for child in children:
        identity = child.node.children.get("id") if isinstance(child.node, MappingNode) else None
        if identity is not None and isinstance(identity.node, Scalar):
            # A bare number is a fault of its own, and no reason for a second.
            found.append(text_of(identity.node) or identity.node.text)
    return found


def _check_name(key: str, child: Child, known: Collection[str], faults: Faults) -> None:
    name = text_of(child.node)
    if not name or not isinstance(child.node, Scalar):
        return
    if is_pattern(name):
        if not any(map(matcher(name), known)):
            faults.add(
                child.line,
                f"{key} {quoted(child.node.text)} matches none that there is; {_known(key, known)}",
            )
    elif name not in known and (key != "account" or _ACCOUNT.fullmatch(name)):
        near = None if child.node.variables else nearest(name, known)
        hint = f"write {near}" if near else _known(key, known)
        faults.add(child.line, f"{key} {quoted(child.node.text)} is none that there is; {hint}")


def _known(key: str, known: Collection[str]) -> str:
    if key == "account":
        return "write one that accounts lists"
    return f"there are {listed(sorted(known))}"


def _check_resource(child: Child, faults: Faults) -> None:
    name = text_of(child.node)
    if name and isinstance(child.node, Scalar) and not is_pattern(name) and not name.startswith("arn:"):
        faults.add(
            child.line,
            f"resource {quoted(child.node.text)} is no ARN, so that no finding would match; "
            "write a finding's resource_arn, or a pattern such as *:ExportSnapshotRecord/0a1b*",
        )


def _narrows(key: str, child: Child | None, regions: Collection[str], policies: Collection[str]) -> bool:
    pattern = text_of(child.node) if child is not None else None
    if pattern is None:
        return False
    if not is_pattern(pattern):
        return True
    everything: tuple[Collection[str], ...] = {
        "policy": (policies,),
        "account": (_ANY_ACCOUNT,),
        "region": (regions,),
        "resource": (_ANY_RECORD, _ANY_COPY),
        "source": (SOURCES,),
        "reason": (REASONS,),
    }[key]
    takes = matcher(pattern)
    return not any(all(map(takes, kind)) for kind in everything)


def _matches_everything(kind: str, keys: tuple[str, ...]) -> str:
    named = f"{', '.join(keys[:-1])} or {keys[-1]}"
    if kind == WAIVERS:
        return f"this waiver matches every finding; narrow it by {named}"
    return f"this accepted gap matches every gap; narrow it by {named}"
