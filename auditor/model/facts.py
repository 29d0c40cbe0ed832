"""What is known of a record beyond itself: what became of the export in EC2, and what stands of it in Lightsail.

There may be one of each for every record, and they are tuples, which are made in half the time of other values.

A fact is one of three types: `Known`, `Absent` (it was looked for, and is not there) or `Unknown` (nobody could, or
did, look). A judgement takes it with `known`, which refuses an unknown one, so that none is mistaken for the other.

Shapes: EC2 API reference, `Image`, `Snapshot`, `Volume`, by the names of its XML; Lightsail API reference,
`Operation`, `CloudFormationStackRecord`, `InstanceSnapshot`, `DiskSnapshot`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from auditor.errors import UnknownFact
from auditor.model.target import (
    DISK_SNAPSHOTS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.model.coverage import Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """It was looked for, and found."""

    value: T


@dataclass(frozen=True, slots=True)
class Absent:
    """It was looked for wherever it could be, and is not there."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was not looked for, or could not be."""

    source: str | None = None
    """The source that would have told; None where the run asked none."""
    reason: Reason | None = None
    """Why it did not tell, as the ledger says of its target."""


Fact: TypeAlias = Known[T] | Absent | Unknown

ABSENT = Absent()
NOT_ASKED = Unknown()


def known(fact: Fact[T]) -> T | None:
    """Return what is known, or None where it is known to be absent.

    :raises UnknownFact: where nothing is known, so that nothing can be judged by it.
    """
    if isinstance(fact, Unknown):
        raise UnknownFact(fact.source, fact.reason)
    return fact.value if isinstance(fact, Known) else None


class Image(NamedTuple):
    """An AMI. A field is None where EC2 did not say."""

    id: str
    name: str | None
    public: bool | None
    created: float | None
    """Seconds since the epoch."""
    last_launched: float | None
    """Seconds since the epoch, up to 24 hours late; None also where it was never launched (EC2: LastLaunchedTime)."""
    snapshot_ids: tuple[str, ...]
    """The EBS snapshots that it is made of."""
    state: str | None


class Snapshot(NamedTuple):
    """An EBS snapshot. A field is None where EC2 did not say."""

    id: str
    encrypted: bool | None
    public: bool | None
    """Whether everybody can make volumes of it; None where that was not asked."""
    started: float | None
    """Seconds since the epoch."""
    volume_gb: float | None
    """The size of the volume that it was made of."""
    full_bytes: float | None
    """What is stored of it in full (EC2: FullSnapshotSizeInBytes)."""
    tier: str | None
    """`standard` or `archive`."""
    state: str | None


class Volume(NamedTuple):
    """An EBS volume made from a snapshot."""

    id: str
    snapshot_id: str


class Operation(NamedTuple):
    """The Lightsail operation that made an export. A field is None where Lightsail did not say."""

    id: str
    status: str | None
    error_code: str | None
    error_details: str | None


class StackRecord(NamedTuple):
    """A CloudFormation stack that Lightsail made from an export."""

    arn: str | None
    name: str | None
    state: str | None


class SourceSnapshot(NamedTuple):
    """The Lightsail snapshot that was exported, as it stands there now."""

    arn: str
    name: str | None
    state: str | None


class Facts(NamedTuple):
    """All facts of one record; what no enabled policy needs is `NOT_ASKED`."""

    image: Fact[Image] = NOT_ASKED
    """The AMI that an instance snapshot became; absent where it is gone, or the record names none."""
    snapshots: Fact[tuple[Snapshot, ...]] = NOT_ASKED
    """The EBS snapshots that are there of it: the AMI's, or the one that a disk snapshot became. Never an empty
    tuple: `Absent` then."""
    volumes: Fact[tuple[Volume, ...]] = NOT_ASKED
    """Volumes made from those snapshots; never empty, as above."""
    shared_with: Fact[frozenset[str]] = NOT_ASKED
    """The ids of accounts (or ARNs of organisations and their units) that may use the image or its snapshots;
    `all` is everybody, and `unknown` whoever is of a kind that EC2 has added. Never empty, as above."""
    operation: Fact[Operation] = NOT_ASKED
    """The operation that made the export; absent where Lightsail keeps it no longer."""
    stacks: Fact[tuple[StackRecord, ...]] = NOT_ASKED
    """Stacks made from the record; never empty, as above."""
    source: Fact[SourceSnapshot] = NOT_ASKED
    """The Lightsail snapshot that was exported; absent where it was deleted."""

    @property
    def copy_is_there(self) -> bool:
        """Whether anything of the export stands in EC2.

        :raises UnknownFact: where that is not known.
        """
        # An AMI that is gone may have left its snapshots; one that is there needs no more looking.
        if isinstance(self.image, Known):
            return True
        return known(self.snapshots) is not None


NO_FACTS = Facts()

_COPIES = frozenset({IMAGES, SNAPSHOTS})
SOURCES_OF_FACTS: Mapping[str, frozenset[str]] = {
    "image": frozenset({IMAGES}),
    "snapshots": _COPIES,
    "volumes": _COPIES | {VOLUMES},
    "shared_with": _COPIES | {IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS},
    "operation": frozenset({OPERATIONS}),
    "stacks": frozenset({STACK_RECORDS}),
    "source": frozenset({INSTANCE_SNAPSHOTS, DISK_SNAPSHOTS}),
}
"""The sources without which a fact is unknown, for each field of `Facts`."""


def epoch(text: Any) -> float | None:
    """Return EC2's ISO 8601 time as seconds since the epoch, or None where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate of what something costs, with its price's source."""

    monthly_usd: float
    basis: str
    """What was multiplied, in words."""
    price_source: str
    price_date: str
    """When the price was looked up, `2026-11-23`."""
    currency: str = field(default="USD")


def stored_gb(snapshots: Iterable[Snapshot]) -> float | None:
    """Return the GB that these snapshots store at the most, or None where EC2 does not say of one of them."""
    total = 0.0
    for snapshot in snapshots:
        if snapshot.full_bytes is not None:
            total += snapshot.full_bytes / 2**30
        elif snapshot.volume_gb is not None:
            total += snapshot.volume_gb
        else:
            return None
    return total
