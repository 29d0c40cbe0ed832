"""Standard output and standard error, which may be closed, full, or of an encoding that can't say everything."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from auditor.errors import SinkError

_stuck = False


def expect_a_stuck_thread() -> None:
    """Take note that a thread waits for a reader that does not read: Python would wait for it at its exit."""
    global _stuck  # noqa: PLW0603 -- a process exits once
    _stuck = True


def prepare() -> None:
    """Let no character that an encoding can't hold end the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Write `text` to standard output.

    :raises SinkError: where it takes nothing.
    """
    if sys.stdout is None:
        raise SinkError("standard output: it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise SinkError(f"standard output: {error.strerror}") from error


def complain(text: str) -> None:
    """Write `text` to standard error, as far as that takes it: there is nowhere else to say that it does not."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def is_terminal() -> bool:
    """Say whether standard error is a terminal."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def leave(code: int) -> NoReturn:
    """End the process, and wait neither for a closed pipe nor for a thread that waits for a reader."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Python would try to flush it once more, complain, and exit with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if _stuck:
        os._exit(code)
    sys.exit(code)
