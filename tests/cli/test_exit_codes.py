"""Every row of the table of exit codes: the code, the last line that tells it apart, and run.json."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.model import EXPORT_RECORDS
from auditor.simulator.faults import Fault, FaultKind
from tests.policies.installing import Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, Ended, Process, RunFolder, Serve, Spawn

CONSOLE = ("--log-format", "console", "--log-level", "error", "--quiet")


def told(ended: Ended, out: RunFolder) -> tuple[int, list[int]]:
    """What run.json says of the exit; the process and its last line must say the same."""
    run = out.run
    assert ended.code == run["exit_code"] == run["exit_conditions"][0]
    if ended.last.startswith("{"):
        last = json.loads(ended.last)
        assert last["exit_code"] == ended.code
        assert last["event"].startswith(f"exit {ended.code}: ")
    else:
        assert ended.last.startswith(f"auditor: exit {ended.code}: ")
    return run["exit_code"], run["exit_conditions"]


def test_all_audited_and_nothing_that_counts_is_0(process: Process, serve: Serve, out: RunFolder) -> None:
    serve(planted=0)
    ended = process("run", "-o", "out", *CONSOLE)
    assert told(ended, out) == (0, [0])
    assert (
        ended.err
        == "auditor: exit 0: everything planned was audited and judged, and nothing found that counts\n"
    )
    assert ended.out.startswith("Complete: coverage 100 %\n4 targets: 4 complete\n")


def test_a_grave_finding_is_1_and_the_last_line_is_json_where_the_logs_are(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    ended = process("run", "-o", "out")
    grave = sum(expected.policy == "stale-failed-export" for expected in served.estate.truth)
    assert told(ended, out) == (1, [1])
    assert ended.logged[-1]["event"] == f"exit 1: {grave} finding(s) at or above high"
    assert ended.logged[-1]["exit_code"] == 1


def test_with_a_history_only_what_is_new_can_be_1(process: Process, serve: Serve, out: RunFolder) -> None:
    served = serve()
    with served.config.open("a", encoding="utf-8") as config:
        config.write("history: {}\n")
    grave = sum(expected.policy == "stale-failed-export" for expected in served.estate.truth)
    first = process("run", "-o", "out", "--fail-on", "new:high", *CONSOLE)
    assert told(first, out) == (1, [1])
    assert first.last == f"auditor: exit 1: {grave} new finding(s) at or above high"

    second = process("run", "-o", "second", "--fail-on", "new:high", *CONSOLE)
    assert told(second, replace(out, path=out.path.with_name("second"))) == (0, [0])
    third = process("run", "-o", "third", "--fail-on", "high", *CONSOLE)
    assert told(third, replace(out, path=out.path.with_name("third"))) == (1, [1])
    assert third.last == f"auditor: exit 1: {grave} finding(s) at or above high"


@pytest.mark.parametrize("severity", ["critical", "high", "medium", "low", "info"])
def test_to_count_what_is_new_without_a_history_is_2_before_the_first_call(
    auditor: Auditor, serve: Serve, out: RunFolder, severity: str
) -> None:
    served = serve()
    ended = auditor("run", "-o", "out", "--fail-on", f"new:{severity}", *CONSOLE)
    assert ended.code == 2
    assert ended.err.startswith(
        f"auditor: --fail-on new:{severity}: without a history nothing tells what is "
    )
    assert f"add history: {{}} to the configuration, or write --fail-on {severity} to" in ended.err
    assert ended.last == "auditor: exit 2: nothing was audited"
    assert not served.calls
    assert not out.path.exists()


@pytest.mark.parametrize(
    ("severity", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("low", 1), ("info", 1)]
)
def test_what_is_new_counts_from_its_severity_upwards(
    auditor: Auditor, serve: Serve, out: RunFolder, severity: str, code: int
) -> None:
    served = serve()
    with served.config.open("a", encoding="utf-8") as config:
        config.write("history: {}\n")
    ended = auditor("run", "-o", "out", "--fail-on", f"new:{severity}", *CONSOLE)
    assert told(ended, out) == (code, [code])
    order = ["critical", "high", "medium", "low", "info"]
    grave = sum(order.index(each["severity"]) <= order.index(severity) for each in out.findings)
    if code:
        assert ended.last == f"auditor: exit 1: {grave} new finding(s) at or above {severity}"


def test_no_usable_credentials_are_2_and_nothing_is_written(
    process: Process, serve: Serve, out: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ended = process("run", "-o", "out", *CONSOLE)
    assert ended.code == 2
    assert ended.last == "auditor: exit 2: nothing was audited"
    assert ended.err.startswith("auditor: no AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID")
    assert not out.path.exists()


def test_a_gap_is_3_and_hides_the_findings_that_run_json_lists(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    ended = process("run", "-o", "out", *CONSOLE)
    assert told(ended, out) == (3, [3, 1])
    grave = sum(
        expected.policy == "stale-failed-export" and expected.region == "us-east-1"
        for expected in served.estate.truth
    )
    assert ended.last == (
        f"auditor: exit 3: coverage 50 % is below 100 %; {grave} finding(s) at or above high"
    )


def test_what_cannot_be_written_is_4_and_hides_gaps_and_findings(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    ended = process("run", "-o", "out", "-f", "json=/dev/full", *CONSOLE)
    assert told(ended, out) == (4, [4, 3, 1])
    assert "not everything could be written: /dev/full: No space left on device" in ended.last
    assert "Traceback" not in ended.err


OWN_POLICY = '''"""Nothing, until it stumbles.

