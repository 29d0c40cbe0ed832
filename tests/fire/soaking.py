"""A soak: night after night in one process, beside one run that is as long as all of them, and what that costs.

The nights are over accounts that come and go, with a history and a receiver; the long run is so slow that its
sessions end many times before it does. What is measured is measured between two nights, when nothing but the long
run is under way.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import structlog

import auditor
from tests.fire.leftovers import open_files
from tests.fire.night import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anyio.abc import TaskStatus

    _Logs = dict[str, list[dict[str, Any]]]

ROOT = Path(__file__).resolve().parents[2]
GROWTH = 0.05
"""How much larger the last third's memory may be than the first third's, both by their median."""
LEAST_GROWTH_MB = 4.0
"""Or so much in 10^6 bytes, whichever is more: a process that has just begun is still filling its caches."""
WARM_UP = 0.1
"""The share of the samples, at the beginning, that is not looked at."""
SLACK = 2
"""How many more open files, threads or tasks the last third may have at the most: some are only now and then there."""
_RUN = "soak_run"
"""What says in a line of the log whose it is."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LONG_SHARE = 0.8
"""Of the soak that the long run takes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held between two nights."""

    at: float
    """Seconds after the beginning."""
    rss_mb: float
    """The resident set, in 10^6 bytes."""
    files: int
    """Open files and sockets."""
    threads: int
    tasks: int
    """Of the event loop."""
    nights: int

    @property
    def line(self) -> str:
        """All of it, for a table."""
        return (
            f"{self.at:7.0f} s  {self.nights:5d} nights  {self.rss_mb:7.1f} MB  {self.files:3d} files  "
            f"{self.threads:2d} threads  {self.tasks:2d} tasks"
        )


@dataclass(slots=True)
class Soaked:
    """What came of a soak."""

    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    exits: dict[int, int] = field(default_factory=dict)
    events: int = 0
    """Events that the receiver took."""
    most_due: int = 0
    """The most that were left over from a night for the next."""
    roles: int = 0
    """How often the long run assumed a role, and how often for each account on the average."""
    roles_of_an_account: float = 0.0
    long_seconds: float = 0.0
    """How long it took."""
    pages: int = 0
    """How many pages it asked for."""
    loud: int = 0
    """Warnings and errors in the logs."""


def verdict(samples: Sequence[Sample]) -> tuple[list[str], str]:
    """Return what grew, and the figures that say so or not, in a few lines."""
    settled = samples[int(len(samples) * WARM_UP) :]
    third = len(settled) // 3
    if third < 1:
        return ["too few nights to tell"], ""
    first, last = settled[:third], settled[-third:]
    before, after = (statistics.median(each.rss_mb for each in part) for part in (first, last))
    most = before + max(before * GROWTH, LEAST_GROWTH_MB)
    slope = statistics.linear_regression([s.at for s in settled], [s.rss_mb for s in settled]).slope * 3600
    held = {
        name: (max(getattr(s, name) for s in first), max(getattr(s, name) for s in last)) for name in _COUNTED
    }
    told = [
        f"memory: {before:.1f} MB in the first third, {after:.1f} MB in the last (at most {most:.1f})",
        f"its slope: {slope:+.1f} MB an hour",
        *(
            f"{name}: at most {one} in the first third, {other} in the last"
            for name, (one, other) in held.items()
        ),
    ]
    grew = [f"memory grew from {before:.1f} to {after:.1f} MB"] if after > most else []
    grew += [
        f"{name} grew from {one} to {other}" for name, (one, other) in held.items() if other > one + SLACK
    ]
    return grew, "\n".join(told)


_COUNTED = ("files", "threads", "tasks")


