"""The outbox, asked from threads of which one at a time is at it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from auditor.delivery.dead_letters import DeadLetters
    from auditor.history import Due
    from auditor.history.outbox import Outbox

T = TypeVar("T")


class Store:
    """What is to be sent, and what became of it.

    A change that was begun is brought to its end, whatever is cancelled meanwhile: what a receiver has taken is then
    noted, and not sent again. Each method raises `SinkError` where the history fails.
    """

    def __init__(self, outbox: Outbox, dead_letters: DeadLetters) -> None:
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._one = anyio.CapacityLimiter(1)

    @staticmethod
    def now() -> float:
        """Return the seconds since the epoch, by which the outbox waits."""
        return time.time()

    async def pending(self, destination: str, limit: int, after: int) -> list[Due]:
        """Return what is to be sent to a destination now, in order, from beyond a position."""
        return await self._ask(lambda: self._outbox.pending(destination, limit, now=self.now(), after=after))

    async def left(self) -> dict[str, int]:
        """Return how many events each destination has not taken yet."""
        return await self._ask(self._outbox.left)

    async def acknowledge(self, destination: str, positions: Collection[int]) -> None:
        """Take out what the destination has taken."""
        await self._change(lambda: self._outbox.acknowledge(destination, positions))

    async def refuse(self, destination: str, refused: Sequence[tuple[Due, str]], at: str) -> None:
        """Write down what the destination will never take, and take it out."""

        def bury() -> None:
            self._dead_letters.write(destination, refused, at)
            self._outbox.refuse(destination, [due.position for due, _ in refused])

        await self._change(bury)

    async def postpone(
        self, destination: str, positions: Collection[int], *, not_before: float, error: str
    ) -> None:
        """Note that this was tried in vain, and when it may be tried again: seconds since the epoch."""
        await self._change(
            lambda: self._outbox.postpone(destination, positions, not_before=not_before, error=error)
        )

    async def _change(self, act: Callable[[], None]) -> None:
        with anyio.CancelScope(shield=True):
            await self._ask(act)

    async def _ask(self, act: Callable[[], T]) -> T:
        return await to_thread.run_sync(act, limiter=self._one)
