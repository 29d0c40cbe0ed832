"""How soon a request may leave, in virtual time: the event loop's clock jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.aws.pacing import SLOWEST, Bucket, Pace, Paces
from auditor.aws.retrying import TRIES, Retrying
from auditor.aws.slots import Slot
from auditor.errors import CallFailed
from auditor.model import Account, Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")
RATES = st.floats(0.01, 1000)
SMALL = 1e-6


class Jumping(selectors.SelectSelector):
    """Waits for nothing: whoever would wait has waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


def in_virtual_time(main: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run `main`, which is given the clock."""
    selector = Jumping()

    def clock() -> float:
        return selector.now

    loop = asyncio.SelectorEventLoop(selector)
    loop.time = clock  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(main(clock))
    finally:
        loop.close()


def account(number: int = 0, **limits: float) -> Account:
    return Account(f"{number:012}", None, "arn", None, "s", 3_600, ("us-east-1",), **limits)  # type: ignore[arg-type]


def slot_of(count: int = 1) -> Slot:
    return Slot(anyio.Semaphore(count))


def most_above(left: Sequence[float], rate: float) -> float:
    """How many more requests left in any span than 1 + rate × (span + 0.25)."""
    return max(
        end - begin + 1 - (1 + rate * (left[end] - left[begin] + 0.25))
        for begin in range(len(left))
        for end in range(begin, len(left))
    )


@given(RATES, st.lists(st.tuples(st.floats(0, 20), st.floats(0, 2)), min_size=1, max_size=40))
def test_no_more_requests_go_in_any_span_than_the_rate_and_what_is_saved_allow(
    rate: float, asked: list[tuple[float, float]]
) -> None:
    bucket, now, left = Bucket(rate, 0.0), 0.0, []
    for gap, late in asked:
        now += gap
        now += max(bucket.due_in(now), 0.0) + late
        bucket.take(now)
        left.append(now)

    assert most_above(left, rate) <= SMALL


@given(RATES, st.lists(st.floats(0, 0.25), min_size=2, max_size=60))
def test_where_there_is_enough_to_ask_nothing_is_withheld_though_timers_are_late(
    rate: float, lateness: list[float]
) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    for late in lateness:
        due = bucket.due_in(now)
        now += due + late if due > 0 else 0.0
        bucket.take(now)

    assert now <= (len(lateness) - 1) / rate + 0.25 + SMALL


@settings(max_examples=25, deadline=None)
@given(
    rate=st.floats(0.5, 100),
    regions=st.integers(1, 6),
    slots=st.integers(1, 8),
    latency=st.floats(0.001, 0.2),
)
def test_a_budget_is_kept_to_a_tenth_over_all_regions_however_many_wait(
    rate: float, regions: int, slots: int, latency: float
) -> None:
    requests = 60
    limited = account(max_requests_per_second=rate)

    async def main(clock: Callable[[], float]) -> list[float]:
        left: list[float] = []
        paces, places = Paces(clock), anyio.Semaphore(slots)

        async def read(region: str) -> None:
            async with Slot(places) as slot:
                for _ in range(requests):
                    await paces.of(limited, region).turn(slot)
                    left.append(clock())
                    await anyio.sleep(latency)

        async with anyio.create_task_group() as group:
            for number in range(regions):
                group.start_soon(read, f"region-{number}")
        return left

    left = in_virtual_time(main)

    assert most_above(left, rate) <= SMALL
    span = 10 / rate + 2.5
    for begin, first in enumerate(left):
        sent = sum(1 for at in left[begin:] if at <= first + span)
        assert sent <= 1.1 * rate * span + SMALL
    # Where it is limited neither by latency nor by slots.
    if slots >= regions and regions / latency >= 1.5 * rate:
        assert len(left) / (left[-1] - left[0]) >= 0.9 * rate


def test_those_that_wait_for_a_budget_leave_in_the_order_in_which_they_came() -> None:
    async def main(clock: Callable[[], float]) -> list[int]:
        order: list[int] = []
        paces, limited = Paces(clock), account(max_requests_per_second=2)

        async def one(number: int) -> None:
            await paces.of(limited, str(number)).turn(slot_of())
            order.append(number)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(one, number)
        return order

    assert in_virtual_time(main) == list(range(8))


def test_those_that_wait_for_slots_too_neither_leave_all_at_once_nor_are_overtaken() -> None:
    rate = 2.0

    async def main(clock: Callable[[], float]) -> list[tuple[float, str]]:
        left: list[tuple[float, str]] = []
        paces, places = Paces(clock), anyio.Semaphore(1)
        pace = paces.of(account(max_requests_per_second=rate), "us-east-1")

        async def one(name: str, slot: Slot, begins: float) -> None:
            await anyio.sleep(begins)
            async with slot:
                await pace.turn(slot)
                left.append((clock(), name))

        async with anyio.create_task_group() as group:
            group.start_soon(one, "first", slot_of(), 0)
            group.start_soon(one, "second", Slot(places), 0)
            group.start_soon(one, "third", Slot(places), 0.01)
            await anyio.sleep(0.02)
            async with Slot(places):  # had by a request that hangs
                group.start_soon(one, "fourth", slot_of(), 5)
                await anyio.sleep(10)
        return left

    left = in_virtual_time(main)
    assert [name for _, name in left] == ["first", "second", "third", "fourth"]
    assert left[1][0] - left[0][0] >= 10
    assert most_above([at for at, _ in left], rate) <= SMALL


@pytest.mark.parametrize("limit", ["max_requests_per_second", "max_requests_per_second_per_region"])
def test_who_waits_gives_the_slot_to_others(limit: str) -> None:
    async def main(clock: Callable[[], float]) -> tuple[float, float]:
        paces, places, begun = Paces(clock), anyio.Semaphore(1), clock()
        ended = {}

        async def read(reader: Account) -> None:
            async with Slot(places) as slot:
                pace = paces.of(reader, "us-east-1")
                for _ in range(4):
                    if pace.binds:
                        await pace.turn(slot)
                    await anyio.sleep(0.1)
            ended[reader.id] = clock() - begun

        async with anyio.create_task_group() as group:
            group.start_soon(read, account(1, **{limit: 0.5}))
            group.start_soon(read, account(2))
        return ended[account(1).id], ended[account(2).id]

    slow, other = in_virtual_time(main)
    assert slow == pytest.approx(6, abs=0.5)
    assert other == pytest.approx(0.5, abs=0.11)


def test_a_wait_that_is_cut_off_holds_up_nobody_and_takes_nothing() -> None:
    async def main(clock: Callable[[], float]) -> tuple[float, float, int]:
        paces, begun = Paces(clock), clock()
        limited = account(max_requests_per_second=0.1)
        places = anyio.Semaphore(1)
        async with Slot(places) as slot:
            await paces.of(limited, "us-east-1").turn(slot)
            with anyio.move_on_after(1):
                await paces.of(limited, "us-east-1").turn(slot)
            cut_off = clock() - begun
        async with Slot(places) as slot:
            await paces.of(limited, "eu-west-1").turn(slot)
        return cut_off, clock() - begun, places.value

    cut_off, second, free = in_virtual_time(main)
    assert cut_off == pytest.approx(1)
    assert second == pytest.approx(10, abs=0.3)
    assert free == 1


async def ask(pace: Pace, slot: Slot, seconds: float, clock: Callable[[], float]) -> list[float]:
    """Ask one after the other, with 10 ms in each answer, and return when each request left."""
    left, until = [], clock() + seconds
    while clock() < until:
        if pace.binds:
            await pace.turn(slot)
        left.append(clock())
        await anyio.sleep(0.01)
        if pace.binds:
            pace.answered()
    return left


def test_a_throttled_answer_halves_what_was_sent_and_answers_raise_it_by_one_a_second() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        pace = Paces(clock).of(account(), "us-east-1")
        async with slot_of() as slot:
            assert len(await ask(pace, slot, 1, clock)) == pytest.approx(100, abs=1)
            pace.throttled(took=0.05)
            rates = [pace.rate]
            for _ in range(2):
                await ask(pace, slot, 5, clock)
                rates.append(pace.rate)
            pace.throttled(took=0.01)
            rates.append(pace.rate)
            await ask(pace, slot, 300, clock)
            rates.append(pace.rate)
        return [rate for rate in rates if rate is not None]

    halved, after_5, after_10, again, at_last = in_virtual_time(main)
    assert halved == pytest.approx(10)
    assert after_5 == pytest.approx(15, abs=0.5)
    assert after_10 == pytest.approx(20, abs=0.5)
    assert again == pytest.approx(after_10 / 2)
    # 100 come one after the other: what holds nothing up rises no further.
    assert at_last == pytest.approx(100, abs=2)


@given(
    ceiling=st.none() | RATES,
    events=st.lists(st.one_of(st.just(None), st.floats(0.0, 30.0)), max_size=30),
)
@settings(deadline=None)
def test_a_pace_stays_below_its_ceiling_falls_by_half_and_rises_by_one_at_the_most(
    ceiling: float | None, events: list[float | None]
) -> None:
    limits: dict[str, Any] = {} if ceiling is None else {"max_requests_per_second_per_region": ceiling}
    least = min(SLOWEST, ceiling or SLOWEST)

    async def main(clock: Callable[[], float]) -> None:
        pace = Paces(clock).of(account(**limits), "us-east-1")
        async with slot_of() as slot:
            for took in events:
                await pace.turn(slot)
                before = pace.rate
                if took is None:
                    pace.answered()
                    assert pace.rate == before or (before or 0) < (pace.rate or 0) <= (before or 0) + 1
                else:
                    pace.throttled(took)
                    assert pace.rate is not None
                    assert pace.rate >= least
                    assert pace.rate == least or before is None or pace.rate <= before / 2
                assert ceiling is None or (pace.rate or 0) <= ceiling

    in_virtual_time(main)


def test_a_ceiling_holds_before_anything_was_throttled() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        pace = Paces(clock).of(account(max_requests_per_second_per_region=4), "us-east-1")
        async with slot_of() as slot:
            return await ask(pace, slot, 20, clock)

    left = in_virtual_time(main)
    assert len(left) == pytest.approx(81, abs=1)
    assert most_above(left, 4) <= SMALL


def test_a_region_that_is_throttled_slows_down_no_other_and_no_other_account() -> None:
    paces = Paces()
    paces.of(account(1), "us-east-1").throttled(took=0.1)

    assert paces.of(account(1), "us-east-1").rate == pytest.approx(5)
    assert not paces.of(account(1), "eu-west-1").binds
    assert not paces.of(account(2), "us-east-1").binds


def test_the_sources_of_an_account_and_region_have_one_pace_which_is_forgotten_at_their_end() -> None:
    paces = Paces()
    paces.of(account(), "us-east-1").throttled(took=0.1)
    assert paces.of(account(), "us-east-1").binds

    paces.ended(account(), "us-east-1")

    assert not paces.of(account(), "us-east-1").binds


def test_a_call_that_is_throttled_for_good_is_given_up_on_within_twenty_seconds_at_the_slowest_pace() -> None:
    async def main(clock: Callable[[], float]) -> tuple[list[float], float]:
        begun, left = clock(), []
        pace = Paces(clock).of(account(), "us-east-1")
        pace.throttled(took=60)
        async with slot_of() as slot:

            async def call() -> dict[str, Any]:
                await pace.turn(slot)
                left.append(clock())
                await anyio.sleep(0.1)
                pace.throttled(took=0.1)
                raise CallFailed(Failure(Reason.THROTTLED), transient=True)

            with pytest.raises(CallFailed):
                await Retrying(slot)(call)
        return left, clock() - begun

    left, took = in_virtual_time(main)
    assert len(left) == TRIES
    assert min(after - before for before, after in pairwise(left)) >= 1 / SLOWEST - SMALL
    assert took < 20