class _Other:
    """The process that has the estates: asked in a thread, one question at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def ask(self, what: str, **how: Any) -> dict[str, Any]:
        return await anyio.to_thread.run_sync(partial(self._ask, what, **how))

    def _ask(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **how}, default=str) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that has the estates has ended")
        told: dict[str, Any] = json.loads(answer)
        return told


@contextmanager
def _other(folder: Path, seed: int, lifetime: float) -> Iterator[_Other]:
    command = [sys.executable, "-m", "tests.fire.soak_estate", str(folder), str(seed), str(lifetime)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        try:
            yield _Other(process)
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def soak(*, seconds: float, lifetime: float, seed: int, tell: Callable[[Sample], None]) -> Soaked:
    """Soak the audit, and return what came of it.

    :param lifetime: seconds that credentials last.
    :param tell: told of each sample.
    """
    soaked = Soaked()
    with TemporaryDirectory(prefix="auditor-soak-") as name, _other(Path(name), seed, lifetime) as other:
        anyio.run(partial(_soak, soaked, Path(name), other, seconds, tell))
    return soaked


async def _soak(
    soaked: Soaked, folder: Path, other: _Other, seconds: float, tell: Callable[[Sample], None]
) -> None:
    logs: _Logs = {}
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            _sorted_into(logs),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    for name in list(os.environ):
        if name.startswith(("AWS_", "OTEL_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    began = time.monotonic()
    async with anyio.create_task_group() as group:
        # Every run reads the environment as it begins, and never again: one begins after the other.
        await group.start(partial(_long, soaked, folder, other, seconds * _LONG_SHARE, logs))
        number = 0
        while time.monotonic() - began < seconds:
            number += 1
            await _one(soaked, folder, other, number, logs)
            soaked.samples.append(_sample(time.monotonic() - began, number))
            tell(soaked.samples[-1])


def _sorted_into(logs: _Logs) -> Any:
    """Return what keeps each line of a log with the run that said it."""

    def keep(_: Any, __: str, event: dict[str, Any]) -> Any:
        logs[event.pop(_RUN)].append(event)
        raise structlog.DropEvent

    return keep


async def _one(soaked: Soaked, folder: Path, other: _Other, number: int, logs: _Logs) -> None:
    served = await other.ask("begin")
    run = folder / f"night-{number}"
    code = await _audited(served, run, logs)
    soaked.exits[code] = soaked.exits.get(code, 0) + 1
    soaked.loud += len(logs[run.name])
    told = await other.ask("end", folder=str(run), log=logs.pop(run.name), exit_code=code)
    soaked.wrong += [f"night {number}: {wrong}" for wrong in told["wrong"]]
    soaked.events += told["taken"]
    soaked.most_due = max(soaked.most_due, told["due"])
    for path in run.iterdir():
        path.unlink()
    run.rmdir()


async def _long(  # noqa: PLR0913 -- as above, and when it has begun
    soaked: Soaked,
    folder: Path,
    other: _Other,
    seconds: float,
    logs: _Logs,
    *,
    task_status: TaskStatus[None],
) -> None:
    began = time.monotonic()
    served = await other.ask("slow", seconds=seconds)
    run = folder / "slow"
    code = await _audited(served, run, logs, _Opened(task_status.started))
    soaked.loud += len(logs[run.name])
    told = await other.ask("end_slow", folder=str(run), log=logs.pop(run.name), exit_code=code)
    soaked.wrong += [f"the long run: {wrong}" for wrong in told["wrong"]]
    soaked.roles, soaked.pages = told["roles"], told["pages"]
    soaked.roles_of_an_account = told["roles"] / told["accounts"]
    soaked.long_seconds = time.monotonic() - began


class _Opened(auditor.Observer):
    """Says when a run has opened all that it needs."""

    def __init__(self, say: Callable[[], None]) -> None:
        self.ready = say  # type: ignore[method-assign]  # it is only called


async def _audited(
    served: Mapping[str, Any], run: Path, logs: _Logs, observer: auditor.Observer | None = None
) -> int:
    logs[run.name] = []
    structlog.contextvars.bind_contextvars(**{_RUN: run.name})
    os.environ.update({**served["environ"], KEY: "the-key-that-both-have"})
    config = auditor.load_config(served["config"])
    return (await auditor.run(config, auditor.RunOptions(folder=run), observer)).exit_code


def _sample(at: float, nights: int) -> Sample:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Sample(
        at,
        pages * _PAGE_BYTES / 1e6,
        len(open_files()),
        threading.active_count(),
        len(asyncio.all_tasks()),
        nights,
    )
