"""One writer at a time for a history in a file: a lock that the kernel lets go of when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.errors import UsageError
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOOK_AGAIN = 0.2
"""Seconds."""
_LONGEST_WORD = 300


@contextmanager
def file_lock(path: Path, holder: str, wait_s: float) -> Iterator[None]:
    """Hold the lock of the history at `path`: on a file beside it, which stays, and says who has it.

    :param holder: who is at it, in words for whoever is refused.
    :raises UsageError: where another has it, and does not let go of it in time.
    """
    beside = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(
            f"the history {shown(str(path))} can't be used: {shown(str(beside))}: {error.strerror}; "
            "make its folder writable, or name another place"
        ) from error
    try:
        take(lambda: _try(descriptor), lambda: _word(descriptor), str(path), wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}, since {rfc3339(datetime.now(UTC))}".encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def take(attempt: Callable[[], bool], who: Callable[[], str], name: str, wait_s: float) -> None:
    """Try until it succeeds.

    :param who: says who has the lock.
    :raises UsageError: once `wait_s` seconds are over.
    """
    until = time.monotonic() + wait_s
    while not attempt():
        left = until - time.monotonic()
        if left <= 0:
            waited = f" after {wait_s:g} s" if wait_s else ""
            raise UsageError(
                f"the history {shown(name)} is in use{waited} by {shown(who())}; wait until that has ended, "
                "or set history.wait"
            )
        time.sleep(min(_LOOK_AGAIN, left))


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _word(descriptor: int) -> str:
    # Whoever has just taken it may not have written yet.
    return os.pread(descriptor, _LONGEST_WORD, 0).decode("utf-8", "replace") or "another process"
