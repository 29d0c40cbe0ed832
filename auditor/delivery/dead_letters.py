"""Dead letters: events that a receiver has refused for good, written down with its reason before they are let go."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import SinkError
from auditor.formats import encoded_line
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path

    from auditor.history import Due

SCHEMA = "auditor.dead-letter/1"
FILE_NAME = "dead-letter.jsonl"


class DeadLetters:
    """A file of JSON lines, made with its first line and added to ever after."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def write(self, destination: str, refused: Sequence[tuple[Due, str]], at: str) -> None:
        """Add a line for each of these events, with why it was refused; they are on the disk afterwards.

        :param at: now, as RFC 3339.
        :raises SinkError: where that can't be done; the events are to stay where they are then.
        """
        lines = b"".join(encoded_line(_line(destination, due, why, at)) for due, why in refused)
        try:
            with self.path.open("a+b", buffering=0) as file:
                _add(file, lines)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise SinkError(f"{shown(str(self.path))}: {error.strerror or error}") from error


def _add(file: FileIO, lines: bytes) -> None:
    """Add these lines wholly, or not at all, and never to a line that a dying process has left half written."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            lines = b"\n" + lines
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            file.truncate(end)
        raise


def _line(destination: str, due: Due, why: str, at: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "destination": destination,
        "event_id": due.event.event_id,
        "kind": due.event.kind,
        "run_id": due.run_id,
        "refused_at": at,
        "reason": why,
        "event": orjson.loads(due.event.body),
    }
