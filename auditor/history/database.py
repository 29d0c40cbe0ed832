"""A history's one connection: its transactions, and its errors in words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from auditor.errors import SinkError
from auditor.history.faults import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


class Database:
    """One connection; used by one thread at a time."""

    def __init__(self, connection: Connection, name: str, secrets: tuple[str, ...] = ()) -> None:
        self._connection = connection
        self.name = name
        self._secrets = secrets
        self._broken: str | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do the block wholly, or not at all.

        :raises SinkError: where the database fails; it is not asked again then, since the lock may be lost with it.
        """
        if self._broken is not None:
            raise SinkError(self._broken)
        try:
            with self._connection.begin():
                yield self._connection
        except DBAPIError as error:
            self._broken = told(error, self.name, self._secrets)
            raise SinkError(self._broken) from error
