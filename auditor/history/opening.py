"""A history is opened: locked, looked at, brought up to date, and closed."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from auditor.config import PostgreSQLStore, SQLiteStore
from auditor.errors import SinkError, UsageError
from auditor.history import postgresql, sqlite, upgrading
from auditor.history.database import Database
from auditor.history.faults import told
from auditor.history.locks import file_lock
from auditor.history.outbox import Outbox
from auditor.history.run import OpenRun
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from auditor.config import Store
    from auditor.history.looking import Begun


class History:
    """An open history; its calls block, and are made by one thread at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.outbox = Outbox(database.transaction)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.database.name

    def begin(self, run: Begun) -> OpenRun:
        """Begin a run, or go on with the one of this id.

        :raises UsageError: where another has begun since, it goes on and is not known, or the history fails already.
        """
        try:
            return OpenRun(self.database.transaction, run)
        except SinkError as error:
            raise UsageError(str(error)) from error  # nothing is lost yet: nothing was audited


@contextmanager
def opened(store: Store, *, holder: str, wait_s: float = 0) -> Iterator[History]:
    """Open the history for writing, made where there is none: nobody else writes until the block ends.

    :param holder: who is at it, in words for whoever comes meanwhile: `run 20261125T…`.
    :raises UsageError: where it can't be used, or another does not let go of it.
    """
    with ExitStack() as stack:
        if isinstance(store, SQLiteStore):
            stack.enter_context(file_lock(store.path, holder, wait_s))
        connection, secrets = stack.enter_context(_connected(store, holder, writing=True))
        with _usage(store, secrets):
            if isinstance(store, PostgreSQLStore):
                postgresql.lock(connection, store.name, wait_s)
            _bring_up_to_date(connection, store.name)
        yield History(Database(connection, store.name, secrets))


@contextmanager
def opened_to_read(store: Store) -> Iterator[History]:
    """Open the history without a lock: a run may be at it.

    :raises UsageError: where there is none, or it can't be used.
    """
    if isinstance(store, SQLiteStore) and _is_missing(store.path):
        raise UsageError(f"there is no history at {shown(store.name)} yet; the first run makes it")
    with _connected(store, "reader", writing=False) as (connection, secrets):
        with _usage(store, secrets), connection.begin():
            if not upgrading.check(connection, store.name):
                raise UsageError(
                    f"the history {shown(store.name)} is empty, or of an older auditor; the next run brings it up to date"
                )
        yield History(Database(connection, store.name, secrets, UsageError))


@contextmanager
def _connected(store: Store, who: str, *, writing: bool) -> Iterator[tuple[Connection, tuple[str, ...]]]:
    secrets: tuple[str, ...] = ()
    if isinstance(store, SQLiteStore):
        engine = sqlite.engine(store, writing=writing)
    elif isinstance(store, PostgreSQLStore):
        engine, secrets = postgresql.engine(store, who)
    else:
        raise TypeError(f"{store.name} has to be fetched first")
    try:
        with _usage(store, secrets):
            connection = engine.connect()
        try:
            yield connection, secrets
        finally:
            connection.close()
    finally:
        engine.dispose()


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # whatever is wrong with it is told as it is opened
    return False


@contextmanager
def _usage(store: Store, secrets: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise UsageError(told(error, store.name, secrets)) from error


def _bring_up_to_date(connection: Connection, name: str) -> None:
    with connection.begin():
        if not upgrading.check(connection, name):
            upgrading.upgrade(connection)
        upgrading.try_to_write(connection)
