"""The version of a store: an older one is brought up to date, a newer one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, table, update
from sqlalchemy.sql.expression import column

from auditor.errors import UsageError
from auditor.history import migrations
from auditor.history.tables import HEAD, VERSION_TABLE, metadata
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_VERSION = table(VERSION_TABLE, column("version_num"))


def version(connection: Connection) -> str | None:
    """Return the revision that the store is at; None where there is no history in it yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_VERSION.c.version_num))


def check(connection: Connection, name: str) -> bool:
    """Say whether the store is at the version of this program; False where it has yet to be brought there.

    :raises UsageError: where it was made by a newer one, or holds something else than a history.
    """
    found = version(connection)
    there = set(inspect(connection).get_table_names())
    if found is None:
        # A database of a server may be several programs', a file is one's.
        others = there & set(metadata.tables) if connection.dialect.name == "postgresql" else there
        others -= {VERSION_TABLE}
        if others:
            raise UsageError(
                f"the history {shown(name)}: holds tables that are not the auditor's "
                f"({_listed(others)}); name another place"
            )
        return False
    if found != HEAD and found not in _revisions():
        raise UsageError(
            f"the history {shown(name)} was made by a newer auditor (its version is {shown(found)}, the newest known "
            f"here {HEAD}); use that auditor, or name another place"
        )
    if found == HEAD and (missing := set(metadata.tables) - there):
        raise UsageError(
            f"the history {shown(name)} is damaged: it has no table {_listed(missing)}; restore it from a copy, or "
            "move it away to begin a new history"
        )
    return found == HEAD


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the store to a revision, in the transaction that the connection is in."""
    # Half of the time that it takes to open a history, and needed once in its life.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def try_to_write(connection: Connection) -> None:
    """Change nothing, and fail where nothing may be changed: SQLite opens a file that is read-only all the same."""
    connection.execute(update(_VERSION).values(version_num=_VERSION.c.version_num))


def _listed(names: Iterable[str]) -> str:
    first, *rest = sorted(names)
    return shown(first) + (f" and {len(rest)} more" if rest else "")


def _revisions() -> set[str]:
    versions = Path(migrations.__path__[0]) / "versions"
    return {each.stem for each in versions.glob("r*.py")}
