"""Where earlier runs are remembered: the key `history`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from auditor.config.nodes import Child, MappingNode, Scalar
from auditor.config.text import quoted
from auditor.config.values import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.config.entries import Document
    from auditor.config.faults import Faults

DEFAULT_FILE = "auditor-history.sqlite3"
"""Beside the configuration."""
STORES = (
    "a file's path, sqlite:///PATH, postgresql://USER@HOST/DATABASE or s3://BUCKET/KEY, "
    "or leave the key out for a file beside this one"
)

# Amazon S3 user guide, "General purpose bucket naming rules".
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024
"""Bytes (Amazon S3 user guide, "Naming Amazon S3 objects")."""
_SECRET_PARAMETERS = frozenset({"password", "sslpassword"})
"""What else of a URL of PostgreSQL's is secret (libpq, "Parameter Key Words")."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class SQLiteStore:
    """A file of SQLite's."""

    path: Path
    called: str | None = None
    """What it is called in messages, where that is not its path."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.called or str(self.path)


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


class _Unusable(ValueError):  # noqa: N818 -- says what is wrong with the text
    """Why a text names no store, and what to write instead; what may be secret in it is not shown."""


def history_of(document: Document, config_path: Path) -> History | None:
    """Return where a checked document has its history; None where it has none."""
    entry = document.history
    if entry is None:
        return None
    store = _store(DEFAULT_FILE if entry.store is None else entry.store, config_path.parent)
    return History(store, entry.wait or timedelta(0))


def check_history(root: MappingNode, config_path: Path, faults: Faults) -> None:
    """Note what is wrong with the store that a history names."""
    history = root.children.get("history")
    child = history.node.children.get("store") if history and isinstance(history.node, MappingNode) else None
    text = text_of(child.node) if child is not None else None
    if child is None or not text:
        return
    try:
        store = _store(text, config_path.parent)
    except _Unusable as fault:
        from_environment = isinstance(child.node, Scalar) and child.node.variables
        why = f"can't be used with what the environment holds; write {STORES}" if from_environment else fault
        faults.add(child.line, f"store of history {why}")
        return
    if isinstance(store, PostgreSQLStore):
        _check_password(child, store, faults)


def _check_password(child: Child, store: PostgreSQLStore, faults: Faults) -> None:
    from_environment = isinstance(child.node, Scalar) and child.node.variables
    if secrets_of(store.url) and not from_environment:
        faults.add(
            child.line,
            "store of history holds a password; write ${NAME} in its place and set NAME in the environment, or leave "
            "it to PGPASSWORD or a .pgpass file",
        )


def secrets_of(url: str) -> tuple[str, ...]:
    """Return what is secret in a URL of PostgreSQL's, as it is written there."""
    parts = urlsplit(url)
    given = [value for key, value in parse_qsl(parts.query) if key in _SECRET_PARAMETERS]
    return tuple(filter(None, (parts.password, *given)))


def _store(text: str, folder: Path) -> Store:
    """Return the store that `text` names; a relative path is one of `folder`.

    :raises _Unusable: where it names none.
    """
    match = _SCHEME.match(text)
    scheme, rest = (match[1].lower(), text[match.end() :]) if match else ("", text)
    if scheme in ("postgresql", "postgres"):
        return PostgreSQLStore(text, _postgresql_name(text))
    if scheme == "s3":
        return _s3(rest)
    if scheme == "sqlite":
        if not rest.startswith("/"):
            raise _Unusable(f"names no file; write sqlite:///PATH, or {quoted('sqlite:////absolute/path')}")
        return SQLiteStore(_file(rest[1:], folder))
    if scheme:
        raise _Unusable(f"is of an unknown kind, {quoted(scheme)}; write {STORES}")
    return SQLiteStore(_file(rest, folder))


def _file(path: str, folder: Path) -> Path:
    if not path or "\0" in path or path.endswith("/"):
        raise _Unusable(f"names no file; write {STORES}")
    return folder / path


def _s3(rest: str) -> S3Store:
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise _Unusable(f"names no bucket of S3, {quoted(bucket)}; write s3://BUCKET/KEY")
    if not key or key.endswith("/") or len(key.encode("utf-8", "surrogatepass")) > _LONGEST_KEY:
        raise _Unusable("names no object of S3; write s3://BUCKET/KEY, such as s3://audit/history.sqlite3")
    return S3Store(bucket, key)


def _postgresql_name(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise _Unusable("is no URL of PostgreSQL; write postgresql://USER@HOST/DATABASE") from None
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
