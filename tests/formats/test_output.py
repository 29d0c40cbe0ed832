from __future__ import annotations

import io
import resource
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from auditor.errors import SinkError
from auditor.formats import STDOUT, open_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that fills, as near as it can be had without one: no file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_not_there_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    output = open_output(str(path))
    output.write(b"half")
    assert names_in(tmp_path) == {"out.json.part"}
    output.write(b" and half")
    output.finish()
    assert names_in(tmp_path) == {"out.json"}
    assert path.read_bytes() == b"half and half"


def test_what_stood_there_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    output = open_output(str(path))
    output.write(b"new")
    assert path.read_bytes() == b"old"
    output.finish()
    assert path.read_bytes() == b"new"


def test_an_abandoned_file_keeps_what_was_written_under_a_name_that_tells(tmp_path: Path) -> None:
    output = open_output(str(tmp_path / "out.json"))
    output.write(b"half")
    output.abandon()
    assert names_in(tmp_path) == {"out.json.part"}
    assert (tmp_path / "out.json.part").read_bytes() == b"half"


def test_a_discarded_file_leaves_nothing_and_spares_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(b"old")
    for name in ("old.json", "new.json"):
        open_output(str(tmp_path / name)).discard()
    assert names_in(tmp_path) == {"old.json"}
    assert (tmp_path / "old.json").read_bytes() == b"old"


def test_a_part_that_an_earlier_run_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "out.json.part").write_bytes(b"of another run, and longer")
    output = open_output(str(tmp_path / "out.json"))
    output.write(b"new")
    output.finish()
    assert names_in(tmp_path) == {"out.json"}
    assert (tmp_path / "out.json").read_bytes() == b"new"


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "out.json.part").symlink_to(victim)
    output = open_output(str(tmp_path / "out.json"))
    output.write(b"new")
    output.finish()
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "out.json").is_symlink()


def test_a_file_has_the_rights_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    open_output(str(tmp_path / "out.json")).finish()
    assert (tmp_path / "out.json").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize("place", ["missing/out.json", "file/out.json", "folder", "x" * 300])
def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    path = str(tmp_path / place)
    with pytest.raises(SinkError) as caught:
        open_output(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert names_in(tmp_path) == {"folder", "file"}


def test_a_folder_in_the_place_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="directory"):
        open_output(str(tmp_path))


def test_a_hostile_place_is_not_shown_raw(tmp_path: Path) -> None:
    with pytest.raises(SinkError) as caught:
        open_output(str(tmp_path / "missing" / "\x1b[2J.json"))
    assert r"\x1b[2J.json" in str(caught.value)


def test_a_disk_that_fills_is_told_and_what_was_written_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    output = open_output(str(path))
    with files_of_at_most(100_000):
        output.write(b"x" * 90_000)
        with pytest.raises(SinkError) as caught:
            output.write(b"x" * 60_000)
        with suppress(SinkError):  # what is still held back may not fit either
            output.abandon()
    assert str(caught.value).startswith(f"{path}: ")
    assert names_in(tmp_path) == {"out.json.part"}


def test_a_file_that_vanished_is_told(tmp_path: Path) -> None:
    output = open_output(str(tmp_path / "out.json"))
    output.write(b"x")
    (tmp_path / "out.json.part").unlink()
    with pytest.raises(SinkError):
        output.finish()
    assert names_in(tmp_path) == set()


def test_a_dash_is_standard_output_which_stays_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    standing_in = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", standing_in)
    output = open_output(STDOUT)
    output.write(b"whole")
    output.finish()
    output.abandon()
    output.discard()
    taken = standing_in.buffer
    assert isinstance(taken, io.BytesIO)
    assert taken.getvalue() == b"whole"
    assert names_in(tmp_path) == set()
