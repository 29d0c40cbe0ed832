"""How a run tells how far it is, and where no colour is wanted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, Process, Serve, Spawn, Terminal

COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


def test_a_live_line_on_a_terminal_tells_targets_findings_rate_and_time_left(
    spawn: Spawn, serve: Serve, terminal: Terminal
) -> None:
    served = serve()
    hanging = served.estate.accounts[0].id
    served = serve(Fault(FaultKind.HANG, hanging), estate=served.estate)
    found = sum(each.account_id != hanging for each in served.estate.truth)
    started = spawn("run", "-o", "out", stderr=terminal.device)
    terminal.wait_for(r"0/4 targets, 0 findings, 0 requests/s")
    told = terminal.wait_for(rf"2/4 targets, {found} findings, (\d+) requests/s, 0:0\d left")
    assert int(told[1]) > 0
    assert started.ended_by().code == 130
    terminal.wait_for("exit 130")
    # The line is drawn over itself, and taken away at the end: one line, however long the run.
    assert "\x1b[2K" in terminal.shown
    assert all(len(line) < 80 for line in re.findall(r"\d/4 targets[^\x1b\r\n]*", terminal.shown))


def test_a_quiet_run_draws_nothing_on_a_terminal(process: Process, serve: Serve, terminal: Terminal) -> None:
    serve(planted=0)
    ended = process("run", "-o", "out", "--quiet", "--log-level", "error", stderr=terminal.device)
    assert ended.code == 0
    terminal.wait_for("exit 0: [^\n]*\n")
    assert terminal.shown.splitlines() == [
        "auditor: exit 0: everything planned was audited and judged, and nothing found that counts"
    ]


def test_progress_is_a_line_of_json_where_standard_error_is_no_terminal(
    auditor: Auditor, serve: Serve
) -> None:
    serve()
    ended = auditor("run", "-o", "out")
    progress = [line for line in ended.logged if line["event"] == "progress"]
    assert progress
    first = progress[0]
    assert (first["done"], first["planned"], first["findings"], first["left_s"]) == (0, 4, 0, None)
    assert first["requests_per_s"] == 0
    assert "progress" not in ended.out


def test_a_quiet_run_logs_no_progress(auditor: Auditor, serve: Serve) -> None:
    serve()
    ended = auditor("run", "-o", "out", "--quiet")
    assert "calls do not go to AWS" in {line["event"] for line in ended.logged}
    assert "progress" not in {line["event"] for line in ended.logged}


def test_the_log_level_is_the_least_that_is_logged(auditor: Auditor, serve: Serve) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"), Fault(FaultKind.THROTTLE, times=1))
    levels = {
        level: {
            line["level"] for line in auditor("run", "-o", f"out-{level}", "--log-level", level).logged[:-1]
        }
        for level in ("debug", "info", "warning", "error")
    }
    assert levels == {
        "debug": {"debug", "info", "warning"},
        "info": {"info", "warning"},
        "warning": {"warning"},
        "error": set(),
    }


def test_a_gap_is_logged_with_its_account_region_source_and_request_id(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    ended = auditor("run", "-o", "out")
    gaps = [line for line in ended.logged if line["event"] == "target not read to its end"]
    assert {(line["account"], line["region"], line["source"]) for line in gaps} == {
        (account.id, "eu-west-1", "lightsail:GetExportSnapshotRecords") for account in served.estate.accounts
    }
    for line in gaps:
        assert (line["reason"], line["error_code"]) == ("access-denied", "AccessDeniedException")
        assert re.fullmatch("[0-9a-f]{8}-[0-9a-f-]{27}", line["request_id"])


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_color_holds_on_a_terminal(
    process: Process, serve: Serve, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    monkeypatch.setenv("NO_COLOR", no_color)  # empty is as if it were not there: no-color.org
    ended = process("run", "-o", "out", stdout=terminal.device, stderr=terminal.device)
    assert ended.code == 3
    terminal.wait_for("exit 3: ")
    assert "NOT COMPLETE: coverage 50 %" in terminal.shown
    assert bool(COLOUR.search(terminal.shown)) is not bool(no_color)


def test_no_escape_sequence_is_written_where_nothing_is_a_terminal(process: Process, serve: Serve) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    ended = process("run", "-o", "out", "--log-format", "console", "--log-level", "debug")
    assert "NOT COMPLETE" in ended.out
    assert "target not read to its end" in ended.err
    assert "\x1b" not in ended.out + ended.err
