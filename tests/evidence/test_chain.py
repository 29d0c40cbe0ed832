"""Each run's evidence names that of the run before it: a night that was deleted, or made anew, is missed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import EvidenceOptions
from auditor.errors import UsageError
from auditor.evidence.reading import Evidence
from auditor.evidence.verifying import faults_of
from tests.evidence.conftest import estate_of
from tests.evidence.sealing import seal_again

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Record

SMALL: dict[str, Any] = {"accounts": 1, "regions": ("us-east-1",)}


def chain(folder: Path, *before: Path) -> list[str]:
    return [
        fault for fault in faults_of(folder, allow_unsigned=True, after=before) if not fault.startswith("run")
    ]


def test_with_a_history_each_night_names_the_one_before(record: Record) -> None:
    first, second, third = (
        record(estate=estate_of(**SMALL), extra="\nhistory: {}\n", into=f"night-{number}").folder
        for number in range(3)
    )

    previous = [Evidence.open(each).manifest.predicate["previous"] for each in (first, second, third)]
    digests = [Evidence.open(each).manifest.predicate["digest"] for each in (first, second)]
    assert previous[0] == {
        "run_id": None,
        "digest": None,
        "why": "the first in its history that keeps evidence",
    }
    assert [each["digest"] for each in previous[1:]] == digests
    assert chain(third, second, first) == []
    (missing,) = chain(third, first)
    assert missing.startswith(f"the chain: run {Evidence.open(third).manifest.run_id} follows run ")
    assert "a run between is missing, or one was changed" in missing


def test_a_night_that_is_made_anew_is_missed_by_the_next(record: Record) -> None:
    first = record(estate=estate_of(**SMALL), into="night-1").folder
    second = record(estate=estate_of(**SMALL), into="night-2", options=EvidenceOptions(after=first)).folder
    assert chain(second, first) == []
    assert chain(second, first / "evidence" / "manifest.dsse.json") == []

    (first / "findings.jsonl").write_text("")
    seal_again(first)

    (changed,) = chain(second, first)
    assert "one was changed" in changed


def test_a_run_without_history_says_that_it_names_none(record: Record, tmp_path: Path) -> None:
    run = record(estate=estate_of(**SMALL))
    previous = Evidence.open(run.folder).manifest.predicate["previous"]
    assert previous["why"] == "there is no history, and --evidence-after named none"
    (none,) = chain(run.folder, run.folder)
    assert "names no run before it" in none
    with pytest.raises(UsageError, match=r"--evidence-after .*No such file"):
        record(estate=estate_of(**SMALL), options=EvidenceOptions(after=tmp_path), into="other")
    assert not (tmp_path / "other").exists()


def test_another_run_before_can_not_be_put_in_without_being_seen(record: Record, tmp_path: Path) -> None:
    run = record(estate=estate_of(**SMALL), extra="\nhistory: {}\n")
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    seal_again(copy, previous={"run_id": "x", "digest": "0" * 64, "why": None})
    assert "evidence/environment.json: names another run before than the manifest" in chain(copy)
