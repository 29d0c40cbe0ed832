"""`auditor history` and `auditor diff`: what earlier runs have left, told to people and to programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import SQLiteStore
from auditor.model import EXPORT_RECORDS, Severity
from tests.history.conftest import ACCOUNT, FAILED, REGION, Night, Nights, arn, finding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, Ended

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts: [{id: "111122223333"}]\n'
KEPT = frozenset({arn(1), arn(2), arn(3)})


@dataclass
class Told:
    """A configuration whose history has a few nights."""

    auditor: Auditor
    config: Path
    nights: Nights

    def __call__(self, *arguments: str) -> Ended:
        command, *rest = arguments
        if command == "history":
            return self.auditor("history", "-c", self.config, *rest)
        return self.auditor(command, "-c", self.config, *rest)

    def json(self, *arguments: str) -> Any:
        ended = self(*arguments, "--json")
        assert (ended.code, ended.err) == (0, "")
        return json.loads(ended.out)


@pytest.fixture
def told(auditor: Auditor, tmp_path: Path) -> Told:
    config = tmp_path / "accounts.yaml"
    config.write_text(f"{HEAD}history: {{}}\n", "utf-8")
    nights = Nights(SQLiteStore(tmp_path / "auditor-history.sqlite3"))
    nights(Night(found=[finding(1), finding(2)], read=KEPT))
    nights(Night(found=[finding(1), finding(3, message="\x1b[2Jhostile")], read=KEPT))
    return Told(auditor, config, nights)


def test_runs_are_listed_with_what_they_told_of(told: Told) -> None:
    newest, oldest = told.json("history")["runs"]

    assert [newest["run_id"], oldest["run_id"]] == ["run-2", "run-1"]
    assert newest["findings"] == {
        "new": 1,
        "recurring": 1,
        "reopened": 0,
        "not_seen": 0,
        "resolved": 1,
        "open": 2,
    }
    assert (newest["coverage_percent"], newest["exit_code"], newest["scope"]) == (100, 0, "full")
    table = told("history", "--last", "1").out
    assert "run-2" in table
    assert "run-1" not in table


def test_findings_are_those_that_are_open_or_of_a_status(told: Told) -> None:
    found = told.json("history", "findings")["findings"]
    assert [(each["status"], each["resource_arn"]) for each in found] == [
        ("recurring", arn(1)),
        ("new", arn(3)),
    ]
    (resolved,) = told.json("history", "findings", "--status", "resolved")["findings"]
    assert (resolved["resource_arn"], resolved["resolution"]) == (arn(2), "condition-cleared")
    assert told.json("history", "findings", "--account", "000000000000")["findings"] == []
    assert told.json("history", "findings", "--policy", "stuck-export")["findings"] == found
    assert "stuck-export" in told("history", "findings").out


def test_the_worst_stand_first_and_times_are_told_to_the_minute(told: Told) -> None:
    graver = finding(1, severity=Severity.CRITICAL)
    told.nights(Night(found=[finding(3), graver, finding(2, severity=Severity.INFO)], read=KEPT))
    found = told.json("history", "findings")["findings"]
    assert [each["severity"] for each in found] == ["critical", "high", "info"]
    table = told("history", "findings").out
    assert f"{found[0]['first_seen'][:16].replace('T', ' ')} " in table
    assert found[0]["first_seen"] not in table


def test_the_life_of_a_finding_is_told_turn_by_turn(told: Told) -> None:
    known_as = finding(2).finding_id

    life = told.json("history", "show", known_as[:12])

    assert [(turn["run_id"], turn["status"]) for turn in life["life"]] == [
        ("run-1", "new"),
        ("run-2", "resolved"),
    ]
    assert life["last_found"] == {"run_id": "run-1", "at": "2026-11-01T01:00:00Z"}
    text = told("history", "show", known_as).out
    assert (
        "2026-11-02T01:00:00Z  run-2  resolved  condition-cleared: it no longer breaks stuck-export" in text
    )


def test_nothing_hostile_reaches_a_terminal(told: Told) -> None:
    ended = told("history", "show", finding(3).finding_id)

    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\\x1b[2Jhostile" in ended.out


def test_two_runs_are_compared(told: Told) -> None:
    told.nights(Night(found=[finding(2)], read=KEPT))
    told.nights(Night(outcomes={(ACCOUNT, REGION): {EXPORT_RECORDS: FAILED}}))

    def changes(*runs: str) -> dict[str, list[str]]:
        document = told.json("diff", *runs)
        return {
            change: [each["resource_arn"].rpartition("/")[2] for each in document[change]]
            for change in ("new", "reopened", "resolved", "not_seen", "still_open")
        }

    assert changes("previous", "latest") == {
        "new": [],
        "reopened": [],
        "resolved": [],
        "not_seen": ["2"],
        "still_open": [],
    }


def test_what_is_compared_is_what_each_run_said(told: Told) -> None:
    document = told.json("diff", "previous", "latest")

    assert [document["older"]["run_id"], document["newer"]["run_id"]] == ["run-1", "run-2"]
    assert [each["resource_arn"] for each in document["new"]] == [arn(3)]
    assert [each["resource_arn"] for each in document["resolved"]] == [arn(2)]
    assert [each["resource_arn"] for each in document["still_open"]] == [arn(1)]
    text = told("diff", "previous", "latest").out
    assert "From run-1 to run-2:" in text
    assert "Resolved: 1" in text
    assert "Still open: 1" in text


def test_a_run_of_less_than_everything_says_so_in_the_comparison(told: Told) -> None:
    told.nights(Night(found=[finding(1)], read=KEPT, scope="subset"))

    assert (
        "run-3 did not look at everything: scope subset, coverage 100 %"
        in told("diff", "previous", "latest").out
    )


def test_an_account_is_retired_once_and_the_next_run_tells_of_it(told: Told) -> None:
    retire = ("history", "retire", "--account", ACCOUNT, "--by", "ops", "--reason", "sold")
    ended = told(*retire)

    assert (ended.code, ended.out) == (
        0,
        f"2 finding(s) of account {ACCOUNT} are resolved as retired; the next run tells of them\n",
    )
    again = told(*retire)
    assert again.code == 2
    assert f"account {ACCOUNT} has no open finding in the history" in again.err

    said = told.nights(Night(outcomes={}))
    assert {each.resolution and each.resolution.kind for each in said.values()} == {"retired"}
    assert {each.resolution and each.resolution.why for each in said.values()} == {
        f"account {ACCOUNT} was retired by ops: sold"
    }
    assert told.nights(Night(outcomes={})) == {}
    reopened = told.nights.of(Night(found=[finding(1)]))
    assert reopened is not None
    assert reopened.status == "reopened"
    assert "account retired by ops: sold" in told("history", "show", finding(1).finding_id).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diff", "latest", "previous"), "run run-2 is not earlier than run-1; name the earlier one first"),
        (("diff", "nowhere-at-all", "latest"), "there is no run nowhere-at-all in the history"),
        (("history", "show", "abc"), "finding abc: write at least 8 characters of its finding_id"),
        (("history", "show", "f" * 64), "there is no finding ffff"),
        (
            ("history", "retire", "--account", ACCOUNT, "--by", " ", "--reason", "x"),
            "--by: is empty; say who, and why",
        ),
        (("history", "--last", "9" * 30), "is not in the range 1<=x<=100000"),
        (
            ("diff", "", "latest"),
            "run (empty): write at least 8 characters of its run_id, or latest or previous",
        ),
        (("diff", "run-1", "latest"), "run run-1: write at least 8 characters of its run_id"),
        (("diff", "\udcffnowhere", "latest"), r"there is no run \udcffnowhere in the history"),
        (("history", "show", "\udcff" * 9), r"there is no finding \udcff\udcff"),
        (("history", "show", "%" * 9), "there is no finding %%%"),
        (
            ("history", "retire", "--account", "\udcff", "--by", "ops", "--reason", "x"),
            r"account \udcff has no open finding",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_words(told: Told, arguments: tuple[str, ...], said: str) -> None:
    ended = told(*arguments)

    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_accounts_and_policies_of_no_finding_have_none(told: Told) -> None:
    for option in ("--account", "--policy"):
        assert told.json("history", "findings", option, "\udcff\x1b[2J") == {
            "schema": "auditor.history.findings/1",
            "findings": [],
        }


def test_without_a_history_in_the_configuration_the_way_to_one_is_told(
    auditor: Auditor, tmp_path: Path
) -> None:
    config = tmp_path / "accounts.yaml"
    config.write_text(HEAD, "utf-8")

    for command in (("history",), ("diff", "previous", "latest")):
        ended = auditor(*command, "-c", config)
        assert ended.code == 2
        assert (
            "has no history, so that earlier runs are not remembered; write history: {} into it" in ended.err
        )


def test_before_the_first_run_there_is_nothing_to_show(auditor: Auditor, tmp_path: Path) -> None:
    config = tmp_path / "accounts.yaml"
    config.write_text(f"{HEAD}history: {{}}\n", "utf-8")

    ended = auditor("history", "-c", config)

    assert ended.code == 2
    assert "there is no history at" in ended.err
