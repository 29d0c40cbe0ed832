"""A place for a request in flight, of which a run has a fixed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from typing import Self


class Slot:
    """One target's place among the requests in flight, given up whenever the target only waits.

    So an account that is throttled, and waits, slows down itself and no other.
    """

    __slots__ = ("_held", "_places")

    def __init__(self, places: anyio.Semaphore) -> None:
        self._places = places
        self._held = False

    async def acquire(self) -> None:
        """Wait for a place, where none is held."""
        if not self._held:
            await self._places.acquire()
            self._held = True

    def release(self) -> None:
        """Give the place up, where it is held."""
        if self._held:
            self._held = False
            self._places.release()

    async def pause(self, seconds: float) -> None:
        """Wait without a place, and take one again."""
        self.release()
        await anyio.sleep(seconds)
        await self.acquire()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
