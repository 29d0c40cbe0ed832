"""What a run must not leave behind: tasks, threads, open files and sockets, and files that are half written."""

from __future__ import annotations

import gc
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 1.0
"""Seconds that a thread which was told to end may take to do so."""


@dataclass(slots=True)
class Watched:
    """What was found, once the block has ended."""

    left: list[str] = field(default_factory=list)


def open_files() -> dict[int, str]:
    """Return what this process has open, by its number."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:
            continue  # the folder itself, while it was listed
    return found


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Look what is left of the block that was not there before it; what is collected late counts as left."""
    found, complaints = Watched(), []
    threads, files = set(threading.enumerate()), open_files()
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda args: complaints.append(_told(args))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Of those who never heard of it: aiobotocore's own dependencies, as they are imported.
            warnings.filterwarnings("default", category=DeprecationWarning)
            yield found
            gc.collect()
    finally:
        sys.unraisablehook = unraisable
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and _more(threads, files):
        time.sleep(0.01)
    found.left += [f"never awaited or closed: {complaint}" for complaint in complaints]
    found.left += _more(threads, files)
    found.left += [f"half a file: {path.relative_to(folder)}" for path in folder.rglob("*.part")]


def _more(threads: set[threading.Thread], files: dict[int, str]) -> list[str]:
    alive = [thread.name for thread in threading.enumerate() if thread not in threads]
    opened = [where for number, where in open_files().items() if files.get(number) != where]
    return [f"a thread: {name}" for name in alive] + [f"an open file: {where}" for where in opened]


def _told(args: Any) -> str:
    return f"{args.exc_value!r} in {args.object!r}"
