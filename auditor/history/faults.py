"""What went wrong in a database, in one line: what it was, and what to do. No password stands in it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from auditor.model import shown

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

_DAMAGED = "is damaged; restore it from a copy, or move it away to begin a new history"
_OF_SQLITE = {
    # sqlite.org/rescode.html: the first word of an extended code's name is the code itself.
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": "is no history, or is damaged; name another file, or move it away to begin a new history",
    "SQLITE_READONLY": "can't be written to; make the file and its folder writable, or name another place",
    "SQLITE_CANTOPEN": "can't be opened; look whether it is a file, and its folder exists and is writable",
    "SQLITE_PERM": "can't be opened; make the file and its folder writable, or name another place",
    "SQLITE_FULL": "could not be written: the disk is full; make room, and run again",
    "SQLITE_BUSY": "is locked by another program; end it, and run again",
    "SQLITE_LOCKED": "is locked by another program; end it, and run again",
    "SQLITE_IOERR": "could not be read or written: the disk or its file system failed, or is full; mend it, and run again",
}
_LONGEST = 300
"""Characters of what a server says."""


def told(error: DBAPIError, name: str, secrets: tuple[str, ...] = ()) -> str:
    """Return what `error` means for the history called `name`."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return f"the history {shown(name)} {_of_sqlite(cause)}"
    text = " ".join(str(cause).split())
    for secret in secrets:
        text = text.replace(secret, "***")
    said = shown(text)[:_LONGEST]
    if error.connection_invalidated:
        return f"the history {shown(name)} went away: {said}; look at the server, and run again"
    return f"the history {shown(name)} can't be used: {said}; mend that, and run again"


def told_of_damage(name: str) -> str:
    """Return what it means that the history called `name` holds what none has written to it."""
    return f"the history {shown(name)} {_DAMAGED}"


def _of_sqlite(cause: sqlite3.Error) -> str:
    # Errors of the module itself, such as that of a closed connection, have no code of SQLite's.
    code = "_".join(getattr(cause, "sqlite_errorname", "").split("_")[:2])
    return _OF_SQLITE.get(code, f"can't be used: {shown(str(cause))}; mend that, and run again")
