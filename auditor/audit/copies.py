"""What became of exports in EC2: images, snapshots and volumes of one account and Region, looked up by their ids."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.aws import ec2
from auditor.aws.sources import IDS_AT_ONCE
from auditor.model import (
    ABSENT,
    IMAGE_PERMISSIONS,
    IMAGES,
    NOT_ASKED,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    VOLUMES,
    Fact,
    Image,
    Known,
    Snapshot,
    Unknown,
    Volume,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditor.audit.reading import Reading

V = TypeVar("V")

IMAGE_PREFIX, SNAPSHOT_PREFIX = "ami-", "snap-"
"""What the ids of EC2's images and snapshots begin with (EC2 user guide, "Resource IDs")."""


class Copies:
    """The copies of one account and Region."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings
        self._public: frozenset[str] | None = None
        """The ids of the account's public snapshots here, once they were asked for."""

    async def images(self, ids: Iterable[str]) -> dict[str, list[Image]]:
        """Return the images of these ids that EC2 has."""
        return await self._look_up(IMAGES, "image-id", ids, ec2.image, _own_id)

    async def snapshots(self, ids: set[str]) -> dict[str, list[Snapshot]]:
        """Return the snapshots of these ids that EC2 has, and whether they are public."""
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

    async def volumes(self, snapshot_ids: Iterable[str]) -> dict[str, list[Volume]]:
        """Return the volumes made from the snapshots of these ids, by those ids."""
        return await self._look_up(VOLUMES, "snapshot-id", snapshot_ids, ec2.volume, _origin)

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
                        own = key(value)
                        if own in wanted:
                            found.setdefault(own, []).append(value)
        return found

    def image(self, destination: str, images: Mapping[str, list[Image]]) -> Fact[Image]:
        """Return the image that an export became, of those looked up."""
        if IMAGES not in self._readings:
            return NOT_ASKED
        if found := images.get(destination):
            return Known(found[0])
        if not destination.startswith(IMAGE_PREFIX):
            return ABSENT
        return self._readings[IMAGES].unknown or ABSENT

    def snapshots_of(
        self, made_of: Fact[tuple[str, ...]], found: Mapping[str, list[Snapshot]]
    ) -> Fact[tuple[Snapshot, ...]]:
        """Return the snapshots that a copy is made of, of those looked up."""
        return self._all_of(SNAPSHOTS, made_of, found)

    def volumes_of(
        self, made_of: Fact[tuple[str, ...]], found: Mapping[str, list[Volume]]
    ) -> Fact[tuple[Volume, ...]]:
        """Return the volumes that were made from a copy, of those looked up."""
        return self._all_of(VOLUMES, made_of, found)

    def _all_of(
        self, source: str, made_of: Fact[tuple[str, ...]], found: Mapping[str, list[V]]
    ) -> Fact[tuple[V, ...]]:
        if isinstance(made_of, Unknown):
            return made_of
        if not isinstance(made_of, Known):
            return ABSENT
        reading = self._readings.get(source)
        if reading is None:
            return NOT_ASKED
        if reading.failure and any(own not in found for own in made_of.value):
            return reading.unknown or NOT_ASKED
        values = tuple(chain.from_iterable([found.get(own, ()) for own in made_of.value]))
        return Known(values) if values else ABSENT

    @property
    def tells_of_sharing(self) -> bool:
        """Whether it is asked whom a copy is shared with."""
        return IMAGE_PERMISSIONS in self._readings and SNAPSHOT_PERMISSIONS in self._readings

    async def shared_with(
        self, image: Fact[Image], made_of: Fact[tuple[str, ...]], snapshots: Fact[tuple[Snapshot, ...]]
    ) -> Fact[frozenset[str]]:
        """Return whom a copy is shared with, asked for it alone."""
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


def made_of(destination: str, image: Fact[Image]) -> Fact[tuple[str, ...]]:
    """Return the ids of the EBS snapshots that a copy is made of."""
    if isinstance(image, Known):
        return Known(image.value.snapshot_ids) if image.value.snapshot_ids else ABSENT
    if destination.startswith(SNAPSHOT_PREFIX):
        return Known((destination,))
    return image if destination.startswith(IMAGE_PREFIX) else ABSENT


def _own_id(held: Image | Snapshot) -> str:
    return held.id


def _origin(volume: Volume) -> str:
    return volume.snapshot_id
