"""A history in a database of a PostgreSQL server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from auditor.errors import UsageError
from auditor.history.locks import take
from auditor.model import how_to_install, shown

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from auditor.config import PostgreSQLStore

_LOCK = 0x4C534558
"""Which of the advisory locks of a database is ours; its second half is the schema's."""
_BUSY_MS = 30_000
"""How long a statement waits for whoever has locked a table, such as one who backs it up by hand."""
_LONGEST_NAME = 63
"""Bytes of an application's name (PostgreSQL, application_name)."""
_DEFAULTS = {
    "client_encoding": "utf8",
    "connect_timeout": "10",
    # A server that vanished without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def engine(store: PostgreSQLStore, who: str) -> tuple[Engine, tuple[str, ...]]:
    """Return what connects to the database, and what must not be shown.

    :param who: the name under which the server lists the connection.
    :raises UsageError: where the URL can't be read, or the driver is not installed.
    """
    try:
        url = make_url(store.url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise UsageError(
            f"the history {shown(store.name)}: no URL of PostgreSQL; write postgresql://USER@HOST/DATABASE"
        ) from None
    given = {**_DEFAULTS, "application_name": f"auditor {who}"[:_LONGEST_NAME]}
    url = url.update_query_dict({key: value for key, value in given.items() if key not in url.query})
    secrets = (str(url.password),) if url.password else ()
    try:
        made = create_engine(url, poolclass=NullPool)
    except ModuleNotFoundError:
        raise UsageError(
            f"the history {shown(store.name)}: the driver of PostgreSQL is not installed; "
            f"{how_to_install('postgresql')}"
        ) from None

    @event.listens_for(made, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {_BUSY_MS}")
        connection.commit()

    return made, secrets


def lock(connection: Connection, name: str, wait_s: float) -> None:
    """Take the lock of the history, which the server lets go of when the connection ends.

    :raises UsageError: where another has it, and does not let go of it in time.
    """

    def attempt() -> bool:
        with connection.begin():
            return bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK}, {_SCHEMA})")))

    def who() -> str:
        with connection.begin():
            row = connection.execute(text(_HOLDER)).first()
        # Another user's connection is listed without its name.
        if row is None or not row.application_name:
            return "another connection"
        return f"{row.application_name.removeprefix('auditor ')}, since {row.since}"

    take(attempt, who, name, wait_s)


_SCHEMA = "hashtext(current_schema())"
_HOLDER = f"""
    SELECT application_name, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = {_LOCK} AND objid::bigint = ({_SCHEMA}::bigint & 4294967295) AND granted
"""  # noqa: S608 -- nothing in it comes from outside
