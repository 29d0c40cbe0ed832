"""Where output goes: a file that appears whole, or a stream that was there before."""

from __future__ import annotations

import os
import stat
import sys
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import SinkError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    class Writable(Protocol):
        """What bytes are written to: how many it took comes back, or None where it took none."""

        def write(self, data: memoryview, /) -> int | None:
            """Write some of it."""

        def close(self) -> None:
            """Let go of it."""


STDOUT = "-"


@contextmanager
def _failing_as(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkError(f"{shown(name)}: {error.strerror or error}") from error


class Output(ABC):
    """Takes bytes; every method raises `SinkError`, which names the place and what is wrong."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Add to it."""

    def sync(self) -> None:  # noqa: B027 -- what a stream was given can't be taken back, nor hastened
        """Bring to the disk what was written, where it goes to one."""

    @abstractmethod
    def finish(self) -> None:
        """Make it visible as what it is: complete."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of it: what was written stays, and can't be taken for complete."""

    @abstractmethod
    def discard(self) -> None:
        """Let go of it before anything was written to it, and leave nothing behind."""

    def _failing(self) -> AbstractContextManager[None]:
        return _failing_as(self.name)


class WholeFile(Output):
    """Written aside under the name `….part`, flushed to the disk, then renamed: so it is never seen half."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._aside = path.with_name(f"{path.name}.part")
        with self._failing():
            self._aside.unlink(missing_ok=True)
            # Unbuffered: what comes is large already, and nothing is left to be written when it is closed.
            self._file = self._aside.open("xb", buffering=0)

    def write(self, data: bytes) -> None:
        """Add to it."""
        with self._failing():
            _write_all(self._file, data)

    def sync(self) -> None:
        """Flush it to the disk."""
        with self._failing():
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Flush it to the disk and give it its name."""
        with self._failing():
            with self._file:
                os.fsync(self._file.fileno())
            self._aside.replace(self._path)
            _sync_folder(self._path.parent)

    def abandon(self) -> None:
        """Leave the file under its name aside."""
        with self._failing():
            self._file.close()

    def discard(self) -> None:
        """Take the file aside away."""
        with self._failing():
            self._file.close()
            self._aside.unlink()


class Stream(Output):
    """Standard output, a pipe or a device: written as it comes."""

    def __init__(self, name: str, file: Writable, *, ours: bool) -> None:
        super().__init__(name)
        self._file = file
        self._ours = ours
        """Whether it was opened here, and so is closed here."""

    def write(self, data: bytes) -> None:
        """Add to it."""
        with self._failing():
            _write_all(self._file, data)

    def finish(self) -> None:
        """Let go of it."""
        self.abandon()

    def abandon(self) -> None:
        """Let go of it."""
        with self._failing():
            if self._ours:
                self._file.close()

    def discard(self) -> None:
        """Let go of it."""
        self.abandon()


def open_output(path: str) -> Output:
    """Open `path` for writing; `-` is standard output.

    :raises SinkError: where it can't be written.
    """
    if path == STDOUT:
        if sys.stdout is None:
            raise SinkError("standard output: it is closed")
        # The raw file, or Python would try once more at its exit to write what a closed pipe did not take.
        buffer = sys.stdout.buffer
        return Stream("standard output", getattr(buffer, "raw", None) or buffer, ours=False)
    with _failing_as(path):
        place = Path(path)
        if place.exists() and not stat.S_ISREG(place.stat().st_mode):
            # A device or a pipe must be written to, not replaced by a file.
            return Stream(path, place.open("wb", buffering=0), ours=True)
        return WholeFile(place)


def _write_all(file: Writable, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
