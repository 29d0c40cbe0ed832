"""How soon the next request may leave: a pace for each account and Region, and a budget for each account.

A pace follows what AWS says, additive increase and multiplicative decrease: a throttled answer halves it, and from
then on it rises by one request a second in each second, to the ceiling that is set. Until AWS throttles, and where
neither ceiling nor budget is set, nothing is counted. None of this tries a call again: that is `auditor.aws.retrying`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from auditor.aws.slots import Slot
    from auditor.model import Account

T = TypeVar("T")

SLOWEST = 1.0
"""Requests a second that throttling leaves to an account and Region; a call that fails again waits longer by itself."""
_RISE = 1.0
"""Requests a second that a pace gains in each second in which it was what held the requests up."""
_SAVED = 0.25
"""Seconds' worth of requests that may leave late, at once: what timers and waiting for a slot cost is made up for."""


class Bucket:
    """Lets `rate` requests a second go: in any span of s seconds at most 1 + rate × (s + 0.25).

    So it is exact to a tenth in every span of at least 10 ÷ rate + 2.5 seconds.
    """

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float, *, full: bool = True) -> None:
        self.rate = rate
        """Requests a second."""
        self._tokens = self._most if full else 0.0
        self._at = now

    @property
    def _most(self) -> float:
        return 1.0 + _SAVED * self.rate

    def due_in(self, now: float) -> float:
        """Return the seconds until the next request may go; zero or less where it may now."""
        self._fill(now)
        return (1.0 - self._tokens) / self.rate

    def take(self, now: float) -> None:
        """Take note that a request goes. One that goes early is made up for by those after it."""
        self._fill(now)
        self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        self._tokens = min(self._most, self._tokens + (now - self._at) * self.rate)
        self._at = now


class Budget:
    """What all requests of one account share, in whatever Region and of whatever service: first come, first served."""

    __slots__ = ("_bucket", "_clock", "_queue")

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket = Bucket(rate, clock())
        self._queue = anyio.Lock()

    async def turn(self, slot: Slot) -> None:
        """Wait until a request may leave, which it does at once then."""
        if self._queue.locked() or self._bucket.due_in(self._clock()) > 0:
            slot.release()
            async with self._queue:
                await _until(self._bucket, self._clock)
                # Had again before the turn is taken: those that wait for slots would leave all at once.
                await slot.acquire()
                self._bucket.take(self._clock())
        else:
            self._bucket.take(self._clock())


class Pace:
    """The requests of one account and Region, which are made one after the other."""

    __slots__ = ("_bucket", "_budget", "_ceiling", "_clock", "_holds_up", "binds")

    def __init__(self, ceiling: float | None, budget: Budget | None, clock: Callable[[], float]) -> None:
        """Begin at the ceiling.

        :param ceiling: requests a second; None for as many as come one after the other.
        """
        self._clock = clock
        self._ceiling = ceiling
        self._budget = budget
        self._bucket = None if ceiling is None else Bucket(ceiling, clock())
        self._holds_up = False
        self.binds = ceiling is not None or budget is not None
        """Whether a request has to wait for its `turn`."""

    @property
    def rate(self) -> float | None:
        """Requests a second; None where nothing holds them up."""
        return None if self._bucket is None else self._bucket.rate

    async def turn(self, slot: Slot) -> None:
        """Wait until the next request may leave, without the slot."""
        bucket = self._bucket
        if bucket is not None:
            self._holds_up = bucket.due_in(self._clock()) > 0
            if self._holds_up:
                slot.release()
                await _until(bucket, self._clock)
                await slot.acquire()
            bucket.take(self._clock())
        if self._budget is not None:
            await self._budget.turn(slot)

    def answered(self) -> None:
        """Take note that AWS answered: the pace may rise, where it was what held the request up."""
        bucket = self._bucket
        if bucket is not None and self._holds_up:
            risen = bucket.rate + _RISE * min(1.0, 1.0 / bucket.rate)
            bucket.rate = risen if self._ceiling is None else min(risen, self._ceiling)

    def throttled(self, took: float) -> None:
        """Take note that AWS asked for fewer requests: half as many from now on as were sent until now.

        :param took: seconds from the request to its answer; no more requests than one in that time were sent.
        """
        sent = 1.0 / max(took, 1e-6)
        before = sent if self._bucket is None else min(sent, self._bucket.rate)
        least = SLOWEST if self._ceiling is None else min(SLOWEST, self._ceiling)
        self._bucket = Bucket(max(before / 2, least), self._clock(), full=False)
        self.binds = True


class Paces:
    """The paces and budgets of one run; a pace is kept for as long as its account and Region are read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paces: dict[tuple[str, str], Pace] = {}
        self._budgets: dict[str, Budget] = {}

    def of(self, account: Account, region: str) -> Pace:
        """Return the pace of an account and Region."""
        pace = self._paces.get((account.id, region))
        if pace is None:
            pace = Pace(account.max_requests_per_second_per_region, self._budget(account), self._clock)
            self._paces[account.id, region] = pace
        return pace

    def ended(self, account: Account, region: str) -> None:
        """Take note that nothing more is read of an account and Region."""
        self._paces.pop((account.id, region), None)

    async def call(self, account: Account, slot: Slot, function: Callable[[], Awaitable[T]]) -> T:
        """Ask an account what is asked for no target, such as which Regions it has enabled, within its budget."""
        budget = self._budget(account)
        if budget is not None:
            await budget.turn(slot)
        return await function()

    def _budget(self, account: Account) -> Budget | None:
        rate = account.max_requests_per_second
        if rate is None:
            return None
        budget = self._budgets.get(account.id)
        if budget is None:
            budget = self._budgets[account.id] = Budget(rate, self._clock)
        return budget


async def _until(bucket: Bucket, clock: Callable[[], float]) -> None:
    due = bucket.due_in(clock())
    if due > 0:
        await anyio.sleep(due)
