from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditor.model import Cost, ExportRecord, Facts
from auditor.policies.prices import PRICE_DATE, PRICE_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "unused-export"


def copy(facts: Facts, of: str = "ami-1", **fields: Any) -> ExportRecord:
    raw = {
        "arn": "arn:record",
        "state": "Succeeded",
        "createdAt": 1.7e9,
        "location": {"regionName": "eu-west-1"},
        "sourceInfo": {"arn": "arn:of-it", "name": "nightly"},
        "destinationInfo": {"id": of},
    }
    return ExportRecord(raw | fields, facts)


OLD: dict[str, Any] = {"image": {"created": "91d ago"}, "volumes": None, "stacks": None}


def test_an_age_of_exactly_max_age_is_allowed(judge: Judge, facts: MakeFacts, ago: Ago) -> None:
    def at(age: float) -> int:
        return len(judge(ID, copy(facts(**OLD | {"image": {"created": age}})))[0])

    assert (at(ago(days=90)), at(ago(days=90, seconds=1))) == (0, 1)


@pytest.mark.parametrize(
    "used",
    [
        {"image": {"created": "91d ago", "last_launched": "1d ago"}},
        {"stacks": [{"name": "made-of-it"}]},
        {"volumes": [{"snapshot_id": "snap-1"}]},
    ],
    ids=repr,
)
def test_any_one_use_is_enough(used: dict[str, Any], judge: Judge, facts: MakeFacts) -> None:
    assert len(judge(ID, copy(facts(**OLD)))[0]) == 1
    assert judge(ID, copy(facts(**OLD | used))) == ([], {})


@pytest.mark.parametrize("unknown", ["image", "volumes", "stacks"])
def test_a_use_that_nobody_could_look_for_leaves_it_unjudged(
    unknown: str, judge: Judge, facts: MakeFacts
) -> None:
    told = {name: value for name, value in OLD.items() if name != unknown}
    assert judge(ID, copy(facts(**told))) == ([], {ID: 1})


def test_an_image_of_no_known_age_is_unjudged_unless_it_is_used(judge: Judge, facts: MakeFacts) -> None:
    assert judge(ID, copy(facts(**OLD | {"image": {}}))) == ([], {ID: 1})
    assert judge(ID, copy(facts(**OLD | {"image": {"last_launched": "1d ago"}}))) == ([], {})


def test_a_disks_snapshot_needs_no_stacks_and_is_as_old_as_its_youngest(
    judge: Judge, facts: MakeFacts
) -> None:
    def at(*started: str) -> int:
        made = facts(image=None, snapshots=[{"started": each} for each in started], volumes=None)
        return len(judge(ID, copy(made, "snap-1"))[0])

    assert at("91d ago") == 1
    assert at("91d ago", "89d ago") == 0


def cost_of(judge: Judge, facts: MakeFacts, *snapshots: dict[str, Any]) -> Cost | None:
    ((found,), _) = judge(ID, copy(facts(**OLD, snapshots=[*snapshots])))
    return found.breach.cost


def test_its_cost_is_what_is_stored_by_the_price_of_each_tier(judge: Judge, facts: MakeFacts) -> None:
    stored = {"full_bytes": 100 * 2**30, "volume_gb": 500, "tier": "standard"}
    archived = {"volume_gb": 40, "tier": "archive"}
    assert cost_of(judge, facts, stored, archived) == Cost(
        5.5,
        "At most, since blocks shared with other snapshots are billed once: 100.00 GB in the standard tier"
        " at $0.05 a GB-month and 40.00 GB in the archive tier at $0.0125 a GB-month.",
        PRICE_SOURCE,
        PRICE_DATE,
    )


@pytest.mark.parametrize(
    "snapshot", [{"tier": "standard"}, {"volume_gb": 8}, {"volume_gb": 8, "tier": "glacial"}], ids=repr
)
def test_there_is_no_cost_where_ec2_does_not_say_enough(
    snapshot: dict[str, Any], judge: Judge, facts: MakeFacts
) -> None:
    assert cost_of(judge, facts, {"volume_gb": 8, "tier": "standard"}, snapshot) is None


def test_it_is_found_without_its_cost_where_its_snapshots_are_not_known(
    judge: Judge, facts: MakeFacts
) -> None:
    ((found,), _) = judge(ID, copy(facts(**OLD)))
    assert found.breach.cost is None
