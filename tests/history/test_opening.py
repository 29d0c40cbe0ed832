"""A history that can't be used says so in one line: what is wrong, where, and what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from auditor.config import PostgreSQLStore, SQLiteStore
from auditor.errors import SinkError, UsageError
from auditor.history import Destination, migrations
from auditor.history.opening import opened as opened_store
from auditor.history.opening import opened_to_read
from auditor.history.reading import run_lines
from auditor.history.tables import HEAD, VERSION_TABLE, metadata
from tests.history.conftest import Night, Nights, finding, opened

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from auditor.history.opening import History


def _open(store: SQLiteStore | PostgreSQLStore) -> None:
    with opened(store):
        pass


def test_the_tables_are_those_that_the_migrations_make(store: SQLiteStore) -> None:
    with opened(store) as history, history.database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})

        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_that_the_program_knows() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__path__[0])))

    assert scripts.get_heads() == [HEAD]
    assert {each.revision for each in scripts.walk_revisions()} == {
        each.stem for each in (Path(migrations.__path__[0]) / "versions").glob("r*.py")
    }


def test_a_store_of_a_newer_auditor_is_refused_and_left_as_it_is(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    with sqlite3.connect(store.path) as database:
        database.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'r0009'")  # noqa: S608 -- our own name
    database.close()

    for use in (lambda: _open(store), lambda: opened_to_read(store).__enter__()):
        with pytest.raises(
            UsageError, match=r"made by a newer auditor \(its version is r0009, .* here r0002\)"
        ):
            use()


def test_tables_of_somebody_else_are_not_taken_for_a_history(store: SQLiteStore) -> None:
    with sqlite3.connect(store.path) as database:
        database.execute("CREATE TABLE events (id INTEGER)")
    database.close()

    with pytest.raises(UsageError, match=r"holds tables that are not the auditor's \(events\)"):
        _open(store)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(store: SQLiteStore) -> None:
    with sqlite3.connect(store.path) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.close()
    before = store.path.read_bytes()

    for use in (lambda: _open(store), lambda: opened_to_read(store).__enter__()):
        with pytest.raises(
            UsageError, match=r"tables that are not the auditor's \(bookmarks\); name another"
        ):
            use()

    assert store.path.read_bytes() == before


def test_an_empty_file_is_a_history_that_is_yet_to_begin(nights: Nights, store: SQLiteStore) -> None:
    store.path.touch()

    assert len(nights(Night(found=[finding()]))) == 1


def test_a_new_file_is_its_owners_alone_and_one_that_was_there_stays_as_it_is(
    nights: Nights, store: SQLiteStore
) -> None:
    nights(Night(found=[finding()]))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.path.chmod(0o640)
    nights(Night(found=[finding()]))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o640


def test_a_history_without_one_of_its_tables_is_refused(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    with sqlite3.connect(store.path) as database:
        database.execute("DROP TABLE outbox")
    database.close()

    with pytest.raises(UsageError, match="is damaged: it has no table outbox; restore it from a copy"):
        _open(store)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(store: SQLiteStore) -> None:
    store.path.write_bytes(b"not a database, but a text of some length" * 100)

    with pytest.raises(UsageError, match="is no history, or is damaged; name another file"):
        _open(store)

    assert store.path.read_bytes().startswith(b"not a database")


def test_a_damaged_file_fails_with_words(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding(number) for number in range(300)]))
    whole = bytearray(store.path.read_bytes())
    whole[4096 * 2 :] = b"\xff" * (len(whole) - 4096 * 2)
    store.path.write_bytes(whole)

    with pytest.raises(UsageError, match="is damaged; restore it from a copy"):
        nights(Night())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE findings SET status = 'nwe'",
        "UPDATE findings SET status = 'resolved', unsaid = 1, resolution = 'gone', why = ''",
        "UPDATE documents SET body = x'7b'",
        """UPDATE documents SET body = CAST('{"waiver":null}' AS BLOB)""",
        "DELETE FROM documents",
    ],
)
def test_values_that_no_run_has_written_are_damage_and_nothing_is_told_from_them(
    nights: Nights, store: SQLiteStore, damage: str
) -> None:
    siem = Destination("siem")
    nights(Night(found=[finding()], destinations=(siem,)))
    with sqlite3.connect(store.path) as database:
        database.execute(damage)
    database.close()

    def night() -> None:
        with opened(store) as history:
            run = history.begin(nights.begun(Night(), 2))
            for _ in run.conclude(Night().look()):
                pass
            run.see([finding()])
            history.outbox.pending("siem", 1, now=0.0)

    with pytest.raises(SinkError, match="is damaged; restore it from a copy"):
        night()


def test_what_is_read_of_a_damaged_history_is_refused(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE runs SET targets = '{'")
    database.close()

    with pytest.raises(UsageError, match="is damaged"), opened_to_read(store) as history:
        run_lines(history.database, 1)


@pytest.mark.parametrize("name", ["x" * 300, "loop", "a-file/h"])
def test_what_can_be_no_file_is_refused_by_readers_too(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a-file").touch()

    with (
        pytest.raises(UsageError, match="can't be opened; look whether it is a file"),
        opened_to_read(SQLiteStore(tmp_path / name)),
    ):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing/h\.sqlite3.* can't be used: .*No such file or directory"):
        _open(SQLiteStore(tmp_path / "missing" / "h.sqlite3"))


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be opened; look whether"):
        _open(SQLiteStore(tmp_path))


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_can_not_be_written_to_is_told_by_who_may_not(
    nights: Nights, store: SQLiteStore, what: str
) -> None:
    nights(Night(found=[finding()]))
    store.path.chmod(0o444 if what == "file" else 0o666)
    folders = [store.path.parent, *store.path.parent.parents]
    before = [(folder, folder.stat().st_mode) for folder in folders if "pytest" in str(folder)]
    for folder, mode in before:
        folder.chmod(mode | 0o055)
    store.path.parent.chmod(0o777 if what == "file" else 0o555)
    store.path.with_name(f"{store.path.name}.lock").unlink()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(store.path)], capture_output=True, text=True, check=True
        )
    finally:
        for folder, mode in before:
            folder.chmod(mode)

    assert ended.stdout.startswith("UsageError the history ")
    assert "writable" in ended.stdout


def test_a_full_disk_fails_with_words_and_nothing_half_is_kept(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    with opened(store) as history:
        run = history.begin(nights.begun(Night(), 2))
        with history.database.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        history.database._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        history.database._connection.commit()

        with pytest.raises(SinkError, match="could not be written: the disk is full"):
            run.see([finding(number) for number in range(500)])
        with pytest.raises(SinkError, match="the disk is full"):
            run.see([finding()])

    with opened_to_read(store) as history, history.database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM findings")).scalar() == 1


def test_what_another_program_has_locked_fails_with_words(
    nights: Nights, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights(Night(found=[finding()]))
    monkeypatch.setattr("auditor.history.sqlite._BUSY_S", 0.05)
    other = sqlite3.connect(store.path, isolation_level=None)
    with opened(store) as history:
        run = history.begin(nights.begun(Night(), 2))
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(SinkError, match="is locked by another program; end it, and run again"):
            run.see([finding()])
    other.close()


def test_a_second_run_is_refused_and_told_who_is_at_it(store: SQLiteStore) -> None:
    with (
        opened(store, holder="run 20261125T010000Z-aabbccdd"),
        pytest.raises(
            UsageError, match=r"is in use by run 20261125T010000Z-aabbccdd, since 20\S+Z; wait until"
        ),
    ):
        _open(store)


def test_a_second_run_waits_as_long_as_it_is_told_to(store: SQLiteStore) -> None:
    with (
        opened(store),
        pytest.raises(UsageError, match=r"is in use after 0\.3 s by a test"),
        _waiting(store, 0.3),
    ):
        pass


def test_a_second_run_goes_on_as_soon_as_the_first_has_ended(store: SQLiteStore) -> None:
    began, opened_then = threading.Event(), threading.Event()

    def second() -> None:
        began.set()
        with _waiting(store, 30):
            opened_then.set()

    other = threading.Thread(target=second)
    with opened(store):
        other.start()
        assert began.wait(10)
        assert not opened_then.is_set()
    other.join(30)

    assert opened_then.is_set()


def test_a_lock_dies_with_its_process(store: SQLiteStore) -> None:
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom auditor.config import SQLiteStore\n"
        "from auditor.history.opening import opened\n"
        "with opened(SQLiteStore(Path(sys.argv[1])), holder='run of the dead'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(store.path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="run of the dead"):
            _open(store)
        holder.kill()
        holder.wait()

    _open(store)


def test_readers_need_no_lock_and_see_what_is_there(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    with opened(store) as history:
        run = history.begin(nights.begun(Night(), 2))
        with opened_to_read(store) as reader, reader.database.transaction() as reading:
            assert reading.execute(text("SELECT count(*) FROM findings")).scalar() == 1
            run.see([finding(2)])
            assert reading.execute(text("SELECT count(*) FROM findings")).scalar() == 1


def test_there_is_nothing_to_read_before_the_first_run(store: SQLiteStore) -> None:
    with (
        pytest.raises(UsageError, match=r"there is no history at .* yet; the first run makes it"),
        opened_to_read(store),
    ):
        pass

    assert not store.path.exists()


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    store = PostgreSQLStore(
        "postgresql://auditor:canary@127.0.0.1:1/audit", "postgresql://auditor@127.0.0.1:1/audit"
    )

    with pytest.raises(UsageError, match=r"postgresql://auditor@127\.0\.0\.1:1/audit") as caught:
        _open(store)

    assert "canary" not in str(caught.value)
    assert "refused" in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(UsageError, match=r"install it: pip install '\.\[postgresql\]'"):
        _open(PostgreSQLStore("postgresql://h/db", "postgresql://h/db"))


def test_nothing_of_the_history_is_imported_where_there_is_none() -> None:
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "auditor", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
    ).stderr
    audit = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import auditor.audit, auditor.history"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr

    for name in ("sqlalchemy", "alembic", "psycopg"):
        assert f" {name}\n" not in imported
        assert f" {name}\n" not in audit
    assert " auditor.history\n" in audit


# Root may write to anything: the attempt is made by somebody else, who may not even read where Python is.
_AS_NOBODY = """
import os, sqlalchemy.dialects.sqlite, sys
from pathlib import Path
from auditor.config import SQLiteStore
from auditor.errors import AuditorError
from auditor.history.opening import opened
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with opened(SQLiteStore(Path(sys.argv[1])), holder="test"):
        pass
except AuditorError as error:
    print(type(error).__name__, error)
"""


def _waiting(store: SQLiteStore, seconds: float) -> AbstractContextManager[History]:
    return opened_store(store, holder="the second", wait_s=seconds)
