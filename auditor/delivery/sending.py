"""One destination's way through the outbox: batch by batch, until nothing is left or its time is over."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog

from auditor.delivery.batches import Batcher
from auditor.delivery.contract import Later, Refused, Taken, Undeliverable
from auditor.delivery.events import RUN
from auditor.delivery.lag import Lag
from auditor.errors import SinkError
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from auditor.delivery.contract import AnyDestination, Receipt
    from auditor.delivery.store import Store
    from auditor.history import Due

Job: TypeAlias = "Callable[[], Awaitable[None]]"
Together: TypeAlias = "Callable[[Sequence[Job]], Awaitable[None]]"

log = structlog.get_logger()

_LEAST_READ = 500
"""Events read at once, or as many as one batch takes: so many are in memory of each destination."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds."""
_LONGEST_ASKED = 300.0
"""Seconds of a receiver's Retry-After that are minded: one that asks for a week is asked again all the same."""
_SHORTEST_PAUSE = 0.01
_LOOK_AGAIN = 1.0
"""Seconds between two looks for what somebody else has postponed."""
_SHARE_OF_OTHERS = 0.75
"""How much of its time the event of a run waits for what is tried again before it."""
_LONGEST_WHY = 300
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the events of one destination."""

    destination: str
    taken: int
    refused: int
    """Refused for good: each is a dead letter."""
    left: int | None
    """Still in the outbox; None where the history failed, so that nobody knows."""
    why: str | None
    """Why the last event that was not taken was not."""
    undeliverable: int = 0
    """How many of those that were refused could be told nowhere."""
    lag_max_s: float | None = None
    """The longest that an event of these was under way, in seconds; None where none was taken."""
    lag_mean_s: float | None = None
    """The same on the average."""
    duration_s: float = 0.0
    """How long it was sent to."""

    @property
    def fault(self) -> str | None:
        """What is wrong, in words; None where all is well."""
        if not self.refused and self.left == 0:
            return None
        left = "an unknown number of" if self.left is None else self.left
        parts = [f"{left} event(s) left"] if self.left != 0 else []
        refused = self.refused - self.undeliverable
        counted = ((refused, "refused for good"), (self.undeliverable, "undeliverable"))
        parts += [f"{count} {how}, each in dead-letter.jsonl" for count, how in counted if count]
        return f"{self.destination}: {', '.join(parts)}" + (f": {self.why}" if self.why else "")


class Delivery:
    """Sends what is due to one destination.

    Of two events about one finding the second waits until the first is settled, and is never in one batch with it.
    The event of the run waits for what is tried again, as long as there is time, and goes last.
    """

    def __init__(
        self,
        destination: AnyDestination,
        store: Store,
        pause: Callable[[int], float] | None = None,
        together: Together | None = None,
    ) -> None:
        """Prepare to send.

        :param pause: returns the seconds to wait after so many failures in a row, from 1.
        :param together: does the lanes' jobs, so many at once; None does one after another.
        """
        self._destination = destination
        self._store = store
        self._pause = pause or _back_off
        self._together = together or _one_by_one
        self._name = destination.name
        self._batcher = Batcher(destination.limits, destination.lane, destination.say)
        self._at_once = max(_LEAST_READ, destination.limits.events)
        self._taken = 0
        self._refused = 0
        self._lag = Lag()
        self._undeliverable = 0
        self._failures: Counter[str | None] = Counter()
        """Lane → batches in a row of which nothing was settled."""
        self._leave_alone_until: dict[str | None, float] = {}
        """Lane → seconds since the epoch."""
        self._why: str | None = None
        self._again_at: dict[int, float] = {}
        """Position → when what was tried in vain may be tried again: seconds since the epoch."""
        self._whole: dict[int, Due] = {}
        """What was read last, by position, before anything of it was cut."""
        self._run_waits_until = math.inf
        """On the event loop's clock."""

    async def run(self, until: float) -> Report:
        """Send until nothing is left, or the event loop's clock says `until`."""
        now = anyio.current_time()
        self._run_waits_until = now + (until - now) * _SHARE_OF_OTHERS
        try:
            async with self._destination:
                with anyio.CancelScope(deadline=until) as scope:
                    await self._drain()
            if scope.cancelled_caught and self._why is None:
                self._why = "there was no time for more (drain)"
        except SinkError as error:
            self._why = str(error)
        except (
            Exception
        ) as error:  # a bug in one kind of destination must not keep the others from being told
            log.exception("internal error: a bug of the auditor", destination=self._name)
            self._why = f"a bug of the auditor: {type(error).__name__}"
        left = await self._left()
        return replace(self.so_far(self._why), left=left, duration_s=round(anyio.current_time() - now, 3))

    def so_far(self, why: str | None) -> Report:
        """Return what became of the events until now, where that is all there will be; what is left is not known."""
        return Report(
            self._name,
            self._taken,
            self._refused,
            None,
            why,
            self._undeliverable,
            self._lag.longest,
            self._lag.mean,
        )

    async def _left(self) -> int | None:
        try:
            return (await self._store.left()).get(self._name, 0)
        except SinkError as error:
            self._why = self._why or str(error)
            return None

    async def _drain(self) -> None:
        while True:
            sent, after = False, 0
            while due := await self._store.pending(self._name, self._at_once, after):
                after = due[-1].position
                sent |= await self._send_all(due)
            if not sent and not await self._wait():
                return

    async def _wait(self) -> bool:
        """Wait for what is postponed; say whether there is any."""
        if not (await self._store.left()).get(self._name, 0):
            return False
        # What an earlier run has postponed is not known here.
        soonest = min(self._again_at.values(), default=math.inf) - self._store.now()
        await anyio.sleep(min(max(soonest, _SHORTEST_PAUSE), _LOOK_AGAIN))
        return True

    async def _send_all(self, due: Sequence[Due]) -> bool:
        """Send these events, which follow one another; say whether there was one to send."""
        self._whole = {each.position: each for each in due}
        fit, unfit = self._batcher.fitted(due)
        if unfit:
            await self._bury(unfit)
        held: set[str] = set()
        """Findings of which something was not taken: what follows about them waits."""
        sent = bool(unfit)

        async def send_lane(lane: str | None, batches: Iterator[list[Due]]) -> None:
            nonlocal sent
            for batch in batches:
                rest = [each for each in batch if each.event.finding_id not in held and not self._waits(each)]
                if not rest or self._left_alone_for(lane):
                    continue
                sent = True
                held.update(await self._send(rest, lane))
                if lane is None:  # or others go on meanwhile
                    await anyio.sleep(self._left_alone_for(lane))

        for lanes in self._batcher.batches(fit):
            await self._together([partial(send_lane, *each) for each in lanes.items()])
        return sent

    def _left_alone_for(self, lane: str | None) -> float:
        """Return the seconds that a lane is to be left alone."""
        return max(self._leave_alone_until.get(lane, 0.0) - self._store.now(), 0.0)

    def _waits(self, due: Due) -> bool:
        return due.event.kind == RUN and bool(self._again_at) and anyio.current_time() < self._run_waits_until

    async def _send(self, batch: Sequence[Due], lane: str | None) -> set[str]:
        """Send a batch; return the findings of which something was not taken."""
        receipts = await self._asked(batch)
        if len(batch) > 1 and all(isinstance(each, Refused) and each.perhaps_spoiled for each in receipts):
            # One of them may have spoiled it for all.
            middle = len(batch) // 2
            return await self._send(batch[:middle], lane) | await self._send(batch[middle:], lane)
        taken: list[Due] = []
        refused: list[tuple[Due, str]] = []
        later: list[tuple[Due, Later]] = []
        for due, receipt in zip(batch, receipts, strict=True):
            match receipt:
                case Taken():
                    taken.append(due)
                case Refused(why):
                    refused.append((due, why))
                case Undeliverable(why):
                    refused.append((due, why))
                    self._undeliverable += 1
                case Later():
                    later.append((due, receipt))
        if taken:
            await self._store.acknowledge(self._name, [due.position for due in taken])
            self._taken += len(taken)
            self._lag.took(taken, self._store.now())
        if refused:
            await self._bury(refused)
        for due in (*taken, *(due for due, _ in refused)):
            self._again_at.pop(due.position, None)
        self._failures[lane] = 0 if taken or refused else self._failures[lane] + 1
        await self._put_off(later, lane)
        return {due.event.finding_id for due, _ in later if due.event.finding_id is not None}

    async def _asked(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        timeout = self._destination.settings.timeout.total_seconds()
        with anyio.move_on_after(timeout):
            return await self._destination.send(batch)
        return [Later(f"no answer within {timeout:g} s")] * len(batch)

    async def _put_off(self, later: Sequence[tuple[Due, Later]], lane: str | None) -> None:
        """Postpone what was not taken; where nothing was, leave the receiver, or its lane, alone until then."""
        alike: defaultdict[tuple[int, Later], list[Due]] = defaultdict(list)
        for due, receipt in later:
            alike[self._failures[lane] or due.attempts + 1, receipt].append(due)
        for (failures, receipt), these in alike.items():
            self._why = shown(receipt.why)[:_LONGEST_WHY]
            pause = max(self._pause(failures), min(receipt.after or 0.0, _LONGEST_ASKED))
            not_before = self._store.now() + pause
            positions = [due.position for due in these]
            await self._store.postpone(self._name, positions, not_before=not_before, error=self._why)
            self._again_at |= dict.fromkeys(positions, not_before)
            if self._failures[lane]:
                self._leave_alone_until[lane] = not_before
            log.warning(
                "not delivered yet",
                destination=self._name,
                events=len(these),
                why=self._why,
                again_in_s=round(pause, 1),
            )

    async def _bury(self, refused: Sequence[tuple[Due, str]]) -> None:
        told = [(self._whole[due.position], shown(why)[:_LONGEST_WHY]) for due, why in refused]
        await self._store.refuse(self._name, told, rfc3339(datetime.now(UTC)))
        self._refused += len(told)
        self._why = told[-1][1]
        log.error("refused for good", destination=self._name, events=len(told), why=self._why)


async def _one_by_one(jobs: Sequence[Job]) -> None:
    for job in jobs:
        await job()


def _back_off(failures: int) -> float:
    """Return a pause that grows with each failure, the half of it by chance: receivers are many senders' receivers."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 -- spreads load, guards nothing
