"""A history that is kept in S3 between the runs, for machines whose disk does not last.

::

    async with open_objects(request_timeout=20, allow_http=False) as objects:
        fetched = await fetch(objects, config.history.store, folder)
    with open_history(History(fetched.store), holder=…) as history: ...
    async with open_objects(request_timeout=20, allow_http=False) as objects:
        await put_back(objects, fetched, keep=run_folder)
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auditor.aws.objects import LostRace
from auditor.config import S3Store, SQLiteStore
from auditor.errors import CallFailed, SinkError, UsageError
from auditor.model import shown

FILE = "auditor-history.sqlite3"
"""What the file is called beside the run, where it could not be put back."""


class _Objects(Protocol):
    async def read(self, bucket: str, key: str, to: Path) -> str | None: ...

    async def write(self, bucket: str, key: str, path: Path, etag: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A history as it was fetched."""

    origin: S3Store
    store: SQLiteStore
    """The local copy; its file is not there where S3 has none yet."""
    etag: str | None
    """What the object has to be still, when the copy is put back."""


async def fetch(objects: _Objects, store: S3Store, folder: Path) -> Fetched:
    """Fetch the history into `folder`, which is the caller's to take away.

    :raises UsageError: where S3 does not give it, or gives an object that is empty, which no run leaves.
    """
    path = folder / FILE
    try:
        etag = await objects.read(store.bucket, store.key, path)
    except (CallFailed, OSError) as error:
        raise UsageError(f"the history {shown(store.name)} can't be fetched: {_why(error)}") from error
    if etag is not None and not path.stat().st_size:
        raise UsageError(
            f"the history {shown(store.name)} is an empty object; restore it, or delete it to begin a new history"
        )
    return Fetched(store, SQLiteStore(path, f"{store.name} (its copy here)"), etag)


async def put_back(objects: _Objects, fetched: Fetched, *, keep: Path) -> None:
    """Put the copy in the place of what was fetched, once it is closed.

    :param keep: the folder that the copy is left in where that fails.
    :raises SinkError: where S3 does not take it, or another run has written meanwhile; S3 has then what it had.
    """
    origin = fetched.origin
    try:
        await objects.write(origin.bucket, origin.key, fetched.store.path, fetched.etag)
    except LostRace as error:
        why = "another run has written it meanwhile, and what that wrote stands; let one run end before the next begins"
        raise SinkError(kept(fetched, keep, why)) from error
    except (CallFailed, OSError) as error:
        raise SinkError(kept(fetched, keep, _why(error))) from error


def kept(fetched: Fetched, keep: Path, why: str) -> str:
    """Leave the copy in the folder `keep`, in the place of no other, and say so, with why it was not put back."""
    text = f"the history {shown(fetched.origin.name)} was not put back: {why}"
    try:
        left = _copied(fetched.store.path, keep)
    except OSError as error:
        return f"{text}; nor could this run's copy be kept in {shown(str(keep))}: {error.strerror}"
    return f"{text}; this run's copy is kept in {shown(str(left))}"


def _copied(path: Path, folder: Path) -> Path:
    """Copy the file into a folder, in the place of no other: a history of that name may be there, and in use."""
    if path.parent == folder:
        return path
    to, number = folder / FILE, 1
    while True:
        try:
            with to.open("xb") as copy, path.open("rb") as whole:
                shutil.copyfileobj(whole, copy)
        except FileExistsError:
            number += 1
            to = folder / f"{Path(FILE).stem}.{number}{Path(FILE).suffix}"
        else:
            return to


def _why(error: CallFailed | OSError) -> str:
    return str(error) if isinstance(error, CallFailed) else (error.strerror or str(error))
