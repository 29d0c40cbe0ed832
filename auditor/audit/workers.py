"""What carries work to the workers of a run, as the crew knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


class Workers(Protocol):
    """What carries work to workers."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def patience(self) -> float:
        """Seconds to wait for a worker, or for whoever knows them, where there is none."""

    async def present(self) -> Collection[str]:
        """Return the addresses of the workers that there are.

        :raises WorkerLost: where that is not to be had.
        """

    async def call(
        self, function: Callable[..., Any], *arguments: Any, workers: Sequence[str]
    ) -> dict[str, Any]:
        """Call this on each of these workers, and return what each answers; an exception where it gave none."""

    def submit(self, number: int, function: Callable[..., Any], *arguments: Any, worker: str) -> Submitted:
        """Have this done by one worker, and by no other.

        :raises WorkerLost: where there is nobody who could have it done.
        """


class Submitted(Protocol):
    """Something that a worker does."""

    async def answer(self) -> Any:
        """Return what came of it.

        :raises WorkerLost: where nothing came of it.
        """

    def forget(self) -> None:
        """Let go of it."""