Why
    To see what becomes of a run then.
"""

from auditor.config import PolicySettings
from auditor.model import ExportRecord
from auditor.policies import Breach, RecordPolicy


class Settings(PolicySettings):
    """What every policy has."""


class Record(ExportRecord):
    """One of its own making."""

    def related(self):
        raise RecursionError


class Policy(RecordPolicy[Settings]):
    """It stumbles in one Region."""

    settings_type = Settings
    remediation = "None is needed."

    def judge(self, record):
        return None

    def judge_of(self, target):
        return self.stumble if target.region == "eu-west-1" else self.judge

    def stumble(self, record):
        DOES
'''


def with_own_policy(folder: Path, does: str) -> dict[str, str]:
    """Install a policy that does this in one Region, and return the environment that has it."""
    site = Site(folder / "site")
    site.folder.mkdir()
    site.install("mine", "stumbles = mine", mine=OWN_POLICY.replace("DOES", does))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site.folder), *filter(None, sys.path)])}


def test_a_target_that_ended_by_a_bug_is_5_and_what_was_found_elsewhere_is_reported(
    process: Process, serve: Serve, out: RunFolder, tmp_path: Path
) -> None:
    served = serve()
    # A policy whose breach passes every check, and of which no finding can be made.
    odd = "return Breach(Record(record.raw), 'Here.', {})"
    ended = process("run", "-o", "out", *CONSOLE, env=with_own_policy(tmp_path, odd))
    assert told(ended, out) == (5, [5, 3, 1])
    assert ended.last.startswith("auditor: exit 5: 2 target(s) ended in an internal error, a bug; coverage ")
    reasons = {
        (line["region"], line["verdict"], line["reason"])
        for line in out.coverage
        if line["source"] == EXPORT_RECORDS
    }
    assert reasons == {("us-east-1", "complete", None), ("eu-west-1", "partial", "internal-error")}
    expected = {each.resource_arn for each in served.estate.truth if each.region == "us-east-1"}
    assert expected <= {finding["resource_arn"] for finding in out.findings}


def test_what_nothing_was_made_to_catch_is_5_and_leaves_nothing_that_looks_whole(
    process: Process, serve: Serve, out: RunFolder, tmp_path: Path
) -> None:
    serve()
    ended = process("run", "-o", "out", *CONSOLE, env=with_own_policy(tmp_path, "raise GeneratorExit"))
    assert (ended.code, ended.last) == (5, "auditor: exit 5: a bug of the auditor: GeneratorExit")
    assert {"findings.jsonl", "coverage.jsonl", "run.json"}.isdisjoint(out.names)


@pytest.mark.parametrize(
    ("options", "conditions"),
    [
        ((), [3, 1]),
        (("--min-coverage", "50"), [1]),
        (("--min-coverage", "51"), [3, 1]),
        (("--min-coverage", "50", "--fail-on", "none"), [0]),
        (("--min-coverage", "0", "--fail-on", "critical"), [0]),
        (("--min-coverage", "50", "--fail-on", "info"), [1]),
        (("--fail-on", "none"), [3]),
    ],
)
def test_the_thresholds_decide_which_code_it_is(
    auditor: Auditor,
    serve: Serve,
    out: RunFolder,
    options: tuple[str, ...],
    conditions: list[int],
) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    ended = auditor("run", "-o", "out", *options)
    assert told(ended, out) == (conditions[0], conditions)


def test_records_that_no_policy_could_judge_are_3_unless_they_are_allowed(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve(oddities=True, records_per_target=60, planted=0.9)
    records = len({expected.resource_arn for expected in served.estate.unjudgeable})
    assert records > 0
    ended = auditor("run", "-o", "out", "--fail-on", "none", *CONSOLE)
    assert told(ended, out) == (3, [3])
    assert ended.last == f"auditor: exit 3: {records} record(s) could not be judged, 0 allowed"
    assert f"{records} record(s) could not be judged (" in ended.out

    allowed = auditor("run", "-o", "allowed", "--fail-on", "none", "--max-unjudged", str(records), *CONSOLE)
    assert told(allowed, replace(out, path=out.path.with_name("allowed"))) == (0, [0])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_hides_what_was_not_written(
    spawn: Spawn, serve: Serve, out: RunFolder, number: int, code: int
) -> None:
    served = serve(Fault(FaultKind.HANG, region="eu-west-1"))
    started = spawn("run", "-o", "out", "-f", "json=/dev/full", *CONSOLE)
    served.wait_for(FaultKind.HANG)
    ended = started.ended_by(number)
    found = told(ended, out)
    assert found[0] == code
    assert found[1][:3] == [code, 4, 3]
    assert ended.last.startswith(f"auditor: exit {code}: interrupted by SIG")


def test_a_command_that_only_shows_ends_with_0(process: Process) -> None:
    ended = process("policies")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["deliver", "-c", "nowhere.yaml"], "1 problem in the configuration; nothing was sent"),
        (["verify", ".", "--allow-unsigned"], "nothing was verified"),
        (["replay", "."], "nothing was replayed"),
        (["bundle", ".", "-o", "bundle.zip"], "nothing was bundled"),
        (["run", "-c", "nowhere.yaml"], "1 problem in the configuration; nothing was audited"),
    ],
)
def test_a_command_that_can_not_be_carried_out_says_what_was_not_done(
    process: Process, command: list[str], word: str
) -> None:
    assert f"exit 2: {word}" in process(*command).last
