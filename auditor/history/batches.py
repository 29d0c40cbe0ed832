"""Many rows with one statement, at nearly the cost of the driver alone.

SQLAlchemy prepares each row's parameters anew, which takes longer than SQLite takes to write it. Here a statement is
compiled once for a dialect, and the driver gets the rows as they are: text, bytes, numbers, booleans and None, which
every driver takes, and no enumerations, of which each driver thinks otherwise.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Delete, Dialect, Insert, Update

_COMPILED = "auditor.history.batches"
"""Where a connection keeps what was compiled for it."""


def write(
    connection: Connection, statement: Insert | Update | Delete, rows: Sequence[dict[str, Any]]
) -> None:
    """Run a statement, made once for the process, for each row; each row has a value for each of its parameters."""
    if not rows:
        return
    known = connection.info.setdefault(_COMPILED, {})
    if statement not in known:
        known[statement] = _compiled(statement, connection.dialect)
    text, arrange = known[statement]
    connection.exec_driver_sql(text, list(map(arrange, rows)) if arrange else list(rows))


def _compiled(
    statement: Insert | Update | Delete, dialect: Dialect
) -> tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]] | None]:
    compiled = statement.compile(dialect=dialect)
    if not compiled.positional:
        return compiled.string, None
    return compiled.string, itemgetter(*compiled.positiontup or ())
