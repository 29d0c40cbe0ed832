"""What is planted for the policies about what an export left behind: copies in EC2, failures, sources.

As in `cases`, truth is by the policies' default settings: 365 days of retention, 90 days unused, 3 failures; ages
keep a day's distance from each limit. Each case breaks what it is about, and no other policy by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.simulator.afterlife import EVERYBODY, SIBLING, Fate
from auditor.simulator.cases import STALE, Case, Planted, days

if TYPE_CHECKING:
    from auditor.simulator.records import Record, RecordMaker

PUBLIC, UNENCRYPTED, EXPIRED = "public-export", "unencrypted-export", "expired-retention"
REPEATED, UNSUPPORTED, UNUSED = "repeated-failure", "unsupported-blueprint", "unused-export"
DUPLICATE, MISSING, ONLY_COPY = "duplicate-export", "missing-destination", "only-copy"
DISALLOWED = "disallowed-region"
"""Allows every Region by default: nothing is planted for it."""

STRANGER = {"userId": "210987654321"}
"""An account that is none of the estate's: what is shared with it is found only with `sharing: true`."""
ENDED_BLUEPRINTS = ("ubuntu_16_04_2", "centos_7_2009_01", "windows_server_2012", "debian_9_5")
"""Operating systems past their end of life: 2021-04, 2024-06, 2023-10 and 2022-06, by their makers."""


def shared_images(make: RecordMaker) -> list[Planted]:
    """Plant an image that everybody may launch, and two that a stranger or a sibling may: not asked by default."""
    return [
        _copied(make, 20, Fate(image_permissions=(EVERYBODY,)), PUBLIC),
        _copied(make, 21, Fate(image_permissions=(STRANGER,))),
        _copied(make, 22, Fate(image_permissions=({"userId": SIBLING},))),
    ]


def shared_snapshots(make: RecordMaker) -> list[Planted]:
    """Plant a private image of which a snapshot is public, and disks' snapshots shared with a stranger and a sibling."""
    return [
        _copied(make, 23, Fate(snapshot_permissions=(EVERYBODY,)), PUBLIC),
        _copied(make, 24, Fate(snapshot_permissions=(STRANGER,)), disk=True),
        _copied(make, 25, Fate(snapshot_permissions=({"userId": SIBLING},)), disk=True),
    ]


def unencrypted(make: RecordMaker) -> list[Planted]:
    """Plant an image of which the second disk is in the clear, and a disk's snapshot."""
    source = make.instance(40, [64])
    record = make.export(source, "Succeeded", days(26))
    return [
        Planted(record, (UNENCRYPTED,), fate=Fate(encrypted=(True, False))),
        _copied(make, 27, Fate(encrypted=(False,)), UNENCRYPTED, disk=True),
    ]


def expired(make: RecordMaker) -> list[Planted]:
    """Plant copies that are kept for too long, and one that is a day short of it; all of them in use."""
    return [
        _copied(make, 366, Fate(), EXPIRED),
        _copied(make, 500, Fate(), EXPIRED, disk=True),
        _copied(make, 364, Fate()),
    ]


def failed_three_times(make: RecordMaker) -> list[Planted]:
    """Plant three failures of one snapshot, none of them stale, with AWS's reason; a success before is none since."""
    source = make.block_disk()
    about = ((REPEATED, source.info["arn"]),)
    fate = Fate(error="SnapshotLimitExceeded")
    return [
        Planted(make.export(source, "Succeeded", days(30))),
        Planted(make.export(source, "Failed", days(2.5)), fate=fate, about=about),
        Planted(make.export(source, "Failed", days(2)), fate=fate),
        Planted(make.export(source, "Failed", days(1)), fate=fate),
    ]


def failed_five_times_long_ago(make: RecordMaker) -> list[Planted]:
    """Plant failures that nobody looks into any more: each stale, and all of them together one finding."""
    source = make.instance()
    about = ((REPEATED, source.info["arn"]),)
    failed = [make.export(source, "Failed", days(100 + number)) for number in range(5)]
    return [Planted(record, (STALE,), about=() if number else about) for number, record in enumerate(failed)]


def failed_three_times_then_succeeded(make: RecordMaker) -> list[Planted]:
    """Plant failures that a success made good, and two that are not enough."""
    mended, unlucky = make.instance(), make.instance()
    return [
        *(Planted(make.export(mended, "Failed", days(age))) for age in (9, 8, 7)),
        Planted(make.export(mended, "Succeeded", days(6))),
        *(Planted(make.export(unlucky, "Failed", days(age))) for age in (2, 1)),
    ]


def ended_blueprint(make: RecordMaker) -> list[Planted]:
    """Plant an image of an operating system past its end of life, and one of a system that has years to go."""
    old, new = make.instance(), make.instance()
    old.info["instanceSnapshotInfo"]["fromBlueprintId"] = make.rng.choice(ENDED_BLUEPRINTS)
    new.info["instanceSnapshotInfo"]["fromBlueprintId"] = "ubuntu_24_04"
    return [
        Planted(make.export(old, "Succeeded", days(28)), (UNSUPPORTED,)),
        Planted(make.export(new, "Succeeded", days(29))),
    ]


def unused(make: RecordMaker) -> list[Planted]:
    """Plant an image that was never launched and a disk's copy of which no volume was made."""
    return [
        _copied(make, 91, Fate(used=False), UNUSED),
        _copied(make, 120, Fate(used=False), UNUSED, disk=True),
    ]


