"""Lines appended to a file that others may write to and rotate: each whole, and on the disk before it counts."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
"""How such a file is opened: read as well, to see how it ends."""


def append(descriptor: int, path: Path, lines: bytes) -> None:
    """Append these lines and flush them to the disk: all of them or, if it can be, none.

    :param descriptor: the file, opened with `FLAGS`.
    :raises BlockingIOError: where another process is at it.
    :raises OSError: where they can't be written.
    """
    # Held for this one write: a line of two writers would be nobody's.
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    before = os.fstat(descriptor).st_size
    if before and os.pread(descriptor, 1, before - 1) != b"\n":
        lines = b"\n" + lines  # whoever wrote the last line died of it
    rest = memoryview(lines)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
        if not before:
            _sync_folder(path.parent)
    except OSError:
        # A part of it would be in the way of the next attempt on a disk that is full. What can't be taken back is a
        # line that breaks off, which the next attempt ends.
        with suppress(OSError):
            if os.fstat(descriptor).st_size > before:
                os.ftruncate(descriptor, before)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
