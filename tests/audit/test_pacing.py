"""How fast, in what order, and how no account pays for another's throttling."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from auditor.audit import RunOptions
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.simulator.endpoint import Call
    from tests.audit.conftest import Auditing, EstateMaker

FOUR = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")


def pages(calls: Iterable[Call]) -> list[Call]:
    return [call for call in calls if call.page is not None]


def of_the_role(calls: Iterable[Call], account: str) -> list[Call]:
    """All that was asked as the account's role, whatever came of it."""
    return [call for call in calls if call.account_id == account and call.operation != "AssumeRole"]


def most_open(calls: Iterable[Call], last_page: int) -> int:
    """The most targets that were begun and not at their last page at any moment."""
    begun: set[tuple[str | None, str | None]] = set()
    most = 0
    for call in pages(calls):
        begun.add((call.account_id, call.region))
        most = max(most, len(begun))
        if call.page == last_page and call.error is None:
            begun.discard((call.account_id, call.region))
    return most


@pytest.mark.parametrize("concurrency", [1, 5])
async def test_as_many_requests_are_in_flight_as_asked_for_and_no_more(
    auditing: Auditing, estate_of: EstateMaker, concurrency: int
) -> None:
    estate = estate_of(4, regions=FOUR, records_per_target=4)
    slow = Fault(FaultKind.LATENCY, operation=None, seconds=0.02)

    seen = await auditing(estate, slow, options=RunOptions(concurrency=concurrency))

    assert seen.max_in_flight == concurrency
    assert set(seen.reasons.values()) == {("complete", None)}


