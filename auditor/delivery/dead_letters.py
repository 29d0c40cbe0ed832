"""Dead letters: events that a receiver has refused for good, written down with its reason before they are let go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson

from auditor.delivery.appending import FLAGS, append
from auditor.errors import SinkError
from auditor.formats import encoded_line
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
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
            descriptor = os.open(self.path, FLAGS, 0o666)
            try:
                append(descriptor, self.path, lines)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SinkError(f"{shown(str(self.path))}: {error.strerror or error}") from error


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
