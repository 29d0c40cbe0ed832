"""The key `history`: which store it names, what stays secret of it, and what it does not change."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.config import History, PostgreSQLStore, S3Store, SQLiteStore
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts:\n  - id: "111122223333"\n'


def _history(load: Load, text: str, **environ: str) -> tuple[History, Path]:
    config = load(f"{HEAD}history: {text}\n", environ)
    assert config.history is not None
    return config.history, Path(config.path).parent


def test_an_empty_mapping_is_a_file_beside_the_configuration(load: Load) -> None:
    history, folder = _history(load, "{}")

    assert history == History(SQLiteStore(folder / "auditor-history.sqlite3"), timedelta(0))


@pytest.mark.parametrize("text", ["sub/h.db", "sqlite:///sub/h.db"])
def test_a_relative_path_is_one_of_the_configurations_folder(load: Load, text: str) -> None:
    history, folder = _history(load, f"{{store: '{text}', wait: 10m}}")

    assert history == History(SQLiteStore(folder / "sub/h.db"), timedelta(minutes=10))


@pytest.mark.parametrize("text", ["/var/h.db", "sqlite:////var/h.db"])
def test_an_absolute_path_is_itself(load: Load, text: str) -> None:
    assert _history(load, f"{{store: '{text}'}}")[0].store == SQLiteStore(Path("/var/h.db"))


def test_a_bucket_and_a_key_are_told_apart(load: Load) -> None:
    history, _ = _history(load, "{store: 's3://audit.example/a/b.sqlite3'}")

    assert history.store == S3Store("audit.example", "a/b.sqlite3")
    assert history.store.name == "s3://audit.example/a/b.sqlite3"


def test_a_password_comes_from_the_environment_and_is_shown_nowhere(load: Load) -> None:
    text = "{store: 'postgresql://auditor:${PASSWORD}@db.example:5433/audit?sslmode=require'}"

    history, _ = _history(load, text, PASSWORD="canary")

    store = history.store
    assert isinstance(store, PostgreSQLStore)
    assert store.url == "postgresql://auditor:canary@db.example:5433/audit?sslmode=require"
    assert store.name == "postgresql://auditor@db.example:5433/audit"
    assert "canary" not in repr(history)


@pytest.mark.parametrize(
    "value", ["mysql://u:canary@h/db", "postgresql://u:canary@h:port/db", "s3://b", "x/"]
)
def test_no_message_shows_what_the_environment_holds(load: Load, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "history: {store: '${STORE}'}\n", {"STORE": value})

    (problem,) = caught.value.problems
    assert problem.line == 5
    assert problem.text.startswith(
        "store of history can't be used with what the environment holds; write a file's"
    )


def test_without_the_key_there_is_no_history_and_with_it_the_digest_is_the_same(load: Load) -> None:
    without, with_it = load(HEAD), load(f"{HEAD}history: {{}}\n")

    assert without.history is None
    assert without.digest == with_it.digest
