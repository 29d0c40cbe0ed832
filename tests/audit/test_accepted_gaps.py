"""Accepted gaps, end to end: the verdict stays, and what was accepted is left out of what could be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import RunOptions
from auditor.inventory import Filters
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.audit.conftest import Audited, Auditing, EstateMaker

DENIED = Fault(FaultKind.ACCESS_DENIED, region="eu-west-1")
TODAY = datetime.now(UTC).date()


def day(days: int) -> str:
    return (TODAY + timedelta(days=days)).isoformat()


def gaps(*each: dict[str, Any]) -> str:
    """The part of a configuration with these, one a line."""
    told = {"owner": "platform", "explanation": "an SCP denies it", "until": day(60)}
    rows = [", ".join(f'{key}: "{value}"' for key, value in (told | narrowed).items()) for narrowed in each]
    return "accepted_gaps:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


def percents(seen: Audited) -> tuple[int, int, int]:
    """Coverage, coverage after accepted gaps, and the exit code."""
    run = seen.run
    return run["coverage_percent"], run["coverage_percent_after_accepted"], seen.result.exit_code


async def test_a_denied_region_that_is_accepted_no_longer_fails_the_run(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, planted=0.0)
    assert percents(await auditing(estate, DENIED)) == (50, 50, 3)

    seen = await auditing(estate, DENIED, extra=gaps({"region": "eu-west-1", "reason": "access-denied"}))

    assert percents(seen) == (50, 100, 0)
    accepted = {"owner": "platform", "explanation": "an SCP denies it", "until": day(60)}
    for line in seen.coverage:
        denied = line["region"] == "eu-west-1"
        assert (line["verdict"], line["reason"]) == (
            ("failed", "access-denied") if denied else ("complete", None)
        )
        assert line["accepted"] == (accepted if denied else None)
    assert seen.run["totals"]["accepted_gaps"] == 2
    assert seen.run["totals"]["targets"]["failed"] == 2
    assert len(seen.result.gaps()) == 2
    assert seen.run["accepted_gaps"] == {
        "total": 1,
        "covered": 2,
        "expired": [],
        "unmatched": [],
        "not_looked_at": [],
        "ending_soon": [],
    }


async def test_a_gap_of_another_reason_is_not_covered_and_the_accepted_gap_matched_nothing(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    seen = await auditing(
        estate_of(2, planted=0.0), DENIED, extra=gaps({"region": "eu-west-1", "reason": "role-not-assumable"})
    )
    assert percents(seen) == (50, 50, 3)
    assert all(line["accepted"] is None for line in seen.coverage)
    assert [entry["reason"] for entry in seen.run["accepted_gaps"]["unmatched"]] == ["role-not-assumable"]


@pytest.mark.parametrize(
    "narrowed",
    [
        {"region": "us-east-1"},
        {"account": "other"},
        {"source": "ec2:DescribeImages"},
        {"reason": "t*"},
    ],
    ids=lambda narrowed: next(iter(narrowed)),
)
async def test_a_gap_elsewhere_is_not_covered(
    auditing: Auditing, estate_of: EstateMaker, narrowed: dict[str, Any]
) -> None:
    estate = estate_of(2, planted=0.0)
    first, second = (account.id for account in estate.accounts)
    if "account" in narrowed:
        narrowed = {"account": second}
    denied = Fault(FaultKind.ACCESS_DENIED, first, "eu-west-1")
    assert percents(await auditing(estate, denied, extra=gaps(narrowed))) == (75, 75, 3)


async def test_what_was_read_in_part_can_be_accepted_and_stays_partial(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, planted=0.0)
    denied = Fault(FaultKind.ACCESS_DENIED, region="eu-west-1", page=2)
    seen = await auditing(estate, denied, extra=gaps({"account": estate.accounts[0].id}))
    assert percents(seen) == (50, 100, 0)
    assert seen.line(estate.accounts[0].id, "eu-west-1")["verdict"] == "partial"
    assert seen.line(estate.accounts[0].id, "eu-west-1")["accepted"]["owner"] == "platform"


async def test_where_all_is_accepted_and_nothing_was_read_nothing_is_covered(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    seen = await auditing(
        estate_of(1), Fault(FaultKind.ACCESS_DENIED), extra=gaps({"reason": "access-denied"})
    )
    assert percents(seen) == (0, 0, 3)
    assert seen.result.conditions[0].text == "coverage 0 % after accepted gaps is below 100 %"


async def test_the_percentage_after_accepted_gaps_is_held_to_the_minimum(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, planted=0.0)
    faults = (DENIED, Fault(FaultKind.ACCESS_DENIED, estate.accounts[0].id, "us-east-1"))
    extra = gaps({"region": "eu-*", "reason": "access-denied"})
    seen = await auditing(estate, *faults, extra=extra, options=RunOptions(min_coverage=66))
    assert percents(seen) == (33, 66, 0)
    seen = await auditing(estate, *faults, extra=extra, options=RunOptions(min_coverage=67))
    assert percents(seen) == (33, 66, 3)


async def test_an_accepted_gap_that_has_ended_no_longer_holds_and_is_reported(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    extra = gaps({"region": "eu-west-1", "until": day(-1)}, {"region": "us-*", "until": day(14)})
    seen = await auditing(estate_of(2, planted=0.0), DENIED, extra=extra)
    assert percents(seen) == (50, 50, 3)
    lists = seen.run["accepted_gaps"]
    assert [(entry["until"], entry["matched"]) for entry in lists["expired"]] == [(day(-1), 2)]
    assert [entry["region"] for entry in lists["unmatched"]] == ["us-*"]
    assert [entry["region"] for entry in lists["ending_soon"]] == ["us-*"]


async def test_an_accepted_gap_elsewhere_than_a_subset_is_not_called_unmatched(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    extra = gaps({"region": "eu-west-1"}, {"region": "us-east-1"}, {"reason": "throttled"})
    options = RunOptions(filters=Filters(regions=("us-east-1",)))
    seen = await auditing(estate_of(1, planted=0.0), extra=extra, options=options)
    lists = seen.run["accepted_gaps"]
    assert [entry["region"] for entry in lists["unmatched"]] == ["us-east-1"]
    assert [(entry["region"], entry["reason"]) for entry in lists["not_looked_at"]] == [
        ("eu-west-1", None),
        (None, "throttled"),
    ]


async def test_the_auditors_own_failures_are_covered_only_by_their_name(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, planted=0.0)
    options = RunOptions(deadline=timedelta(seconds=1))
    hang = Fault(FaultKind.HANG, region="eu-west-1")
    by_region = await auditing(estate, hang, extra=gaps({"region": "eu-west-1"}), options=options)
    assert percents(by_region) == (50, 50, 3)
    # It says nothing that no other reason was met there.
    assert len(by_region.run["accepted_gaps"]["not_looked_at"]) == 1
    by_name = await auditing(
        estate, hang, extra=gaps({"region": "eu-west-1", "reason": "deadline"}), options=options
    )
    assert percents(by_name) == (50, 100, 0)
