from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.audit import FormatRequest
from auditor.audit.asked import check_formats
from auditor.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("place", ["findings.jsonl", "coverage.jsonl", "run.json", "../run/findings.jsonl"])
def test_a_format_can_not_be_sent_over_what_the_run_itself_writes(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "run"

    with pytest.raises(UsageError, match="would be written to the place of the run's own"):
        check_formats([FormatRequest("json", f"{folder}/{place}")], folder, "accounts.yaml")


def test_two_formats_can_not_go_to_one_place_under_two_names(tmp_path: Path) -> None:
    again = f"{tmp_path}/./../{tmp_path.name}/out"

    with pytest.raises(UsageError, match="would be written to the place of -f json"):
        check_formats(
            [FormatRequest("json", f"{tmp_path}/out"), FormatRequest("jsonl", again)],
            tmp_path,
            "accounts.yaml",
        )


def test_two_formats_can_not_share_standard_output(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would be written to the place of -f json"):
        check_formats([FormatRequest("json", "-"), FormatRequest("jsonl", "-")], tmp_path, "accounts.yaml")


def test_a_format_that_there_is_not_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="-f jsnl: no such format; did you mean jsonl"):
        check_formats([FormatRequest("jsnl")], tmp_path, "accounts.yaml")


def test_a_variant_of_a_format_that_has_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^-f json:1\.6: json has no variants; write -f json$"):
        check_formats([FormatRequest("json", None, "1.6")], tmp_path, "accounts.yaml")


def test_what_every_folder_holds_may_be_asked_for_too(tmp_path: Path) -> None:
    check_formats([FormatRequest("jsonl"), FormatRequest("json")], tmp_path, "accounts.yaml")


def test_a_format_can_not_be_sent_over_the_configuration(tmp_path: Path) -> None:
    config = str(tmp_path / "accounts.yaml")

    with pytest.raises(UsageError, match="would be written to the place of the configuration"):
        check_formats([FormatRequest("json", config)], tmp_path / "run", config)
