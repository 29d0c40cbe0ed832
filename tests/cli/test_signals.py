"""Ctrl-C and SIGTERM: ended within moments, what was done kept, nothing claimed that was not seen."""

from __future__ import annotations

import json
import signal
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.cli.conftest import RunFolder, Serve, Served, Spawn, Terminal

SOON = 5.0
"""Seconds: two are promised, and a slow machine gets three more."""


def let_the_others_end(served: Served, hanging: str) -> None:
    """Return once the target that hangs was asked for, and the other account was read to its last pages."""
    served.wait_for(FaultKind.HANG)
    other = next(account.id for account in served.estate.accounts if account.id != hanging)
    with served.calls.changed:
        assert served.calls.changed.wait_for(
            lambda: sum(call.account_id == other and call.page == 3 for call in served.calls) == 2, SOON * 4
        )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_soon_with_what_was_done_written_and_the_rest_interrupted(
    spawn: Spawn, serve: Serve, out: RunFolder, number: int, code: int
) -> None:
    served = serve(Fault(FaultKind.HANG, region="eu-west-1", page=2))
    started = spawn("run", "-o", "out", "-f", "json")
    served.wait_for(FaultKind.HANG)
    began = monotonic()
    ended = started.ended_by(number)
    assert monotonic() - began < SOON
    assert ended.code == code
    assert "Traceback" not in ended.err
    assert ended.logged[-1]["exit_code"] == code
    name = signal.Signals(number).name
    assert ended.logged[-1]["event"].startswith(
        f"exit {code}: interrupted by {name}; what was done is kept; coverage "
    )
    assert out.names == ["checkpoint.jsonl", "coverage.jsonl", "findings.jsonl", "report.json", "run.json"]
    assert out.run["exit_conditions"][:2] == [code, 3]
    unfinished = [line for line in out.coverage if line["verdict"] != "complete"]
    assert len(out.coverage) == 4
    assert len(unfinished) >= 1
    for line in unfinished:
        assert line["reason"] == "interrupted"
        assert line["verdict"] == ("partial" if line["pages"] else "failed")
    assert any(line["region"] == "eu-west-1" and line["pages"] == 1 for line in unfinished)
    assert len(out.findings) == out.run["totals"]["findings"]["total"]
    assert json.loads((out.path / "report.json").read_text("utf-8"))["findings"] == out.findings
    assert "NOT COMPLETE: coverage " in ended.out
    assert "│ interrupted, in part " in ended.out


def test_ctrl_c_on_a_terminal_leaves_what_was_found_before_it(
    spawn: Spawn, serve: Serve, out: RunFolder, terminal: Terminal
) -> None:
    served = serve()
    hanging = served.estate.accounts[0].id
    served = serve(Fault(FaultKind.HANG, hanging), estate=served.estate)
    started = spawn("run", "-o", "out", stderr=terminal.device)
    let_the_others_end(served, hanging)
    terminal.wait_for("2/4 targets")
    ended = started.ended_by()
    assert ended.code == 130
    terminal.wait_for("auditor: exit 130: interrupted by SIGINT; what was done is kept")
    assert {line["verdict"]: line["account_id"] for line in out.coverage}["failed"] == hanging
    assert [line["verdict"] for line in out.coverage].count("complete") == 2
    truth = {each.resource_arn for each in served.estate.truth if each.account_id != hanging}
    assert {finding["resource_arn"] for finding in out.findings} == truth


def test_ctrl_c_before_the_first_page_was_asked_for_writes_nothing_and_shows_no_traceback(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.HANG, operation="GetCallerIdentity"))
    started = spawn("run", "-o", "out", "--log-format", "console")
    served.wait_for(FaultKind.HANG)
    began = monotonic()
    ended = started.ended_by()
    assert monotonic() - began < SOON
    assert ended.code == 130
    assert ended.last == "auditor: exit 130: interrupted before anything was audited"
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert not out.path.exists()


def test_ctrl_c_while_roles_are_assumed_accounts_for_every_target(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.HANG, operation="AssumeRole"))
    started = spawn("run", "-o", "out")
    served.wait_for(FaultKind.HANG)
    ended = started.ended_by()
    assert ended.code == 130
    assert {(line["verdict"], line["reason"]) for line in out.coverage} == {("failed", "interrupted")}
    assert len(out.coverage) == 4
    assert out.findings == []
    assert "No findings in what was read." in ended.out


def test_a_second_ctrl_c_does_not_break_what_the_first_began(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.HANG))
    started = spawn("run", "-o", "out")
    served.wait_for(FaultKind.HANG)
    started.process.send_signal(signal.SIGINT)
    ended = started.ended_by()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert out.names == ["checkpoint.jsonl", "coverage.jsonl", "findings.jsonl", "run.json"]
    assert len(out.coverage) == 4


def test_a_deadline_is_no_interruption(spawn: Spawn, serve: Serve, out: RunFolder) -> None:
    serve(Fault(FaultKind.HANG, region="eu-west-1"))
    ended = spawn("run", "-o", "out", "--deadline", "3s").ended()
    assert ended.code == 3
    gaps = {line["reason"] for line in out.coverage if line["region"] == "eu-west-1"}
    assert gaps == {"deadline"}
    assert out.run["exit_conditions"] == [3, 1]
