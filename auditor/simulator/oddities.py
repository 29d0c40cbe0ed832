"""Records that AWS does not document but may send: fields missing, of another type, new, or hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.simulator.cases import OVERSIZED, STALE, STUCK, Case, Planted, days

if TYPE_CHECKING:
    from auditor.simulator.records import RecordMaker

HOSTILE_NAME = "=cmd|' /C calc'!A0\x1b[31m<script>alert(1)</script>\r\n::error::\u202egnp.exe\u2028,|`\"\\"
"""A formula, an escape sequence, markup, line breaks and a bidirectional mark in one name."""


def failed_without_any_source(make: RecordMaker) -> list[Planted]:
    """Plant a failure with no `sourceInfo`: reported, and nobody knows its disks."""
    record = make.export(make.instance(), "Failed", days(10))
    del record["sourceInfo"]
    return [Planted(record, (STALE,), (OVERSIZED,))]


def no_state(make: RecordMaker) -> list[Planted]:
    """Plant a record that does not say how the export went."""
    record = make.export(make.instance(), "Succeeded", days(10))
    del record["state"]
    return [Planted(record, (), (STALE, STUCK))]


def failed_at_no_time(make: RecordMaker) -> list[Planted]:
    """Plant a failure whose time is a text: nobody knows its age."""
    record = make.export(make.instance(), "Failed", days(10))
    record["createdAt"] = "2024-01-01T00:00:00Z"
    return [Planted(record, (), (STALE,))]


def no_disks(make: RecordMaker) -> list[Planted]:
    """Plant an instance snapshot without one disk."""
    record = make.export(make.instance(), "Succeeded", days(10))
    record["sourceInfo"]["instanceSnapshotInfo"]["fromDiskInfo"] = []
    return [Planted(record, (), (OVERSIZED,))]


def unknown_state(make: RecordMaker) -> list[Planted]:
    """Plant a state that AWS may add one day, on a disk above the limit."""
    return [Planted(make.export(make.instance(1280), "Cancelled", days(10)), (OVERSIZED,))]


def new_fields(make: RecordMaker) -> list[Planted]:
    """Plant members that no service model knows yet, on a failure."""
    record = make.export(make.instance(), "Failed", days(10))
    record["failureReason"] = {"code": "Unknown", "hints": [1, None, {"a": "b"}]}
    record["sourceInfo"]["encrypted"] = None
    return [Planted(record, (STALE,))]


def hostile_names(make: RecordMaker) -> list[Planted]:
    """Plant names that mean harm to a terminal, a spreadsheet or a page, on a failure with a large disk."""
    record = make.export(make.instance(80, [4096]), "Failed", days(10))
    record["name"] = HOSTILE_NAME
    source = record["sourceInfo"]
    source["name"] = source["fromResourceName"] = HOSTILE_NAME
    source["instanceSnapshotInfo"]["fromDiskInfo"][1]["name"] = HOSTILE_NAME
    source["instanceSnapshotInfo"]["fromDiskInfo"][1]["path"] = HOSTILE_NAME
    return [Planted(record, (STALE, OVERSIZED))]


ODDITIES: tuple[Case, ...] = (
    failed_without_any_source,
    no_state,
    failed_at_no_time,
    no_disks,
    unknown_state,
    new_fields,
    hostile_names,
)
"""Every case that `generate(oddities=True)` adds."""
