"""A history in a file of SQLite's."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from auditor.history.tables import VERSION_TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from auditor.config import SQLiteStore

_BUSY_S = 10.0
"""How long SQLite waits for whoever reads or delivers at the same time."""
_CACHE_KIB = 32 * 1024
_WAL_PAGES = 16 * 1024
"""Of 4 KiB: how long the log grows before it is worked into the file."""

_PRIVATE = 0o600
"""A new file is its owner's alone, and so are the log and the index that SQLite keeps beside it."""


def engine(store: SQLiteStore, *, writing: bool) -> Engine:
    """Return what connects to the file, which is made where it is to be written and is not there."""
    made = create_engine(
        "sqlite://", creator=lambda: _connect(store.path, writing=writing), poolclass=NullPool
    )

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        # Python's module would begin at the first change, when what was read before it may be stale.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return made


def _connect(path: Path, *, writing: bool) -> sqlite3.Connection:
    if writing:
        # What can't be made is told by SQLite, in its own words.
        with suppress(OSError, ValueError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE))
    url = f"file:{quote(os.fsencode(path.absolute()))}?mode={'rwc' if writing else 'rw'}"
    connection = sqlite3.connect(url, _BUSY_S, uri=True, isolation_level=None, check_same_thread=False)
    try:
        if writing:
            if _is_ours(connection):
                connection.execute("PRAGMA journal_mode = WAL")
            # What was told as delivered, or as resolved, must not be undone by a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Ids are spread all over their index: pages that are kept are written once for many of them.
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Say whether the file is a history, or is to become one: what is another program's is not written to."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return not tables or VERSION_TABLE in tables
