"""How fast, in what order, and how no account pays for another's throttling."""

from __future__ import annotations

from collections import Counter
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