def used_or_young(make: RecordMaker) -> list[Planted]:
    """Plant each of what keeps a copy from being unused: a stack, a volume, a launch, its youth."""
    return [
        _copied(make, 121, Fate(used=False, stack=True)),
        _copied(make, 122, Fate(used=False, volume=True)),
        _copied(make, 123, Fate(used=False, volume=True), disk=True),
        _copied(make, 124, Fate(used=True)),
        _copied(make, 89, Fate(used=False)),
    ]


def exported_twice(make: RecordMaker) -> list[Planted]:
    """Plant three copies of one snapshot, of which two are too many, the older ones."""
    source = make.instance()
    return [
        Planted(make.export(source, "Succeeded", days(33)), (DUPLICATE,)),
        Planted(make.export(source, "Succeeded", days(32)), (DUPLICATE,)),
        Planted(make.export(source, "Succeeded", days(31))),
    ]


def exported_twice_and_one_is_gone(make: RecordMaker) -> list[Planted]:
    """Plant two exports of one snapshot, whose first copy was deleted."""
    source = make.block_disk()
    return [
        Planted(make.export(source, "Succeeded", days(35)), (MISSING,), fate=Fate(copy=False)),
        Planted(make.export(source, "Succeeded", days(34))),
    ]


def gone(make: RecordMaker) -> list[Planted]:
    """Plant exports that succeeded, and whose image or snapshot is there no longer."""
    return [
        _copied(make, 36, Fate(copy=False), MISSING),
        _copied(make, 37, Fate(copy=False), MISSING, disk=True),
    ]


def last_copies(make: RecordMaker) -> list[Planted]:
    """Plant copies whose Lightsail snapshot is gone."""
    return [
        _copied(make, 38, Fate(source=False), ONLY_COPY),
        _copied(make, 39, Fate(source=False), ONLY_COPY, disk=True),
    ]


def two_copies_without_a_source(make: RecordMaker) -> list[Planted]:
    """Plant two copies whose Lightsail snapshot is gone: neither is the only one."""
    source, fate = make.instance(), Fate(source=False)
    return [
        Planted(make.export(source, "Succeeded", days(43)), (DUPLICATE,), fate=fate),
        Planted(make.export(source, "Succeeded", days(42)), fate=fate),
    ]


def wrong_in_every_way(make: RecordMaker) -> list[Planted]:
    """Plant one old image that breaks all that a single one can."""
    source = make.instance()
    source.info["instanceSnapshotInfo"]["fromBlueprintId"] = "centos_7_2009_01"
    fate = Fate(source=False, image_permissions=(EVERYBODY,), encrypted=(False,), used=False)
    broken = (PUBLIC, UNENCRYPTED, EXPIRED, UNSUPPORTED, UNUSED, ONLY_COPY)
    return [Planted(make.export(source, "Succeeded", days(700)), broken, fate=fate)]


def encryption_untold(make: RecordMaker) -> list[Planted]:
    """Plant a snapshot of which EC2 does not say whether it is encrypted."""
    return [_copied(make, 30, Fate(encrypted=(None,)), cannot=(UNENCRYPTED,), disk=True)]


def copy_undated(make: RecordMaker) -> list[Planted]:
    """Plant a copy in use, of which EC2 does not say how old it is."""
    return [_copied(make, 30, Fate(dated=False, used=True), cannot=(EXPIRED,))]


def blueprint_untold(make: RecordMaker) -> list[Planted]:
    """Plant an image of nobody knows what system."""
    source = make.instance()
    del source.info["instanceSnapshotInfo"]["fromBlueprintId"]
    return [Planted(make.export(source, "Succeeded", days(30)), (), (UNSUPPORTED,))]


AFTERLIFE_CASES: tuple[Case, ...] = (
    shared_images,
    shared_snapshots,
    unencrypted,
    expired,
    failed_three_times,
    failed_five_times_long_ago,
    failed_three_times_then_succeeded,
    ended_blueprint,
    unused,
    used_or_young,
    exported_twice,
    exported_twice_and_one_is_gone,
    gone,
    last_copies,
    two_copies_without_a_source,
    wrong_in_every_way,
)
"""Every case that `generate(afterlife=True)` adds."""
AFTERLIFE_ODDITIES: tuple[Case, ...] = (encryption_untold, copy_undated, blueprint_untold)
"""Every case that it adds with `oddities=True` besides."""


def untold(record: Record) -> tuple[str, ...]:
    """Return the policies here that can't judge any record, be it planted for them or not, in which a field is missing."""
    state, source = record.get("state"), record.get("sourceInfo", {})
    if state is None:
        return REPEATED, MISSING
    if state == "Succeeded":
        return () if "arn" in source else (DUPLICATE, ONLY_COPY)
    if state != "Failed":
        return ()
    return () if "arn" in source and isinstance(record["createdAt"], float) else (REPEATED,)


def _copied(
    make: RecordMaker,
    age: float,
    fate: Fate,
    *broken: str,
    cannot: tuple[str, ...] = (),
    disk: bool = False,
) -> Planted:
    source = make.block_disk() if disk else make.instance()
    return Planted(make.export(source, "Succeeded", days(age)), broken, cannot, fate=fate)