async def test_the_configuration_says_the_concurrency_where_the_command_does_not(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(4, regions=FOUR, records_per_target=4)
    slow = Fault(FaultKind.LATENCY, operation=None, seconds=0.02)

    seen = await auditing(estate, slow, extra="limits: {concurrency: 3}\n")

    assert seen.max_in_flight == 3


async def test_targets_start_in_turn_over_the_accounts_and_each_is_read_to_its_end_first(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, regions=FOUR)

    seen = await auditing(estate, options=RunOptions(concurrency=1))

    in_turn = [(account.id, region) for region in FOUR for account in estate.accounts]
    read = [(call.account_id, call.region, call.page) for call in pages(seen.calls)]
    assert read == [(*target, page) for target in in_turn for page in (1, 2, 3)]


async def test_only_so_many_targets_are_open_as_requests_are_in_flight(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(6, regions=FOUR)
    slow = Fault(FaultKind.LATENCY, seconds=0.01)

    seen = await auditing(estate, slow, options=RunOptions(concurrency=3))

    assert most_open(seen.calls, last_page=3) == 3


async def test_targets_that_wait_for_a_retry_let_others_begin(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(10, regions=FOUR)

    seen = await auditing(estate, Fault(FaultKind.THROTTLE, times=2), options=RunOptions(concurrency=2))

    assert set(seen.reasons.values()) == {("complete", None)}
    assert most_open(seen.calls, last_page=3) > 2
    assert seen.max_in_flight <= 2


async def test_but_not_all_of_them_at_once(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(75, regions=FOUR, records_per_target=1)

    seen = await auditing(estate, Fault(FaultKind.THROTTLE), options=RunOptions(concurrency=32))

    assert set(seen.reasons.values()) == {("failed", "throttled")}
    tries = Counter[tuple[str | None, str | None]]()
    most = 0
    for call in pages(seen.calls):
        tries[call.account_id, call.region] += 1
        most = max(most, sum(1 for count in tries.values() if count < 6))
    assert 32 < most <= 256


async def test_a_throttled_account_waits_by_itself(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(5)
    throttled = estate.accounts[0].id

    # As many requests in flight as the account has targets: one that kept its place would hold up all.
    seen = await auditing(estate, Fault(FaultKind.THROTTLE, throttled), options=RunOptions(concurrency=2))

    order = [call.account_id for call in pages(seen.calls)]
    others = [index for index, account in enumerate(order) if account != throttled]
    assert order[others[-1] + 1 :].count(throttled) >= 4
    for region in estate.regions:
        line = seen.line(throttled, region)
        assert (line["verdict"], line["reason"], line["requests"]) == ("failed", "throttled", 6)
    healthy = {place: verdict for place, verdict in seen.reasons.items() if place[0] != throttled}
    assert set(healthy.values()) == {("complete", None)}


async def test_the_retries_of_many_accounts_are_not_taken_from_one_purse(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    """botocore's own retries are a quota of 500 for a client, 5 for each: 90 roles and 180 pages are beyond it."""
    estate = estate_of(30, records_per_target=4)

    seen = await auditing(
        estate,
        Fault(FaultKind.THROTTLE, times=3),
        Fault(FaultKind.THROTTLE, operation="AssumeRole", times=3),
    )

    assert set(seen.reasons.values()) == {("complete", None)}
    assert {line["retries"] for line in seen.coverage} == {3}
    assert {line["throttles"] for line in seen.coverage} == {3}
    assert sum(call.fault is FaultKind.THROTTLE for call in seen.calls) == 270
    assert seen.found == estate.truth


async def test_a_budget_is_what_the_server_sees_of_an_account_over_all_its_regions(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    opt_in = "ap-southeast-3"  # which the second account has not enabled
    estate = estate_of(2, regions=(*FOUR, opt_in), records_per_target=80, page_size=4)
    other, limited = (account.id for account in estate.accounts)
    rate = 20.0

    seen = await auditing(
        estate,
        Fault(FaultKind.SERVICE_ERROR, limited, page=2, times=1),
        of_accounts={limited: {"max_requests_per_second": rate}},
    )

    reasons = dict(seen.reasons)
    assert reasons.pop((limited, opt_in)) == ("skipped", "region-not-enabled")
    assert set(reasons.values()) == {("complete", None)}
    came = [call.at for call in of_the_role(seen.calls, limited)]
    # 20 pages of four Regions, one of each asked for twice; one of the fifth, and two that say whether it is enabled.
    assert len(came) == 4 * 21 + 1 + 2
    for begin, first in enumerate(came):
        for end in range(begin, len(came)):
            # What is saved up for late timers, a second's tenth of it for the way to the server.
            assert end - begin + 1 <= 1 + 1.1 * rate * (came[end] - first) + 0.35 * rate
    in_time = [at for at in came if at >= came[0] + 1]
    assert len(in_time) / (in_time[-1] - in_time[0]) >= 0.9 * rate
    assert max(call.at for call in of_the_role(seen.calls, other)[:-1]) < came[-1] - 1


async def test_an_account_that_waits_for_its_budget_holds_up_no_other(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, regions=["us-east-1"])
    limited = estate.accounts[0].id

    seen = await auditing(
        estate, options=RunOptions(concurrency=1), of_accounts={limited: {"max_requests_per_second": 2}}
    )

    assert set(seen.reasons.values()) == {("complete", None)}
    order = [call.account_id for call in pages(seen.calls)]
    assert order[0] == order[-1] == limited
    assert order[1:-1].count(limited) == 1


@pytest.mark.parametrize("limit", ["max_requests_per_second", "max_requests_per_second_per_region"])
async def test_no_wait_outlasts_the_deadline(auditing: Auditing, estate_of: EstateMaker, limit: str) -> None:
    estate = estate_of(2, regions=["us-east-1"])
    limited, other = (account.id for account in estate.accounts)

    seen = await auditing(
        estate,
        options=RunOptions(deadline=timedelta(seconds=1)),
        of_accounts={limited: {limit: 0.01}},
    )

    assert seen.reasons == {
        (limited, "us-east-1"): ("partial", "deadline"),
        (other, "us-east-1"): ("complete", None),
    }
    assert len(of_the_role(seen.calls, limited)) == 1


async def test_a_region_that_is_throttled_slows_itself_down_and_is_read_to_its_end(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    """It may be asked 10 times a second, and would be asked some 40 times."""
    estate = estate_of(1, records_per_target=160, page_size=4)
    (account,) = (account.id for account in estate.accounts)
    slow = Fault(FaultKind.LATENCY, seconds=0.02)

    seen = await auditing(estate, slow, Fault(FaultKind.THROTTLE, region="us-east-1", above=10))

    assert set(seen.reasons.values()) == {("complete", None)}
    assert seen.found == estate.truth
    throttled, free = (seen.line(account, region) for region in ("us-east-1", "eu-west-1"))
    assert throttled["throttles"] > 0
    assert free["throttles"] == 0
    # Without a pace, a dozen or more of them are throttled.
    assert throttled["requests"] < 40 * 1.2
    assert (throttled["pages"], free["pages"], free["requests"]) == (40, 40, 40)
    last = {call.region: call.at for call in pages(seen.calls)}
    assert last["eu-west-1"] < last["us-east-1"] - 0.5


async def test_a_region_speeds_up_again_when_it_is_throttled_no_more(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, regions=["us-east-1"], records_per_target=92, page_size=4)
    slow = Fault(FaultKind.LATENCY, seconds=0.05)

    seen = await auditing(estate, slow, Fault(FaultKind.THROTTLE, page=2, times=2))

    assert set(seen.reasons.values()) == {("complete", None)}
    came = [call.at for call in pages(seen.calls) if call.error is None]
    gaps = [after - before for before, after in pairwise(came[3:])]
    assert len(gaps) == 19
    # A quarter of the 20 a second that were sent at first, and one more in each second.
    assert sum(gaps[:3]) > 0.4
    assert sum(gaps[-3:]) < 0.8 * sum(gaps[:3])
