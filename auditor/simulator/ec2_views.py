"""What EC2 lists: its kinds of things, and what one account sees of each in a Region.

An account sees what it owns, what is shared with it, and what is public anywhere in the estate. A deprecated image
is shown to its owner whatever is asked for, and a disabled one only where that is asked for (EC2 API reference,
DescribeImages).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.simulator.afterlife import EVERYBODY
from auditor.simulator.answers import ApiError
from auditor.simulator.ec2_queries import Listing, Query, matches, named_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.simulator.afterlife import Afterlife
    from auditor.simulator.estate import SimAccount
    from auditor.simulator.records import Record

IMAGES = Listing(
    "imagesSet",
    "ImageId",
    "imageId",
    "ami-",
    ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "InvalidAMIID.Malformed",
    {
        "image-id": lambda image: image["imageId"],
        "name": lambda image: image["name"],
        "owner-id": lambda image: image["imageOwnerId"],
        "is-public": lambda image: image["isPublic"],
        "state": lambda image: image["imageState"],
        "block-device-mapping.snapshot-id": lambda image: [
            mapping["ebs"]["snapshotId"] for mapping in image["blockDeviceMapping"]
        ],
    },
)
SNAPSHOTS = Listing(
    "snapshotSet",
    "SnapshotId",
    "snapshotId",
    "snap-",
    ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    "InvalidSnapshotID.Malformed",
    {
        "snapshot-id": lambda snapshot: snapshot["snapshotId"],
        "owner-id": lambda snapshot: snapshot["ownerId"],
        "status": lambda snapshot: snapshot["status"],
        "storage-tier": lambda snapshot: snapshot["storageTier"],
        "volume-id": lambda snapshot: snapshot["volumeId"],
        "volume-size": lambda snapshot: snapshot["volumeSize"],
        "encrypted": lambda snapshot: snapshot.get("encrypted", False),
    },
)
VOLUMES = Listing(
    "volumeSet",
    "VolumeId",
    "volumeId",
    "vol-",
    ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "InvalidVolumeID.Malformed",
    {
        "volume-id": lambda volume: volume["volumeId"],
        "snapshot-id": lambda volume: volume["snapshotId"],
        "status": lambda volume: volume["status"],
        "encrypted": lambda volume: volume["encrypted"],
    },
)


class Thing(NamedTuple):
    """Something that is listed."""

    owner: str
    """The id of an account."""
    told: Record
    permissions: tuple[Record, ...]


class View:
    """What one account sees of one kind in a Region."""

    def __init__(
        self, account: SimAccount, region: str, listing: Listing, shared: Mapping[str, Thing]
    ) -> None:
        afterlife = account.afterlife.get(region)
        self._account_id = account.id
        self._listing = listing
        self._shared = shared
        """What anyone shared with anyone there."""
        self.own = held(afterlife, listing)
        self._granted = granted(afterlife, listing)

    def found(self, query: Query) -> list[Record] | ApiError:
        """Return what `query` asks for; one id that is not there fails it all."""
        if query.ids:
            missing = [one for one in query.ids if self.seen(one) is None]
            if missing:
                return self.not_found(missing)
        return [thing.told for thing in self._visible(query) if self._is_wanted(thing, query)]

    def seen(self, one: str) -> Thing | None:
        """Return the thing of this id, where the account may see it."""
        if one in self.own:
            return Thing(self._account_id, self.own[one], tuple(self._granted.get(one, ())))
        thing = self._shared.get(one)
        if thing is None or (
            EVERYBODY not in thing.permissions and {"userId": self._account_id} not in thing.permissions
        ):
            return None
        return thing

    def not_found(self, missing: Iterable[str]) -> ApiError:
        """Return what EC2 says of ids that are not there."""
        code, words = self._listing.missing
        return ApiError(code, words.format(", ".join(missing)))

    def _visible(self, query: Query) -> Iterator[Thing]:
        ids = query.ids or named_ids(query, self._listing)
        for one in dict.fromkeys(ids if ids is not None else (*self.own, *self._shared)):
            thing = self.seen(one)
            if thing is not None:
                yield thing

    def _is_wanted(self, thing: Thing, query: Query) -> bool:
        is_own = thing.owner == self._account_id
        if query.owners and thing.owner not in query.owners and not (is_own and "self" in query.owners):
            return False
        if thing.told.get("imageState") == "disabled" and not query.disabled:
            return False
        if "deprecationTime" in thing.told and not is_own and not query.deprecated:
            return False
        if query.permitted and not any(self._permits(thing, who) for who in query.permitted):
            return False
        return matches(thing.told, query.filters, self._listing)

    def _permits(self, thing: Thing, who: str) -> bool:
        """Say whether it is shared with `who`: for `all` with everybody, for an account with that very one."""
        if who == "all":
            return EVERYBODY in thing.permissions
        # To restore a snapshot is granted by owning it; an image's launch permission must be explicit.
        if who == "self" and self._listing is SNAPSHOTS and thing.owner == self._account_id:
            return True
        return {"userId": self._account_id if who == "self" else who} in thing.permissions


def held(afterlife: Afterlife | None, listing: Listing) -> Mapping[str, Record]:
    """Return the things of one kind, by id."""
    if afterlife is None:
        return {}
    if listing is IMAGES:
        return afterlife.images
    return afterlife.snapshots if listing is SNAPSHOTS else afterlife.volumes


def granted(afterlife: Afterlife | None, listing: Listing) -> Mapping[str, list[Record]]:
    """Return who else may use the things of one kind, by id."""
    if afterlife is None or listing is VOLUMES:
        return {}
    return afterlife.image_permissions if listing is IMAGES else afterlife.snapshot_permissions
