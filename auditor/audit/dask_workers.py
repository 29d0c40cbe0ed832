"""Dask's workers: those behind somebody's scheduler, for `--dask`, and the way to all of them.

Imported only where it is asked for: distributed is an extra, and takes 0.5 s.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import dask
from dask.utils import parse_timedelta
from distributed import Client, Status

from auditor.errors import UsageError, WorkerLost
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

_PATIENCE = 30.0
"""Seconds to wait for a worker where there is none, unless Dask's own no-workers-timeout says otherwise."""
_CONNECT = 10.0
"""Seconds that a scheduler may take to answer."""
_ASK = 5.0
"""The same, once it has answered."""
_CLOSE = 3.0
"""Seconds that closing may take before it is done by force."""
_TALKATIVE = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")
"""Loggers for which Dask sets a level, and a handler of its own on standard error."""
SILENT = logging.CRITICAL + 1
"""Above all that Dask logs."""
_NO_ANSWER = "the scheduler did not answer"

_LONGEST = 300
"""Characters of somebody else's message that are shown."""


@asynccontextmanager
async def remote_workers(url: str, run_id: str) -> AsyncIterator[DaskWorkers]:
    """Open the way to the workers of a scheduler.

    :raises UsageError: where it does not answer, or has no workers.
    """
    async with dask_client(url, f"--dask {url}", run_id) as workers:
        try:
            await workers.client.wait_for_workers(1, timeout=workers.patience)
        except TimeoutError:
            raise UsageError(
                f"--dask {url}: no worker there within {workers.patience:g} s; start some: dask worker {url}"
            ) from None
        yield workers


@asynccontextmanager
async def dask_client(address: str, where: str, run_id: str) -> AsyncIterator[DaskWorkers]:
    """Open the way to a scheduler.

    :param where: what messages call its workers.
    :raises UsageError: where it does not answer.
    """
    timeout = min(_CONNECT, _seconds("distributed.comm.timeouts.connect") or _CONNECT)
    client: Any = Client(  # type: ignore[no-untyped-call]  # Any: it is not typed
        address, asynchronous=True, timeout=timeout, set_as_default=False
    )
    try:
        try:
            with warnings.catch_warnings():
                # That versions differ is looked at by ourselves, in words that say what matters.
                warnings.simplefilter("ignore")
                await client
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{where}: no scheduler answers: {shown(str(error))[:_LONGEST]}") from None
        patience = _seconds("distributed.scheduler.no-workers-timeout")
        yield DaskWorkers(client, where, run_id, _PATIENCE if patience is None else patience)
    finally:
        with anyio.move_on_after(_CLOSE, shield=True):
            await client.close()


def _seconds(name: str) -> float | None:
    """Return a duration that Dask's own configuration says; None where it says none."""
    told = dask.config.get(name)
    return None if told is None else float(parse_timedelta(told, default="s"))


def quieten() -> None:
    """Let Dask write nothing of its own on standard error, for good: what matters of it is said by ourselves."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(SILENT)


@dataclass(frozen=True, slots=True)
class DaskWorkers:
    """The workers of one scheduler."""

    client: Any
    where: str
    """What messages call them."""
    run_id: str
    patience: float
    """Seconds to wait for a worker where there is none."""

    async def present(self) -> frozenset[str]:
        """Return the addresses of the workers that there are.

        :raises WorkerLost: where the scheduler does not answer.
        """
        scheduler = self.client.scheduler
        if scheduler is None:  # while it connects anew
            raise WorkerLost(_NO_ANSWER)
        try:
            with anyio.fail_after(_ASK):
                told = await scheduler.identity()
        except (OSError, TimeoutError) as error:
            raise WorkerLost(_NO_ANSWER) from error
        return frozenset(
            address
            for address, each in told["workers"].items()
            if each["status"] in {Status.running.name, Status.paused.name}
        )

    async def call(
        self, function: Callable[..., Any], *arguments: Any, workers: Sequence[str]
    ) -> dict[str, Any]:
        """Call this on each of these workers, and return what each answers; an exception where it gave none."""
        if not workers:
            return {}
        try:
            answers: dict[str, Any] = await self.client.run(
                function, *arguments, workers=list(workers), on_error="return"
            )
        except Exception as error:  # noqa: BLE001 -- Dask lets through whatever its comms raise
            return dict.fromkeys(workers, error)
        return answers

    def submit(self, number: int, function: Callable[..., Any], *arguments: Any, worker: str) -> DaskTask:
        """Have this done by one worker, and by no other.

        :raises WorkerLost: where there is nobody who could have it done.
        """
        try:
            future = self.client.submit(
                function,
                *arguments,
                key=f"auditor-{self.run_id}-{number}",
                workers=[worker],
                allow_other_workers=False,
                pure=False,
            )
        except Exception as error:  # of Dask, whose way to the scheduler is closed
            raise WorkerLost(f"{type(error).__name__}: {error}") from error
        return DaskTask(future)


@dataclass(frozen=True, slots=True)
class DaskTask:
    """Something that a worker does."""

    future: Any

    async def answer(self) -> Any:
        """Return what came of it.

        :raises WorkerLost: where nothing came of it.
        """
        try:
            return await self.future
        except (
            Exception
        ) as error:  # what is ours is answered; these are Dask's own, of a worker that is no more
            raise WorkerLost(f"{type(error).__name__}: {error}") from error

    def forget(self) -> None:
        """Let go of it."""
        self.future.release()
