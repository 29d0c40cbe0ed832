"""Records → records with their facts: what became of them in EC2, and what stands of them in Lightsail.

Ids are asked for many at once: a record whose image or snapshot is to be looked up waits until there are enough of
its kind, or no more to come. What is known of its image and snapshots then decides whether the rest is asked for.
"""

from __future__ import annotations

from itertools import chain, compress
from typing import TYPE_CHECKING

from auditor.audit.copies import IMAGE_PREFIX, SNAPSHOT_PREFIX, Copies, made_of
from auditor.audit.lists import Lists
from auditor.aws.sources import IDS_AT_ONCE
from auditor.model import (
    EXPORT_RECORDS,
    IMAGES,
    NOT_ASKED,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
    Facts,
    Known,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditor.audit.reading import Reading
    from auditor.model import ExportRecord, Fact, Reason


class Joiner:
    """Joins the records of one account and Region with the facts that its policies need."""

    def __init__(
        self,
        readings: Mapping[str, Reading],
        asks: Callable[[str, ExportRecord], bool] = lambda _source, _record: True,
    ) -> None:
        """Join with what these read.

        :param asks: whether a source must be asked of a record whose image and snapshots are known.
        """
        self._readings = readings
        self._asks = asks
        self._copies = Copies(readings)
        self._lists = Lists(readings)
        self._images: list[ExportRecord] = []
        """Those that became an image, not yet looked up."""
        self._disks: list[ExportRecord] = []
        """Those that became a snapshot, likewise."""
        self._held: dict[ExportRecord, str] = {}
        """All that were taken and not given back yet, with the id of what they became: a run that is cut off in a
        call must not lose them."""

    async def join(self, records: Sequence[ExportRecord]) -> list[ExportRecord]:
        """Return the records, these or earlier ones, that have all their facts now."""
        ready = []
        for record in records:
            destination = record.destination_id or ""
            self._held[record] = destination
            if destination.startswith(IMAGE_PREFIX) and IMAGES in self._readings:
                self._images.append(record)
            elif destination.startswith(SNAPSHOT_PREFIX) and SNAPSHOTS in self._readings:
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
        held = list(self._held)
        for record in held:
            record.facts = Facts._make(unknown if fact is NOT_ASKED else fact for fact in record.facts)
        self._held.clear()
        self._images, self._disks = [], []
        return held

    def _given_back(self, records: list[ExportRecord]) -> list[ExportRecord]:
        for record in records:
            del self._held[record]
        return records

    async def _joined(self, records: list[ExportRecord]) -> list[ExportRecord]:
        copies, lists = self._copies, self._lists
        made = await self._look_at_copies(records)
        of_volumes = self._asked(VOLUMES, records)
        snapshot_ids = [parts.value for parts in compress(made, of_volumes) if isinstance(parts, Known)]
        volumes = await copies.volumes(chain.from_iterable(snapshot_ids))
        await lists.read(records, any_stack=any(self._asked(STACK_RECORDS, records)))
        for record, parts, has_volumes in zip(records, made, of_volumes, strict=True):
            image, snapshots, *_ = record.facts
            record.facts = Facts(
                image,
                snapshots,
                copies.volumes_of(parts, volumes) if has_volumes else NOT_ASKED,
                await copies.shared_with(image, parts, snapshots) if copies.tells_of_sharing else NOT_ASKED,
                lists.operation(record),
                lists.stacks(record),
                lists.source(record),
            )
        return records

    async def _look_at_copies(self, records: list[ExportRecord]) -> list[Fact[tuple[str, ...]]]:
        """Let the records know their image and snapshots; return the ids of the snapshots that each is made of."""
        copies = self._copies
        destinations = [self._held[record] for record in records]
        images = await copies.images(own for own in destinations if own.startswith(IMAGE_PREFIX))
        facts = [copies.image(own, images) for own in destinations]
        made = list(map(made_of, destinations, facts))
        ids = {own for own in destinations if own.startswith(SNAPSHOT_PREFIX)}
        for found in images.values():
            ids.update(*(image.snapshot_ids for image in found))
        snapshots = await copies.snapshots(ids)
        for record, image, parts in zip(records, facts, made, strict=True):
            record.facts = Facts(image, copies.snapshots_of(parts, snapshots))
        return made

    def _asked(self, source: str, records: list[ExportRecord]) -> list[bool]:
        """Return of each record whether this source must be asked of it."""
        if source not in self._readings:
            return [False] * len(records)
        return [self._asks(source, record) for record in records]
