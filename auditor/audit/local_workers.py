"""Workers on this machine, for `--workers`: processes that Dask's LocalCluster starts, and that end with the run.

Imported only where it is asked for, as is `auditor.audit.dask_workers`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing import resource_tracker
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import dask
import structlog
from distributed import LocalCluster

from auditor.audit.dask_workers import SILENT, dask_client
from auditor.errors import UsageError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from multiprocessing.process import BaseProcess

    from auditor.audit.dask_workers import DaskWorkers

log = structlog.get_logger()

_PRELOAD = "auditor.audit.worker_process"
_CLOSE = 3.0
"""Seconds that closing may take."""
_LONGEST = 300
"""Characters of somebody else's message that are shown."""

_ALONE = {
    # On this machine nobody else watches the workers, and what does costs time: statistics, profiles, collectors.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.diagnostics.nvml": False,
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.http.routes": [],
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}


@asynccontextmanager
async def local_workers(count: int, run_id: str) -> AsyncIterator[DaskWorkers]:
    """Start this many worker processes on this machine, and end them with the block.

    :raises UsageError: where they can't be started.
    """
    with (
        _interrupted_alone(),
        TemporaryDirectory(prefix="auditor-workers-", ignore_cleanup_errors=True) as scratch,
        dask.config.set(_ALONE | {"temporary-directory": scratch}),
    ):
        others = set(multiprocessing.active_children())
        cluster: Any = LocalCluster(  # type: ignore[no-untyped-call]  # Any: it is not typed
            n_workers=count,
            threads_per_worker=2,  # no threads are used: so many shards it takes at once
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,
            local_directory=scratch,
            preload=[_PRELOAD],
            silence_logs=SILENT,
            asynchronous=True,
        )
        # A task of its own: a cluster whose start is cancelled half way can't be closed.
        starting = asyncio.ensure_future(_start(cluster))
        try:
            if error := await asyncio.shield(starting):
                text = shown(f"{type(error).__name__}: {error}")[:_LONGEST]
                raise UsageError(f"--workers: the workers could not be started: {text}") from error
            address = cluster.scheduler_address
            async with dask_client(address, "the workers of this machine", run_id) as workers:
                yield workers
        finally:
            with anyio.CancelScope(shield=True):
                await _close(cluster, starting, others)


async def _start(cluster: Any) -> Exception | None:
    """Start the workers; return why they could not be."""
    try:
        await cluster
    except Exception as error:  # noqa: BLE001 -- Dask hands on whatever ended a process as it began
        return error
    return None


async def _close(cluster: Any, starting: asyncio.Future[Exception | None], others: set[BaseProcess]) -> None:
    """End the workers, and what started them.

    They hold nothing any more, and have been told so: they are killed, since one that is asked to close may take its
    time, and must not outlive the run.
    """
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
    with anyio.move_on_after(_CLOSE):
        try:
            _kill(others)
            while not starting.done():  # they may be about to start
                await asyncio.wait([starting], timeout=0.1)
                _kill(others)
            await cluster.close(timeout=_CLOSE)
        except Exception as error:  # noqa: BLE001 -- the workers are gone, whatever Dask stumbles over
            log.debug(
                "the workers' cluster was not closed in order", error=f"{type(error).__name__}: {error}"
            )
    _kill(others)


def _kill(others: set[BaseProcess]) -> None:
    for process in multiprocessing.active_children():
        if process not in others:
            with suppress(ValueError):  # it was closed in the meantime
                process.kill()


@contextmanager
def _interrupted_alone() -> Iterator[None]:
    """Keep SIGINT and SIGTERM from the processes that are started in this block, from their first moment on.

    Ctrl-C reaches every process of a terminal, and some supervisors end all that they started; the workers have to
    hand over what they have first. A process inherits what the thread blocks that starts it. One thread takes the
    signals meanwhile for this process.
    """
    # A helper of multiprocessing's, started with the first process, which lets its own thread take signals again.
    resource_tracker.ensure_running()
    done = threading.Event()
    taker = threading.Thread(target=done.wait, name="takes signals", daemon=True)
    taker.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        done.set()
        taker.join()
