"""What Lightsail's own lists tell of exports in one account and Region; each is read once, and only if it may tell."""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from auditor.model import (
    ABSENT,
    DISK_SNAPSHOTS,
    INSTANCE_SNAPSHOTS,
    NOT_ASKED,
    OPERATIONS,
    STACK_RECORDS,
    Fact,
    Known,
    Operation,
    SourceSnapshot,
    StackRecord,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.audit.reading import Reading
    from auditor.model import ExportRecord

_SAME_EXPORT = 300.0
"""Seconds that lie at the most between a record's making and that of its operation: nothing else links the two."""


class Lists:
    """Lightsail's lists of one account and Region."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings
        self._operations: dict[str, list[tuple[float, Operation]]] | None = None
        self._stacks: dict[str, list[StackRecord]] | None = None
        self._sources: dict[str, dict[str, SourceSnapshot]] = {}

    async def read(self, records: Sequence[ExportRecord], *, any_stack: bool) -> None:
        """Read the lists that could tell of these records, and were not read yet.

        :param any_stack: whether it matters of one of them if a stack was made from it.
        """
        operations, stacks = self._readings.get(OPERATIONS), self._readings.get(STACK_RECORDS)
        if operations and self._operations is None and any(map(_may_be_explained, records)):
            self._operations = await _by_name(operations)
        if stacks and self._stacks is None and any_stack:
            self._stacks = await _by_export(stacks)
        for listing in (INSTANCE_SNAPSHOTS, DISK_SNAPSHOTS):
            reading = self._readings.get(listing)
            if reading and listing not in self._sources and listing in map(_listing_of, records):
                self._sources[listing] = await _by_arn(reading)

    def operation(self, record: ExportRecord) -> Fact[Operation]:
        """Return the operation that made the export."""
        if self._operations is None or not _may_be_explained(record):
            return NOT_ASKED
        created = record.raw.get("createdAt")
        if not isinstance(created, (int, float)):
            return NOT_ASKED
        near = [
            (abs(created - at), operation)
            for name in (record.name, record.source.name)
            for at, operation in self._operations.get(name or "", ())
            if abs(created - at) <= _SAME_EXPORT
        ]
        if near:
            return Known(min(near, key=lambda one: one[0])[1])
        return self._readings[OPERATIONS].unknown or ABSENT

    def stacks(self, record: ExportRecord) -> Fact[tuple[StackRecord, ...]]:
        """Return the stacks made from the record."""
        if self._stacks is None:
            return NOT_ASKED
        found = self._stacks.get(str(record.raw.get("arn"))) or self._stacks.get(record.name or "")
        return Known(tuple(found)) if found else self._readings[STACK_RECORDS].unknown or ABSENT

    def source(self, record: ExportRecord) -> Fact[SourceSnapshot]:
        """Return the snapshot that was exported."""
        if not self._sources:
            return NOT_ASKED
        listing, arn = _listing_of(record), record.source_arn
        if listing not in self._sources or arn is None:
            return NOT_ASKED
        found = self._sources[listing].get(arn)
        return Known(found) if found else self._readings[listing].unknown or ABSENT


def _may_be_explained(record: ExportRecord) -> bool:
    """Say whether the operation has something to tell: one that succeeded has not."""
    return record.raw.get("state") != "Succeeded"


def _listing_of(record: ExportRecord) -> str:
    return DISK_SNAPSHOTS if record.source.is_disk else INSTANCE_SNAPSHOTS


async def _by_name(reading: Reading) -> dict[str, list[tuple[float, Operation]]]:
    found: defaultdict[str, list[tuple[float, Operation]]] = defaultdict(list)
    async with aclosing(reading.pages()) as pages:
        async for page in pages:
            for raw in page:
                if not isinstance(raw, dict) or raw.get("operationType") != "ExportSnapshot":
                    continue
                name, created, own = raw.get("resourceName"), raw.get("createdAt"), raw.get("id")
                if isinstance(name, str) and isinstance(created, (int, float)) and isinstance(own, str):
                    told = [_text(raw.get(key)) for key in ("status", "errorCode", "errorDetails")]
                    found[name].append((created, Operation(own, *told)))
    return dict(found)


async def _by_export(reading: Reading) -> dict[str, list[StackRecord]]:
    """Return the stack records by the ARN of the export record that each was made from, and by its name."""
    found: defaultdict[str, list[StackRecord]] = defaultdict(list)
    async with aclosing(reading.pages()) as pages:
        async for page in pages:
            for raw in page:
                origins = raw.get("sourceInfo") if isinstance(raw, dict) else None
                for origin in origins if isinstance(origins, list) else ():
                    stack = StackRecord(*(_text(raw.get(key)) for key in ("arn", "name", "state")))
                    for key in ("arn", "name"):
                        if isinstance(origin, dict) and (own := _text(origin.get(key))):
                            found[own].append(stack)
    return dict(found)


async def _by_arn(reading: Reading) -> dict[str, SourceSnapshot]:
    found: dict[str, SourceSnapshot] = {}
    async with aclosing(reading.pages()) as pages:
        async for page in pages:
            for raw in page:
                if isinstance(raw, dict) and (arn := _text(raw.get("arn"))):
                    found[arn] = SourceSnapshot(arn, _text(raw.get("name")), _text(raw.get("state")))
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
