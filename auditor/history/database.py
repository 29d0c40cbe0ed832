"""A history's one connection: its transactions, and its errors in words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from auditor.errors import SinkError
from auditor.history.documents import Damaged
from auditor.history.faults import told, told_of_damage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from auditor.errors import AuditorError


class Database:
    """One connection; used by one thread at a time."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        secrets: tuple[str, ...] = (),
        failure: type[AuditorError] = SinkError,
    ) -> None:
        """Take a connection that is open.

        :param failure: what is raised where the database fails.
        """
        self._connection = connection
        self.name = name
        self._secrets = secrets
        self._failure = failure
        self._broken: str | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do the block wholly, or not at all.

        :raises SinkError: where the database fails, or what it holds is damaged; it is not asked again then, since
            the lock may be lost with it. One that is open to be read alone raises `UsageError`.
        """
        if self._broken is not None:
            raise self._failure(self._broken)
        try:
            with self._connection.begin():
                yield self._connection
        except DBAPIError as error:
            self._broken = told(error, self.name, self._secrets)
            raise self._failure(self._broken) from error
        except Damaged as error:
            self._broken = told_of_damage(self.name)
            raise self._failure(self._broken) from error
