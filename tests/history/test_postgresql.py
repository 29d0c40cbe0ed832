"""A history on a real PostgreSQL server: the same lives, one run at a time, and what a server may do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from auditor.config import PostgreSQLStore
from auditor.errors import SinkError, UsageError
from auditor.history import Destination
from auditor.history.opening import opened as opened_store
from auditor.history.opening import opened_to_read
from auditor.history.tables import VERSION_TABLE, metadata
from auditor.model import Status
from tests.history.conftest import Night, Nights, arn, finding, opened
from tests.history.servers import PASSWORD

if TYPE_CHECKING:
    from tests.history.servers import PostgreSQL

SPLUNK = Destination("splunk")


def test_a_finding_lives_in_postgresql_as_in_a_file(postgresql_store: PostgreSQLStore) -> None:
    nights = Nights(postgresql_store)
    hostile = finding(2, resource_arn="arn:\ud800\0", message="\0")
    found = Night(found=[finding(), hostile], destinations=(SPLUNK,))

    told = [nights(found), nights(found), nights(Night(read=frozenset({arn(1)})))]

    statuses = [{each.status for each in night.values()} for night in told]
    assert statuses == [{Status.NEW}, {Status.RECURRING}, {Status.RESOLVED}]
    with opened(postgresql_store) as history:
        due = history.outbox.pending("splunk", 10, now=0.0)
        assert [b'"status":"new"' in each.event.body for each in due] == [True, True, False, False]
        history.outbox.postpone("splunk", [due[0].position], not_before=100.0, error="503")
        assert history.outbox.pending("splunk", 10, now=50.0) == [due[1], due[3]]
        assert [each.said_at for each in due] == [nights.started(each) for each in (1, 1, 2, 2)]
        positions = [each.position for each in due]
        history.outbox.postpone("splunk", positions, not_before=100.0, error="It is away.")
        assert history.outbox.pending("splunk", 10, now=0.0) == []
        assert [each.position for each in history.outbox.pending("splunk", 10, now=math.inf)] == positions
        history.outbox.acknowledge("splunk", [each.position for each in due])
        assert history.outbox.left() == {}


def test_the_migrations_make_the_same_tables_there(postgresql_store: PostgreSQLStore) -> None:
    with opened(postgresql_store) as history, history.database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})

        assert compare_metadata(context, metadata) == []


def test_a_second_run_on_one_database_is_refused_and_told_who_is_at_it(
    postgresql_store: PostgreSQLStore,
) -> None:
    with (
        opened(postgresql_store, holder="run 20261125T010000Z-aabbccdd"),
        pytest.raises(
            UsageError, match=r"in use after 0\.1 s by run 20261125T010000Z-aabbccdd, since 20\S+Z"
        ),
        opened_store(postgresql_store, holder="second", wait_s=0.1),
    ):
        pass

    with opened(postgresql_store):
        pass


def test_a_wrong_password_is_told_and_not_shown(postgresql_store: PostgreSQLStore) -> None:
    wrong = PostgreSQLStore(postgresql_store.url.replace(PASSWORD, "a-wrong-canary"), postgresql_store.name)

    with pytest.raises(UsageError, match="password authentication failed") as caught, opened(wrong):
        pass

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("/history", "/nowhere"), 'database "nowhere" does not exist'),
        (("auditor:", "nobody:"), 'password authentication failed for user "nobody"'),
        (("127.0.0.1", "no-such-host.invalid"), "failed to resolve host"),
        (("/history", "/history?sslmode=require"), "server does not support SSL"),
        (("/history", "/history?nonsense=1"), 'invalid connection option "nonsense"'),
        (("/history", "/history?options=-cdefault_transaction_read_only=on"), "in a read-only transaction"),
    ],
)
def test_a_server_that_does_not_let_one_in_is_told_in_one_line(
    postgresql_store: PostgreSQLStore, change: tuple[str, str], why: str
) -> None:
    store = PostgreSQLStore(postgresql_store.url.replace(*change), postgresql_store.name)

    with pytest.raises(UsageError) as caught, opened(store):
        pass

    said = str(caught.value)
    assert said.startswith(f"the history {postgresql_store.name} can't be used: ")
    assert why in said
    assert said.endswith("; mend that, and run again")
    assert ("\n" in said, PASSWORD in said) == (False, False)


def test_a_table_that_another_has_locked_fails_in_time(
    postgresql_store: PostgreSQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = Nights(postgresql_store)
    nights(Night(found=[finding(1)]))
    monkeypatch.setattr("auditor.history.postgresql._BUSY_MS", 50)
    with psycopg.connect(postgresql_store.url) as other:
        other.execute("LOCK TABLE findings IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(UsageError, match="canceling statement due to lock timeout"):
            nights(Night())


def test_a_connection_that_is_ended_by_somebody_ends_the_history(postgresql_store: PostgreSQLStore) -> None:
    nights = Nights(postgresql_store)
    with opened(postgresql_store) as history:
        run = history.begin(nights.begun(Night(), 1))
        with psycopg.connect(postgresql_store.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'auditor %'"
            )
        with pytest.raises(SinkError, match="went away: terminating connection due to administrator command"):
            run.see([finding(1)])


def test_a_database_without_a_history_has_nothing_to_read(postgresql_store: PostgreSQLStore) -> None:
    with (
        pytest.raises(UsageError, match="is empty, or of an older auditor"),
        opened_to_read(postgresql_store),
    ):
        pass


def test_a_database_of_a_newer_auditor_is_refused(postgresql_store: PostgreSQLStore) -> None:
    with opened(postgresql_store) as history, history.database.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'r0009'"))  # noqa: S608 -- our own name

    with pytest.raises(UsageError, match="made by a newer auditor"), opened(postgresql_store):
        pass


def test_a_server_that_goes_away_in_the_middle_ends_the_history_and_keeps_what_was_told(
    postgresql_store: PostgreSQLStore, postgresql_server: PostgreSQL
) -> None:
    nights = Nights(postgresql_store)
    with opened(postgresql_store) as history:
        run = history.begin(nights.begun(Night(), 1))
        run.see([finding(1)])
        postgresql_server.stop()
        try:
            with pytest.raises(SinkError, match=r"the history postgresql://auditor@\S+ went away: "):
                run.see([finding(2)])
        finally:
            postgresql_server.start()
        # The lock went with the connection: another run may be at it by now.
        with pytest.raises(SinkError, match="went away"):
            run.see([finding(2)])

    with opened_to_read(postgresql_store) as history, history.database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM findings")).scalar() == 1
