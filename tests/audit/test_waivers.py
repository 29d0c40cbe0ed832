"""Waivers, end to end: a waived finding is written, and does not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import RunOptions
from auditor.inventory import Filters
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.audit.conftest import Auditing, EstateMaker

GRAVE = "stale-failed-export"
TODAY = datetime.now(UTC).date()


def day(days: int) -> str:
    return (TODAY + timedelta(days=days)).isoformat()


def waivers(*each: dict[str, Any]) -> str:
    """The part of a configuration with these, one a line."""
    told = {"owner": "payments", "reason": "known", "ticket": "PAY-1", "until": day(60)}
    rows = [", ".join(f'{key}: "{value}"' for key, value in (told | narrowed).items()) for narrowed in each]
    return "waivers:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


def policies_of(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["policy"] for entry in entries]


async def test_a_waived_finding_is_written_with_its_waiver_and_does_not_fail_the_run(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    seen = await auditing(estate, extra=waivers({"policy": GRAVE}))

    assert seen.found == estate.truth
    waived = {"owner": "payments", "reason": "known", "ticket": "PAY-1", "until": day(60)}
    assert {each["policy"] for each in seen.findings} > {GRAVE}
    for finding in seen.findings:
        assert finding["waiver"] == (waived if finding["policy"] == GRAVE else None)
        assert finding["status"] == "untracked"
    count = sum(expected.policy == GRAVE for expected in estate.truth)
    assert seen.run["totals"]["findings"]["total"] == len(estate.truth)
    assert seen.run["totals"]["findings"]["waived"] == seen.run["waivers"]["covered"] == count > 0
    assert seen.run["waivers"] == {
        "total": 1,
        "covered": count,
        "expired": [],
        "unmatched": [],
        "not_looked_at": [],
        "ending_soon": [],
    }
    assert seen.result.exit_code == 0


async def test_a_waiver_of_one_resource_leaves_the_others(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(2)
    grave = sorted(expected.resource_arn for expected in estate.truth if expected.policy == GRAVE)

    seen = await auditing(estate, extra=waivers({"policy": GRAVE, "resource": grave[0]}))
    assert [each["resource_arn"] for each in seen.findings if each["waiver"]] == [grave[0]]
    assert seen.result.exit_code == 1
    assert f"{len(grave) - 1} finding(s) at or above high" in seen.result.conditions[0].text

    pattern = "*" + grave[0].rpartition(":")[2]
    seen = await auditing(estate, extra=waivers({"resource": pattern}))
    assert [each["resource_arn"] for each in seen.findings if each["waiver"]] == [grave[0]]


async def test_a_waiver_of_an_account_and_region_leaves_other_places(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    account = estate.accounts[0].id
    seen = await auditing(estate, extra=waivers({"account": account, "region": "us-*"}))
    assert {bool(each["waiver"]) for each in seen.findings} == {True, False}
    for finding in seen.findings:
        there = (finding["account_id"], finding["region"]) == (account, "us-east-1")
        assert (finding["waiver"] is not None) == there


async def test_an_expired_waiver_no_longer_holds_and_is_reported(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    seen = await auditing(estate, extra=waivers({"policy": GRAVE, "until": day(-1)}))

    count = sum(expected.policy == GRAVE for expected in estate.truth)
    assert all(finding["waiver"] is None for finding in seen.findings)
    assert seen.run["totals"]["findings"]["waived"] == 0
    assert seen.result.exit_code == 1
    lists = seen.run["waivers"]
    (expired,) = lists.pop("expired")
    assert expired | {"line": 0} == {
        "line": 0,
        "policy": GRAVE,
        "account": None,
        "region": None,
        "resource": None,
        "owner": "payments",
        "reason": "known",
        "ticket": "PAY-1",
        "until": day(-1),
        "matched": count,
    }
    assert lists == {"total": 1, "covered": 0, "unmatched": [], "not_looked_at": [], "ending_soon": []}


async def test_a_waiver_holds_through_its_last_day_and_is_announced_14_days_before(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1)
    ends = [
        {"policy": GRAVE, "until": day(0)},
        {"policy": "stuck-export", "until": day(13)},
        {"policy": "oversized-disk", "until": day(16)},
    ]
    seen = await auditing(estate, extra=waivers(*ends))
    assert all(finding["waiver"] for finding in seen.findings)
    assert policies_of(seen.run["waivers"]["ending_soon"]) == [GRAVE, "stuck-export"]
    assert seen.run["waivers"]["expired"] == []


async def test_a_waiver_that_matched_nothing_is_reported_where_all_was_looked_at(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, planted=0.0)
    first, second = (account.id for account in estate.accounts)
    extra = waivers({"policy": GRAVE, "account": first}, {"account": second})

    whole = await auditing(estate, extra=extra)
    assert [each["account"] for each in whole.run["waivers"]["unmatched"]] == [first, second]
    assert whole.result.exit_code == 0

    # What could not be read may hold what the waiver is for.
    gap = await auditing(estate, Fault(FaultKind.ACCESS_DENIED, second, "eu-west-1"), extra=extra)
    assert [each["account"] for each in gap.run["waivers"]["unmatched"]] == [first]
    assert [each["account"] for each in gap.run["waivers"]["not_looked_at"]] == [second]


@pytest.mark.parametrize(
    "filters",
    [Filters(policies=("stuck-export",)), Filters(regions=("us-east-1",)), Filters(accounts=("second",))],
    ids=["policy", "region", "account"],
)
async def test_a_subset_does_not_call_unmatched_what_it_did_not_look_at(
    auditing: Auditing, estate_of: EstateMaker, filters: Filters
) -> None:
    estate = estate_of(2, planted=0.0)
    first, second = (account.id for account in estate.accounts)
    if filters.accounts:
        filters = Filters(accounts=(second,))
    extra = waivers(
        {"policy": GRAVE, "account": first, "region": "eu-west-1"},
        {"policy": "stuck-export", "account": second, "region": "us-east-1"},
    )
    seen = await auditing(estate, extra=extra, options=RunOptions(filters=filters))
    assert policies_of(seen.run["waivers"]["not_looked_at"]) == [GRAVE]
    assert policies_of(seen.run["waivers"]["unmatched"]) == ["stuck-export"]


async def test_a_waiver_of_a_policy_that_is_switched_off_is_not_called_unmatched(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    extra = "policies:\n  oversized-disk: {enabled: false}\n" + waivers({"policy": "oversized-disk"})
    seen = await auditing(estate_of(1), extra=extra)
    assert policies_of(seen.run["waivers"]["not_looked_at"]) == ["oversized-disk"]


async def test_of_two_waivers_the_first_that_holds_is_shown_and_neither_is_unmatched(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1)
    extra = waivers(
        {"policy": GRAVE, "owner": "ended", "until": day(-1)},
        {"policy": GRAVE, "owner": "first"},
        {"policy": "stale-*", "owner": "second"},
    )
    seen = await auditing(estate, extra=extra)
    assert {each["waiver"]["owner"] for each in seen.findings if each["waiver"]} == {"first"}
    assert [each["owner"] for each in seen.run["waivers"]["expired"]] == ["ended"]
    assert seen.run["waivers"]["unmatched"] == []
