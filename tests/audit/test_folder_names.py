from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.audit.folder import choose_folder, made_folder
from auditor.errors import SinkError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_folders_above_that_were_made_too_are_taken_away_again(tmp_path: Path) -> None:
    with pytest.raises(UsageError), made_folder(tmp_path / "a" / "b" / "c"):
        raise SinkError("out.json: No such file or directory")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "y/" * 3_000, "a\0b"], ids=["name", "path", "nul"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError), made_folder(choose_folder(tmp_path / name, "run-1")):
        pytest.fail("it was made")
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_any_file_of_a_run_is_a_run_too(tmp_path: Path) -> None:
    (tmp_path / "coverage.jsonl.part").touch()
    with pytest.raises(UsageError):
        choose_folder(tmp_path, "run-1")
