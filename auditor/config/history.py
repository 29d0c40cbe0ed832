"""Where earlier runs are remembered: the key `history`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SQLiteStore:
    """A file of SQLite's."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgreSQLStore:
    """A database of a PostgreSQL server."""

    url: str = field(repr=False)
    """With its password, and so shown nowhere."""
    name: str
    """What it is called in messages: the URL without what is secret in it."""


@dataclass(frozen=True, slots=True)
class S3Store:
    """A file of SQLite's that is kept in S3 between the runs."""

    bucket: str
    key: str

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"s3://{self.bucket}/{self.key}"


Store: TypeAlias = "SQLiteStore | PostgreSQLStore | S3Store"


@dataclass(frozen=True, slots=True)
class History:
    """Where earlier runs are remembered, and how long a run waits for another that is at it."""

    store: Store
    wait: timedelta = timedelta(0)
