"""A run that died goes on: what it did is not done again, what it found is not lost, and it stays the same run."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

import auditor
from auditor.audit import NewFindings, RunOptions
from auditor.audit.gating import Gates, read_gates
from auditor.audit.preparing import begin, header_of
from auditor.model import Severity, rfc3339
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from auditor.simulator.server import Running
    from tests.audit.conftest import EstateMaker

HISTORY = "history: {}\n"
KILLS = 20
"""How often a run is killed at the most; it comes further each time."""
CAMPAIGNS = int(os.environ.get("AUDITOR_TEST_CAMPAIGNS", "1"))
"""`AUDITOR_TEST_CAMPAIGNS=40 pytest tests/audit/test_resuming.py -k killed` kills some two hundred times."""


@dataclass
class Stage:
    """A configuration, a server, and the program as its users start it."""

    folder: Path
    server: Running
    estate: Estate

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "auditor", "run", "--quiet", "--log-format", "json", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environ = {**os.environ, **self.server.environ}
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            _, told = process.communicate(timeout=40)
        return process.returncode, told

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.run / name).read_text("utf-8").splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.run / "run.json").read_text("utf-8"))
        return told


@pytest.fixture(params=["", HISTORY], ids=["alone", "with a history"])
def extra(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


@pytest.fixture
def stage(tmp_path: Path, estate_of: EstateMaker, extra: str) -> Iterator[Stage]:
    estate = estate_of(4)
    hangs = Fault(FaultKind.HANG, estate.accounts[3].id, times=1)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml() + extra, encoding="utf-8")
    with serve_in_thread(estate, faults=[hangs]) as server:
        yield Stage(tmp_path, server, estate)


def found(stage: Stage) -> set[tuple[str, ...]]:
    keys = ("policy", "account_id", "region", "resource_arn")
    return {tuple(finding[key] for key in keys) for finding in stage.lines("findings.jsonl")}


def truth(stage: Stage) -> set[tuple[str, ...]]:
    return {(each.policy, each.account_id, each.region, each.resource_arn) for each in stage.estate.truth}


def accounts_asked(stage: Stage) -> list[str | None]:
    return [call.account_id for call in stage.server.calls if call.operation == "GetExportSnapshotRecords"]


def interrupt(stage: Stage, *arguments: str) -> str:
    """Begin a run, and end it by SIGTERM once all is read but what hangs."""
    with stage.start("-o", str(stage.run), "--log-level", "debug", *arguments) as process:
        assert process.stderr is not None
        done = 0
        for line in process.stderr:
            done += '"verdict": "complete"' in line
            if done == 6:
                break
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 143
    return told


def test_an_interrupted_run_goes_on_under_its_id_and_reads_nothing_twice(stage: Stage) -> None:
    interrupt(stage, "-f", "csv", "-f", "json")
    first = stage.record
    assert first["coverage_percent"] == 75
    stage.server.calls.clear()

    code, told = stage.ended("--resume", str(stage.run))
    assert code == 1, told
    assert found(stage) == truth(stage)
    assert {*accounts_asked(stage)} == {stage.estate.accounts[3].id}
    second = stage.record
    assert (second["run_id"], second["started_at"]) == (first["run_id"], first["started_at"])
    assert len(second["resumed_at"]) == 1
    assert second["coverage_percent"] == 100
    assert second["totals"]["records"] == sum(
        len(records) for account in stage.estate.accounts for records in account.records.values()
    )
    assert len(stage.lines("coverage.jsonl")) == 8
    findings = stage.lines("findings.jsonl")
    assert len({each["finding_id"] for each in findings}) == len(findings)
    assert second["totals"]["findings"]["total"] == len(findings)
    assert json.loads((stage.run / "report.json").read_text("utf-8"))["findings"] == findings
    assert len((stage.run / "findings.csv").read_text("utf-8").splitlines()) >= len(findings)
    assert sorted(path.name for path in stage.run.iterdir()) == [
        "coverage.jsonl",
        "findings.csv",
        "findings.jsonl",
        "report.json",
        "run.json",
    ]


def test_a_run_that_is_done_has_nothing_to_go_on_with(stage: Stage) -> None:
    interrupt(stage)
    stage.ended("--resume", str(stage.run))
    code, told = stage.ended("--resume", str(stage.run))
    assert code == 2
    assert "the run in it is done" in told


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-f", "json"], "leave -f out"),
        (["-o", "elsewhere"], "leave -o out"),
        (["--region", "us-east-1"], "leave --region out"),
    ],
)
def test_it_goes_on_as_it_was_asked_and_not_otherwise(stage: Stage, arguments: list[str], why: str) -> None:
    interrupt(stage)
    code, told = stage.ended("--resume", str(stage.run), *arguments)
    assert code == 2
    assert why in told


@pytest.mark.parametrize("extra", [HISTORY])
async def test_it_fails_by_what_it_began_with_unless_that_is_given_anew(stage: Stage) -> None:
    await to_thread.run_sync(
        interrupt, stage, "--fail-on", "none", "--min-coverage", "0", "--max-unjudged", "7"
    )
    config = auditor.load_config(stage.folder / "accounts.yaml")
    as_before = begin(config, RunOptions(resume=stage.run))
    assert as_before.gates == Gates(None, 0, 7)
    fail_on = NewFindings(Severity.LOW)
    anew = begin(config, RunOptions(resume=stage.run, fail_on=fail_on, max_unjudged=3))
    assert header_of(anew).gates == {"fail_on": "new:low", "min_coverage": 0, "max_unjudged": 3}
    assert read_gates(header_of(anew).gates) == anew.gates
    code, told = await to_thread.run_sync(stage.ended, "--resume", str(stage.run))
    assert (code, stage.record["exit_conditions"]) == (0, [0]), told


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("limits", "policies: {oversized-disk: {max_gb: 1}}\nlimits"), "the configuration has changed"),
        (("version: 1", "version: 1\nlimits: {concurrency: 3}"), "the configuration has changed"),
    ],
)
def test_another_configuration_is_another_run(stage: Stage, change: tuple[str, str], why: str) -> None:
    interrupt(stage)
    file = stage.folder / "accounts.yaml"
    text = file.read_text("utf-8")
    changed = text.replace(*change, 1)
    file.write_text(
        changed if changed != text else text.replace("version: 1", "version: 1\nlimits: {concurrency: 5}", 1),
        encoding="utf-8",
    )
    code, told = stage.ended("--resume", str(stage.run))
    assert code == 2
    assert why in told


def set_header(stage: Stage, **told: Any) -> None:
    checkpoint = stage.run / "checkpoint.jsonl"
    header, *rest = checkpoint.read_text("utf-8").splitlines(keepends=True)
    checkpoint.write_text(json.dumps(json.loads(header) | told) + "\n" + "".join(rest), encoding="utf-8")


def test_a_run_of_the_day_before_is_not_gone_on_with(stage: Stage) -> None:
    interrupt(stage)
    set_header(stage, started_at=rfc3339(datetime.now(UTC) - timedelta(hours=24, minutes=1)))
    code, said = stage.ended("--resume", str(stage.run))
    assert code == 2
    assert "more than 24 h ago" in said


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda text: "{}\n" + text, "is of another auditor"),
        (lambda text: text.replace('"targets"', '"torgets"', 1), "is damaged"),
        (
            lambda text: text.replace('"findings_end":', '"findings_end":9', 8),
            "is shorter than the checkpoint says",
        ),
    ],
)
def test_what_is_damaged_is_refused_and_left_as_it_is(stage: Stage, damage: Any, why: str) -> None:
    interrupt(stage)
    checkpoint = stage.run / "checkpoint.jsonl"
    checkpoint.write_text(damage(checkpoint.read_text("utf-8")), encoding="utf-8")
    before = {path.name: path.read_bytes() for path in stage.run.iterdir()}
    code, told = stage.ended("--resume", str(stage.run))
    assert (code, "Traceback" in told) == (2, False)
    assert why in told
    assert {path.name: path.read_bytes() for path in stage.run.iterdir()} == before


@pytest.mark.parametrize("extra", [""])
def test_a_run_that_is_yet_to_begin_is_not_gone_on_with(stage: Stage) -> None:
    interrupt(stage)
    set_header(stage, started_at=rfc3339(datetime.now(UTC) + timedelta(hours=1)))
    code, said = stage.ended("--resume", str(stage.run))
    assert (code, "which is yet to come; set this machine's clock" in said) == (2, True)


@pytest.mark.parametrize("extra", [""])
def test_findings_that_are_damaged_are_not_told_again(stage: Stage) -> None:
    interrupt(stage)
    findings = stage.run / "findings.jsonl"
    whole = findings.read_bytes()
    findings.write_bytes(whole.replace(b'{"', b"{x", 1))
    code, said = stage.ended("--resume", str(stage.run))
    assert (code, "Traceback" in said) == (2, False)
    assert "is damaged; begin a new run" in said


ANOTHER = "history: {store: another.sqlite3}\n"


def with_history(stage: Stage, text: str) -> None:
    file = stage.folder / "accounts.yaml"
    alone = file.read_text("utf-8").replace(HISTORY, "").replace(ANOTHER, "")
    file.write_text(alone + text, encoding="utf-8")


@pytest.mark.parametrize("extra", ["", HISTORY], ids=["alone", "with a history"])
def test_a_run_goes_on_with_the_history_that_it_began_with_and_no_other(stage: Stage, extra: str) -> None:
    interrupt(stage)
    with_history(stage, ANOTHER)
    code, said = stage.ended("--resume", str(stage.run))
    assert code == 2
    began = f"the history {stage.folder / 'auditor-history.sqlite3'}" if extra else "no history"
    assert f"the run began with {began}, and would go on with the history" in said

    with_history(stage, extra)
    code, said = stage.ended("--resume", str(stage.run))
    assert code == 1, said
    assert found(stage) == truth(stage)


@pytest.mark.parametrize("extra", [HISTORY], ids=["with a history"])
def test_a_history_that_was_moved_away_is_missed_before_anything_is_lost(stage: Stage) -> None:
    interrupt(stage)
    (stage.folder / "auditor-history.sqlite3").rename(stage.folder / "elsewhere.sqlite3")
    code, said = stage.ended("--resume", str(stage.run))
    assert code == 2
    assert "the history does not know of it; restore the one that it began with" in said

    (stage.folder / "elsewhere.sqlite3").rename(stage.folder / "auditor-history.sqlite3")
    code, said = stage.ended("--resume", str(stage.run))
    assert code == 1, said
    assert found(stage) == truth(stage)


def test_a_folder_without_a_run_and_one_that_is_busy_are_refused(stage: Stage) -> None:
    code, told = stage.ended("--resume", str(stage.folder))
    assert (code, "holds no run" in told) == (2, True)
    with stage.start("-o", str(stage.run), "--log-level", "debug") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"verdict": "complete"' in line:
                break
        code, told = stage.ended("--resume", str(stage.run))
        process.kill()
    assert (code, "still going" in told) == (2, True)


def test_a_run_that_dies_while_its_outputs_are_opened_can_go_on(
    tmp_path: Path, estate_of: EstateMaker
) -> None:
    estate = estate_of(1)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), encoding="utf-8")
    unread = tmp_path / "findings.csv"
    os.mkfifo(unread)  # to open it waits for a reader
    with serve_in_thread(estate) as server:
        stage = Stage(tmp_path, server, estate)
        with stage.start("-o", str(stage.run), "-f", f"csv={unread}") as process:
            until = time.monotonic() + 20
            while not (stage.run / "findings.jsonl.part").exists() and time.monotonic() < until:
                time.sleep(0.01)
            process.kill()
        unread.unlink()
        code, told = stage.ended("--resume", str(stage.run))
    assert code == 1, told
    assert found(stage) == truth(stage)
    assert unread.read_bytes()


@contextmanager
def full_disk(stage: Stage) -> Iterator[str]:
    """Let findings.jsonl be where nothing fits."""
    findings = stage.run / "findings.jsonl"
    findings.replace(stage.run / "findings.1.jsonl")  # as a resumption does itself, before it writes
    findings.symlink_to("/dev/full")
    yield "No space left on device"
    findings.unlink()


@contextmanager
def broken_history(stage: Stage) -> Iterator[str]:
    """Let the history begin, and fail when it is asked what was told."""
    (path,) = stage.folder.glob("*.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE documents RENAME COLUMN body TO elsewhere")
    yield "documents.body"
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE documents RENAME COLUMN elsewhere TO body")


@pytest.mark.parametrize(
    ("extra", "failing"), [("", full_disk), (HISTORY, broken_history)], ids=["disk", "history"]
)
def test_what_can_not_be_told_again_stays_what_counts_until_it_can(
    stage: Stage, failing: Callable[[Stage], AbstractContextManager[str]]
) -> None:
    interrupt(stage)
    checkpoint = stage.run / "checkpoint.jsonl"
    before = checkpoint.read_bytes()
    with failing(stage) as why:
        code, told = stage.ended("--resume", str(stage.run))
        assert (code, "Traceback" in told) == (2, False), told
        assert why in told
        assert "mend that, and resume again" in told
        assert checkpoint.read_bytes() == before
    stage.server.calls.clear()
    code, told = stage.ended("--resume", str(stage.run))
    assert code == 1, told
    assert found(stage) == truth(stage)
    assert {*accounts_asked(stage)} == {stage.estate.accounts[3].id}


def going_on(stage: Stage) -> list[str]:
    begun = (stage.run / "checkpoint.jsonl").exists()
    return ["--resume" if begun else "-o", str(stage.run)]


def is_done(stage: Stage) -> bool:
    """Whether all is written: one that is killed then has nothing left to do but to exit."""
    return (stage.run / "run.json").exists() and not (stage.run / "checkpoint.jsonl").exists()


@pytest.mark.parametrize("seed", range(CAMPAIGNS))
def test_a_run_that_is_killed_again_and_again_ends_with_all_that_is_true(
    tmp_path: Path, estate_of: EstateMaker, extra: str, seed: int
) -> None:
    # Slow answers, so that a kill falls into the reading as well as into the beginning and the end.
    estate, chance = estate_of(6), random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml() + extra, encoding="utf-8")
    slow = Fault(FaultKind.LATENCY, seconds=0.05)
    with serve_in_thread(estate, faults=[slow]) as server:
        stage = Stage(tmp_path, server, estate)
        for _ in range(KILLS):
            with stage.start("--concurrency", "2", *going_on(stage)) as process:
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=chance.uniform(0.5, 2.5))
                process.kill()
            if process.returncode >= 0 or is_done(stage):
                break
        if not is_done(stage):
            code, told = stage.ended(*going_on(stage))
            assert code == 1, told
    assert stage.record["exit_code"] == 1
    assert found(stage) == truth(stage)
    findings = stage.lines("findings.jsonl")
    assert len({each["finding_id"] for each in findings}) == len(findings)
    assert {each["status"] for each in findings} == {"new" if extra else "untracked"}
    assert stage.record["coverage_percent"] == 100
    assert {line["verdict"] for line in stage.lines("coverage.jsonl")} == {"complete"}
