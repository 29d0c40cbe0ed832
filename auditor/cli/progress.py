"""How far a run is: a live line on a terminal, a plain one now and then otherwise."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from auditor.audit import Observer
from auditor.cli.standard import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.audit import Progress

log = structlog.get_logger()


class QuietObserver(Observer):
    """Says nothing."""

    def ready(self) -> None:
        """Put what is loaded by now out of the garbage collector's sight: it stays as long as the run."""
        gc.freeze()


class LoggingObserver(QuietObserver):
    """Logs a line now and then."""

    interval = 10.0

    def progress(self, progress: Progress) -> None:
        """Log the progress."""
        log.info(
            "progress",
            done=progress.done,
            planned=progress.planned,
            findings=progress.findings,
            requests_per_s=round(_rate(progress), 1),
            left_s=_left(progress),
        )


class LiveObserver(QuietObserver):
    """Keeps one line of a terminal up to date."""

    interval = 0.25

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def progress(self, progress: Progress) -> None:
        """Show the progress."""
        left = _left(progress)
        time_left = "" if left is None else f", {left // 60}:{left % 60:02} left"
        text = (
            f"{progress.done}/{progress.planned} targets, {progress.findings} findings, "
            f"{_rate(progress):.0f} requests/s{time_left}"
        )
        self._show(text)


@contextmanager
def observer(*, quiet: bool) -> Iterator[Observer]:
    """Yield what tells of the progress on standard error in the way that suits it."""
    if quiet:
        yield QuietObserver()
    elif not is_terminal():
        yield LoggingObserver()
    else:
        with _live_line() as show:
            yield LiveObserver(show)


@contextmanager
def _live_line() -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    # Redrawn by the observer alone: a thread of its own would draw between the audit's steps.
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
        yield lambda text: live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


def _rate(progress: Progress) -> float:
    return progress.requests / progress.elapsed_s if progress.elapsed_s > 0 else 0.0


def _left(progress: Progress) -> int | None:
    """Return the seconds left if the rest goes as what is done went; None before anything is done."""
    if not progress.done:
        return None
    return round(progress.elapsed_s / progress.done * (progress.planned - progress.done))
