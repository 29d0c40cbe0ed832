"""Where output goes: a file that appears whole, or a stream that was there before."""

from __future__ import annotations

import os
import stat
import sys
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from auditor.errors import SinkError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

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
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = os.fdopen(os.open(self._aside, flags, 0o666), "wb")

    def write(self, data: bytes) -> None:
        """Add to it."""
        with self._failing():
            self._file.write(data)

    def finish(self) -> None:
        """Flush it to the disk and give it its name."""
        with self._failing():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
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

    def __init__(self, name: str, file: BinaryIO) -> None:
        super().__init__(name)
        self._file = file

    def write(self, data: bytes) -> None:
        """Add to it."""
        with self._failing():
            self._file.write(data)

    def finish(self) -> None:
        """Hand on what is still held back."""
        with self._failing():
            self._file.flush()

    def abandon(self) -> None:
        """Leave it as it is: it is not ours to close."""

    def discard(self) -> None:
        """Leave it as it is."""


def open_output(path: str) -> Output:
    """Open `path` for writing; `-` is standard output.

    :raises SinkError: where it can't be written.
    """
    if path == STDOUT:
        return Stream("standard output", sys.stdout.buffer)
    with _failing_as(path):
        place = Path(path)
        if place.exists() and not stat.S_ISREG(place.stat().st_mode):
            # A device or a pipe must be written to, not replaced by a file.
            return Stream(path, place.open("wb"))
        return WholeFile(place)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
