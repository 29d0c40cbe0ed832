from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.audit.folder import choose_folder, made_folder, new_run_id
from auditor.errors import SinkError, UsageError

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def refused(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        choose_folder(folder, "run-1")
    return str(caught.value)


def test_run_ids_sort_by_time_and_are_never_the_same() -> None:
    first, second = new_run_id(NOW), new_run_id(NOW)
    assert first != second
    assert first.startswith("20250301T120000Z-")
    assert new_run_id(NOW.replace(second=1)) > max(first, second)


def test_without_a_wish_the_folder_is_named_after_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_folder(None, "run-1") == Path("runs/run-1")


def test_a_folder_that_does_not_exist_or_is_empty_can_be_had_and_is_not_made_yet(tmp_path: Path) -> None:
    assert choose_folder(tmp_path, "run-1") == tmp_path
    assert choose_folder(tmp_path / "new" / "one", "run-1") == tmp_path / "new" / "one"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert choose_folder(tmp_path, "run-1") == tmp_path


@pytest.mark.parametrize("file", ["run.json", "findings.jsonl", "coverage.jsonl", "findings.jsonl.part"])
def test_a_folder_that_holds_a_run_or_a_part_of_one_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"precious")
    text = refused(tmp_path)
    assert str(tmp_path) in text
    assert f"({file})" in text
    assert "name another folder" in text
    assert (tmp_path / file).read_bytes() == b"precious"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o777)
    assert "is no folder" in refused(tmp_path / "file")
    assert "can't be written to" in refused(tmp_path / "file" / "under" / "it")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_hostile_in_a_folders_name_is_not_shown_raw(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J").touch()
    assert r"\x1b[2J" in refused(tmp_path / "\x1b[2J")


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with made_folder(folder):
        assert folder.is_dir()
    assert folder.is_dir()


def test_a_folder_is_its_owners_alone_unless_it_was_there(tmp_path: Path) -> None:
    with made_folder(tmp_path / "a" / "b"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "a" / "b").chmod(0o755)
    with made_folder(tmp_path / "a" / "b"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o755


def test_a_folder_that_can_not_be_made_is_refused() -> None:
    # Nobody can make a folder there, root included.
    with (
        pytest.raises(UsageError, match=r"^-o /proc/auditor/run: can't be made: "),
        made_folder(Path("/proc/auditor/run")),
    ):
        pytest.fail("it was made")


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(UsageError), made_folder(choose_folder(tmp_path / "link", "run-1")):
        pytest.fail("it was made")


def test_where_an_output_can_not_be_opened_a_new_folder_is_taken_away_again(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"out\.json: No such file"), made_folder(tmp_path / "new"):
        raise SinkError("out.json: No such file or directory")
    assert list(tmp_path.iterdir()) == []


def test_where_an_output_can_not_be_opened_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError), made_folder(tmp_path):
        raise SinkError("out.json: No such file or directory")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
