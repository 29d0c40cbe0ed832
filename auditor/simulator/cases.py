"""What is planted in an estate: cases whose truth is known because they were made so, and near misses.

Truth is by the policies' default settings (3 days, 640 GB, 24 hours); ages keep an hour's distance from
each limit, so that it stays true while a run goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from auditor.simulator.afterlife import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.simulator.afterlife import Fate
    from auditor.simulator.records import Record, RecordMaker

STALE, OVERSIZED, STUCK = "stale-failed-export", "oversized-disk", "stuck-export"


class Planted(NamedTuple):
    """A record, and what is true of it."""

    record: Record
    broken: tuple[str, ...] = ()
    """The policies that it breaks."""
    unjudgeable: tuple[str, ...] = ()
    """The policies that can't tell."""
    fate: Fate = HARMLESS
    """What became of it, in an estate that has such things."""
    about: tuple[tuple[str, str], ...] = ()
    """Policies that find something else than the record, and its ARN."""


Case: TypeAlias = "Callable[[RecordMaker], list[Planted]]"


def days(count: float) -> timedelta:
    """Return an age."""
    return timedelta(days=count)


def benign(make: RecordMaker) -> list[Planted]:
    """Plant an export that went well: the common case."""
    if make.rng.choice(("disk", "instance", "instance", "instance")) == "disk":
        source = make.block_disk(make.rng.choice((8, 32, 64, 128, 256)))
    else:
        attached = make.rng.choice(((), (), (), (16,), (64, 128)))
        source = make.instance(make.rng.choice((20, 40, 60, 80, 160, 320)), attached)
    return [Planted(make.export(source, "Succeeded", days(make.rng.uniform(1, 300))))]


def failed_long_ago(make: RecordMaker) -> list[Planted]:
    """Plant a failure that nobody saw to."""
    return [Planted(make.export(make.instance(), "Failed", days(10)), (STALE,))]


def failed_lately(make: RecordMaker) -> list[Planted]:
    """Plant a failure that is not three days old."""
    return [Planted(make.export(make.instance(), "Failed", days(2)))]


def failed_then_succeeded(make: RecordMaker) -> list[Planted]:
    """Plant a failure that was made good."""
    source = make.instance()
    return [
        Planted(make.export(source, "Failed", days(9))),
        Planted(make.export(source, "Succeeded", days(8))),
    ]


def succeeded_then_failed(make: RecordMaker) -> list[Planted]:
    """Plant a failure that an older success does not make good."""
    source = make.block_disk()
    return [
        Planted(make.export(source, "Succeeded", days(30))),
        Planted(make.export(source, "Failed", days(5)), (STALE,)),
    ]


def failed_twice(make: RecordMaker) -> list[Planted]:
    """Plant two failures of one snapshot, and a third try that still runs: neither is made good."""
    source = make.instance()
    return [
        Planted(make.export(source, "Failed", days(7)), (STALE,)),
        Planted(make.export(source, "Failed", days(6)), (STALE,)),
        Planted(make.export(source, "Started", timedelta(hours=1))),
    ]


def failed_without_source_arn(make: RecordMaker) -> list[Planted]:
    """Plant a failure that does not say of what; a success that does not say so either is no answer to it."""
    failed = make.export(make.instance(), "Failed", days(12))
    succeeded = make.export(make.instance(), "Succeeded", days(11))
    del failed["sourceInfo"]["arn"], succeeded["sourceInfo"]["arn"]
    return [Planted(failed, (STALE,)), Planted(succeeded)]


def started_long_ago(make: RecordMaker) -> list[Planted]:
    """Plant an export that never ended."""
    return [Planted(make.export(make.block_disk(), "Started", days(3)), (STUCK,))]


def started_lately(make: RecordMaker) -> list[Planted]:
    """Plant exports under way, one of them for most of a day."""
    return [
        Planted(make.export(make.instance(), "Started", timedelta(hours=1))),
        Planted(make.export(make.instance(), "Started", timedelta(hours=23))),
    ]


def large_system_disk(make: RecordMaker) -> list[Planted]:
    """Plant a system disk above the limit."""
    return [Planted(make.export(make.instance(1280), "Succeeded", days(20)), (OVERSIZED,))]


def large_attached_disks(make: RecordMaker) -> list[Planted]:
    """Plant two attached disks above the limit, one by a single GB: one finding."""
    source = make.instance(80, [64, 641, 2048])
    return [Planted(make.export(source, "Succeeded", days(25)), (OVERSIZED,))]


def large_block_disk(make: RecordMaker) -> list[Planted]:
    """Plant a block disk of the largest size there is, its export still young."""
    return [Planted(make.export(make.block_disk(16_000), "Started", timedelta(hours=2)), (OVERSIZED,))]


def disks_at_the_limit(make: RecordMaker) -> list[Planted]:
    """Plant disks of exactly 640 GB, which is allowed."""
    return [
        Planted(make.export(make.instance(640, [640]), "Succeeded", days(40))),
        Planted(make.export(make.block_disk(640), "Succeeded", days(41))),
    ]


def failed_and_large(make: RecordMaker) -> list[Planted]:
    """Plant two policies broken by one record."""
    return [Planted(make.export(make.instance(1000), "Failed", days(20)), (STALE, OVERSIZED))]


CASES: tuple[Case, ...] = (
    failed_long_ago,
    large_system_disk,
    started_long_ago,
    failed_then_succeeded,
    disks_at_the_limit,
    failed_lately,
    large_attached_disks,
    succeeded_then_failed,
    started_lately,
    large_block_disk,
    failed_twice,
    failed_without_source_arn,
    failed_and_large,
)
"""Every case that an estate has by default, in the order in which targets take their turn."""
