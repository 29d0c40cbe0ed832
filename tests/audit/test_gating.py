"""What makes a run fail where only what is new is to: night after night, and where the history can't tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.audit import NewFindings, RunOptions
from auditor.audit.gating import failing
from auditor.audit.tally import Tally
from auditor.config import History, SQLiteStore
from auditor.errors import SinkError, UsageError
from auditor.history.database import Database
from auditor.model import Severity, Status
from tests.formats.made import WAIVED, finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

NEW_HIGH = RunOptions(fail_on=NewFindings(Severity.HIGH))
NEW = {Status.NEW, Status.REOPENED}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(SQLiteStore(tmp_path / "history.sqlite3"))


def high(estate: Estate) -> int:
    """How many findings of the estate are high: those of the one policy that is, by its default."""
    return sum(each.policy == "stale-failed-export" for each in estate.truth)


def emptied(estate: Estate) -> Estate:
    return replace(estate, accounts=tuple(replace(each, records={}) for each in estate.accounts))


def runs_in(folder: Path) -> list[Path]:
    return list(folder.glob("run-*"))


def said(seen: Audited) -> list[tuple[int, str]]:
    return [(int(each.code), each.text) for each in seen.result.conditions]


def of(status: Status, severity: Severity = Severity.HIGH, *, waived: bool = False) -> Tally:
    """The counts of a run with one such finding."""
    tally = Tally()
    tally.found([finding(status=status, severity=severity, waiver=WAIVED if waived else None)])
    return tally


async def test_what_is_new_or_back_again_fails_a_run_and_what_was_open_does_not(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    assert high(estate) > 0
    fails = [(1, f"{high(estate)} new finding(s) at or above high")]
    nights = {"new": estate, "recurring": estate, "resolved": emptied(estate), "reopened": estate}
    told = {name: await auditing(each, history=history, options=NEW_HIGH) for name, each in nights.items()}
    for name, seen in told.items():
        assert {each["status"] for each in seen.findings} == {name}
    assert {name: said(seen) for name, seen in told.items()} == {
        "new": fails,
        "recurring": [],
        "resolved": [],
        "reopened": fails,
    }


async def test_without_a_history_it_is_refused_before_the_first_call_and_says_what_to_do(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    text = (
        "^--fail-on new:high: .*; add history: {} to the configuration, or write --fail-on high to count all$"
    )
    with pytest.raises(UsageError, match=text):
        await auditing(estate_of(1), options=NEW_HIGH)
    assert not runs_in(tmp_path)


async def test_a_history_that_fails_midway_does_not_let_pass_what_may_be_new(
    auditing: Auditing, estate_of: EstateMaker, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(2)
    await auditing(estate, history=history)
    works: list[Callable[..., object]] = [Database.transaction] * 2

    def transaction(*arguments: object) -> object:
        if works:
            return works.pop()(*arguments)
        raise SinkError("the disk is full")

    monkeypatch.setattr(Database, "transaction", transaction)  # the seam to the database
    seen = await auditing(estate, history=history, options=NEW_HIGH)
    untold = sum(each["status"] == "untracked" and each["severity"] == "high" for each in seen.findings)
    assert untold > 0
    assert seen.run["exit_conditions"] == [4, 1]
    assert said(seen)[-1] == (
        1,
        f"{untold} finding(s) at or above high that may be new: the history could not tell",
    )


@pytest.mark.parametrize("status", list(Status))
def test_only_what_was_not_open_before_counts_as_new(status: Status) -> None:
    expected = ["1 new finding(s) at or above high"] if status in NEW else []
    if status is Status.UNTRACKED:
        expected = ["1 finding(s) at or above high that may be new: the history could not tell"]
    assert list(failing(NewFindings(Severity.HIGH), of(status))) == expected
    assert list(failing(NewFindings(Severity.HIGH), of(status, waived=True))) == []
    assert list(failing(NewFindings(Severity.HIGH), of(status, Severity.MEDIUM))) == []
