from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from auditor.errors import SinkError
from auditor.formats import open_output


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_device_is_written_to_and_never_replaced() -> None:
    before = Path("/dev/null").stat()
    output = open_output("/dev/null")
    output.write(b"x")
    output.finish()
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_rdev) == (before.st_ino, before.st_rdev)
    assert not Path("/dev/null.part").exists()


def test_a_device_outlives_an_output_that_is_discarded_or_abandoned() -> None:
    for end in ("discard", "abandon"):
        getattr(open_output("/dev/null"), end)()
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_device_that_is_full_is_told() -> None:
    output = open_output("/dev/full")
    with pytest.raises(SinkError, match=r"^/dev/full: No space left on device"):
        output.write(b"x" * 1_000_000)
    output.abandon()
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_link_to_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/dev/null")
    output = open_output(str(tmp_path / "out"))
    output.write(b"x")
    output.finish()
    assert names_in(tmp_path) == {"out"}
    assert (tmp_path / "out").is_symlink()


def test_a_pipe_gets_all_that_is_written(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        output = open_output(str(pipe))
        output.write(b"whole")
        output.finish()
        assert os.read(reading, 100) == b"whole"
    finally:
        os.close(reading)
    assert names_in(tmp_path) == {"pipe"}
