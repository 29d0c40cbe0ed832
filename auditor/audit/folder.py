"""The run's folder: chosen and tried before the first call, made when there is something to put in it."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import SinkError, UsageError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

OWN_FILES = ("run.json", "findings.jsonl", "coverage.jsonl")
"""What every run's folder holds."""
CHECKPOINT = "checkpoint.jsonl"
"""What it holds beside until the run is done."""
_PRIVATE = 0o700
"""Findings tell what is public, and the evidence all that AWS said: who else may read them is their owner's choice."""


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and that no other run has."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def choose_folder(asked: Path | None, run_id: str) -> Path:
    """Return the folder that the run will write to, which may not exist yet.

    :raises UsageError: where a run stands in it, or nothing can be written there.
    """
    folder = asked or Path("runs") / run_id
    name = shown(str(folder))
    try:
        _check(folder, name)
    except OSError as error:  # a name that is too long, or a folder that can't be looked into
        raise UsageError(f"-o {name}: {error.strerror}; name another folder") from error
    return folder


def _check(folder: Path, name: str) -> None:
    if "\0" in str(folder):
        raise UsageError(f"-o {name}: no file's name holds a NUL; name another folder")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {name}: is no folder; name one that is empty or does not exist")
    if (folder / CHECKPOINT).exists():
        raise UsageError(
            f"-o {name}: holds a run that was not done; go on with it by --resume {name}, or name another folder"
        )
    for file in (*OWN_FILES, *(f"{file}.part" for file in OWN_FILES)):
        if (folder / file).exists():
            raise UsageError(
                f"-o {name}: holds a run already ({file}); name another folder, or move that one away"
            )
    standing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        raise UsageError(f"-o {name}: can't be written to; make it writable, or name another folder")


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and take away again what was made where the block can't open what is to stand in it.

    :raises UsageError: where either can't be done.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {shown(str(folder))}: can't be made: {error.strerror}") from error
    try:
        yield
    except SinkError as error:
        for place in missing:
            place.rmdir()
        raise UsageError(f"can't be written to: {error}") from error
