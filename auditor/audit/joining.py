"""Records → records with their facts: what became of them in EC2, and what stands of them in Lightsail.

Lists are read once, when the first record comes that they could tell of. Ids are asked for many at once: a record
whose image or snapshot is to be looked up waits until there are enough of its kind, or no more to come.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.aws import ec2
from auditor.aws.sources import IDS_AT_ONCE
from auditor.model import (
    ABSENT,
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    NO_FACTS,
    NOT_ASKED,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
    Fact,
    Facts,
    Image,
    Known,
    Operation,
    Snapshot,
    SourceSnapshot,
    StackRecord,
    Unknown,
    Volume,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from auditor.audit.reading import Reading
    from auditor.model import ExportRecord, Reason

V = TypeVar("V")

_SAME_EXPORT = 300.0
"""Seconds that lie at the most between a record's making and that of its operation: nothing else links the two."""


class Joiner:
    """Joins the records of one account and Region with the facts that its policies need."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings
        self._images: list[ExportRecord] = []
        """Those that became an image, not yet looked up."""
        self._disks: list[ExportRecord] = []
        """Those that became a snapshot, likewise."""
        self._held: dict[ExportRecord, None] = {}
        """All that were taken and not given back yet: a run that is cut off in a call must not lose them."""
        self._public: frozenset[str] | None = None
        """The ids of the account's public snapshots here, once they were asked for."""
        self._operations: dict[str, list[tuple[float, Operation]]] | None = None
        self._stacks: dict[str, list[StackRecord]] | None = None
        self._sources: dict[str, dict[str, SourceSnapshot]] = {}

    async def join(self, records: Sequence[ExportRecord]) -> list[ExportRecord]:
        """Return the records, these or earlier ones, that have all their facts now."""
        self._held.update(dict.fromkeys(records))
        ready = []
        for record in records:
            destination = record.destination_id or ""
            if destination.startswith("ami-") and IMAGES in self._readings:
                self._images.append(record)
            elif destination.startswith("snap-") and SNAPSHOTS in self._readings:
                self._disks.append(record)
            else:
                ready.append(record)
        joined = await self._joined(ready) if ready else []
        for waiting in (self._images, self._disks):
            # No more than one request takes: those left over would need another, for a few.
            while len(waiting) >= IDS_AT_ONCE:
                enough = waiting[:IDS_AT_ONCE]
                del waiting[:IDS_AT_ONCE]
                joined += await self._joined(enough)
        return self._given_back(joined)

    async def rest(self) -> list[ExportRecord]:
        """Return the records that still waited, with their facts."""
        waiting = self._images + self._disks
        self._images, self._disks = [], []
        return self._given_back(await self._joined(waiting) if waiting else [])

    def unjoined(self, reason: Reason) -> list[ExportRecord]:
        """Return the records that were held as the run was cut off; of those not joined yet no fact is known."""
        unknown = Unknown(EXPORT_RECORDS, reason)
        facts = Facts(unknown, unknown, unknown, unknown, unknown, unknown, unknown)
        held = list(self._held)
        for record in held:
            if record.facts is NO_FACTS:
                record.facts = facts
        self._held.clear()
        self._images, self._disks = [], []
        return held

    def _given_back(self, records: list[ExportRecord]) -> list[ExportRecord]:
        for record in records:
            del self._held[record]
        return records

    async def _joined(self, records: list[ExportRecord]) -> list[ExportRecord]:
        images = await self._look_up(IMAGES, "image-id", _destinations(records, "ami-"), ec2.image, _own_id)
        backing = chain.from_iterable(image.snapshot_ids for found in images.values() for image in found)
        snapshot_ids = {*backing, *_destinations(records, "snap-")}
        snapshots = await self._snapshots(snapshot_ids)
        await self._read_lists(records)
        volumes = await self._look_up(VOLUMES, "snapshot-id", snapshot_ids, ec2.volume, _origin)
        for record in records:
            image = self._image(record, images)
            made_of = _made_of(record, image)
            held = self._all_of(SNAPSHOTS, made_of, snapshots)
            record.facts = Facts(
                image=image,
                snapshots=held,
                volumes=self._all_of(VOLUMES, made_of, volumes),
                shared_with=await self._shared_with(image, made_of, held),
                operation=self._operation(record),
                stacks=self._stacks_of(record),
                source=self._source(record),
            )
        return records

    # In EC2

    async def _look_up(
        self,
        source: str,
        filter_name: str,
        ids: Iterable[str],
        read: Callable[[Any], V | None],
        key: Callable[[V], str],
    ) -> dict[str, list[V]]:
        """Return what EC2 has of these ids; what it gives besides is left out."""
        found: dict[str, list[V]] = {}
        reading = self._readings.get(source)
        if reading is None:
            return found
        asked = sorted(set(ids))
        for start in range(0, len(asked), IDS_AT_ONCE):
            chunk = asked[start : start + IDS_AT_ONCE]
            wanted = frozenset(chunk)
            async with aclosing(reading.pages(Filters=[{"Name": filter_name, "Values": chunk}])) as pages:
                async for page in pages:
                    for value in filter(None, map(read, page)):
                        if key(value) in wanted:
                            found.setdefault(key(value), []).append(value)
        return found

    async def _snapshots(self, ids: set[str]) -> dict[str, list[Snapshot]]:
        reading = self._readings.get(SNAPSHOTS)
        if reading is None or not ids:
            return {}
        if self._public is None:
            public: set[str] = set()
            # All that are public, which are few, cost one request; the lookup by id does not say which are.
            async with aclosing(reading.pages(RestorableByUserIds=["all"])) as pages:
                async for page in pages:
                    public.update(each.id for each in filter(None, map(ec2.snapshot, page)))
            if reading.failure is None:
                self._public = frozenset(public)
        read = partial(ec2.snapshot, public=self._public)
        return await self._look_up(SNAPSHOTS, "snapshot-id", ids, read, _own_id)

    def _image(self, record: ExportRecord, images: Mapping[str, list[Image]]) -> Fact[Image]:
        destination = record.destination_id or ""
        if IMAGES not in self._readings:
            return NOT_ASKED
        if destination in images:
            return Known(images[destination][0])
        if not destination.startswith("ami-"):
            return ABSENT
        return self._readings[IMAGES].unknown or ABSENT

    def _all_of(
        self, source: str, made_of: Fact[tuple[str, ...]], found: Mapping[str, list[V]]
    ) -> Fact[tuple[V, ...]]:
        """Return all that was found of the EBS snapshots that a copy is made of."""
        if isinstance(made_of, Unknown):
            return made_of
        if not isinstance(made_of, Known):
            return ABSENT
        reading = self._readings.get(source)
        if reading is None:
            return NOT_ASKED
        if reading.unknown and any(own not in found for own in made_of.value):
            return reading.unknown
        values = tuple(chain.from_iterable(found.get(own, ()) for own in made_of.value))
        return Known(values) if values else ABSENT

    async def _shared_with(
        self, image: Fact[Image], made_of: Fact[tuple[str, ...]], snapshots: Fact[tuple[Snapshot, ...]]
    ) -> Fact[frozenset[str]]:
        if IMAGE_PERMISSIONS not in self._readings or SNAPSHOT_PERMISSIONS not in self._readings:
            return NOT_ASKED
        if isinstance(made_of, Unknown):
            return made_of
        if isinstance(snapshots, Unknown):
            return snapshots
        asked = [(IMAGE_PERMISSIONS, {"ImageId": image.value.id})] if isinstance(image, Known) else []
        if isinstance(snapshots, Known):
            asked += [(SNAPSHOT_PERMISSIONS, {"SnapshotId": each.id}) for each in snapshots.value]
        shared: set[str] = set()
        for source, arguments in asked:
            reading = self._readings[source]
            # EC2 has no call that tells the permissions of more than one.
            async with aclosing(reading.pages(**arguments)) as pages:
                async for page in pages:
                    shared.update(map(ec2.permitted, page))
            if reading.unknown:
                return reading.unknown
        return Known(frozenset(shared)) if shared else ABSENT

    # In Lightsail

    async def _read_lists(self, records: Sequence[ExportRecord]) -> None:
        """Read the lists that could tell of these records, each once."""
        operations, stacks = self._readings.get(OPERATIONS), self._readings.get(STACK_RECORDS)
        if operations and self._operations is None and any(map(_may_be_explained, records)):
            self._operations = await _by_name(operations)
        if stacks and self._stacks is None:
            self._stacks = await _by_export(stacks)
        for listing in {_listing_of(record) for record in records}:
            reading = self._readings.get(listing)
            if reading and listing not in self._sources:
                self._sources[listing] = await _by_arn(reading)

    def _operation(self, record: ExportRecord) -> Fact[Operation]:
        created = record.raw.get("createdAt")
        if self._operations is None or not _may_be_explained(record) or not isinstance(created, (int, float)):
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

    def _stacks_of(self, record: ExportRecord) -> Fact[tuple[StackRecord, ...]]:
        if self._stacks is None:
            return NOT_ASKED
        found = self._stacks.get(str(record.raw.get("arn"))) or self._stacks.get(record.name or "")
        return Known(tuple(found)) if found else self._readings[STACK_RECORDS].unknown or ABSENT

    def _source(self, record: ExportRecord) -> Fact[SourceSnapshot]:
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


def _own_id(held: Image | Snapshot) -> str:
    return held.id


def _origin(volume: Volume) -> str:
    return volume.snapshot_id


def _destinations(records: Iterable[ExportRecord], prefix: str) -> list[str]:
    return [own for record in records if (own := record.destination_id) and own.startswith(prefix)]


def _made_of(record: ExportRecord, image: Fact[Image]) -> Fact[tuple[str, ...]]:
    """Return the ids of the EBS snapshots that a copy is made of."""
    destination = record.destination_id or ""
    if destination.startswith("snap-"):
        return Known((destination,))
    if isinstance(image, Known):
        return Known(image.value.snapshot_ids) if image.value.snapshot_ids else ABSENT
    return image if destination.startswith("ami-") else ABSENT


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
