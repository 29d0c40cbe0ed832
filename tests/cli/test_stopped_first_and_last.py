"""A signal, or the deadline, that comes before there is a plan, or after the last target: told for what it is."""

from __future__ import annotations

import signal
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind
from tests.cli.estates import organized

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.estate import Expected
    from tests.cli.conftest import Ended, RunFolder, Serve, Spawn

SOON = 6.0
"""Seconds: three are promised, and this machine may be busy."""
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""And how the run exits."""
LISTINGS = [
    ("ListAccounts", "organization: {}\n"),
    ("ListRoots", "organization: {include: {ous: [Root/Prod]}}\n"),
    ("ListTagsForResource", "organization: {include: {tags: {env: prod}}}\n"),
    ("AssumeRole", 'organization: {role_arn: "arn:aws:iam::BASE:role/Lister"}\n'),
]
"""What is asked when the run ends, and a configuration that asks for it."""
LIST = 'accounts: [{id: "HERE"}]\n'
SHORT = "4s"
"""A deadline that leaves a busy machine the time to get as far as the call that hangs."""
NO_REGIONS = Fault(FaultKind.HANG, operation="GetRegions")
"""The last call of a run, once every target is settled."""


def hanging(operation: str) -> Fault:
    return Fault(FaultKind.HANG, operation=operation)


def assert_ended_by(ended: Ended, number: signal.Signals) -> None:
    code = SIGNALS[number]
    assert ended.code == code
    assert ended.logged[-1]["exit_code"] == code
    assert "Traceback" not in ended.err
    # What interrupts is said in the log, whatever stands in the last line.
    assert number.name in [line.get("signal") for line in ended.logged]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("listing", [*LISTINGS, ("ListAccounts", "organization: {}\n" + LIST)])
def test_a_signal_while_the_organization_is_listed_writes_nothing_and_blames_nobody(
    spawn: Spawn, serve: Serve, out: RunFolder, listing: tuple[str, str], number: signal.Signals
) -> None:
    operation, text = listing
    served = organized(serve, text, hanging(operation))
    started = spawn("run", "-o", "out")
    served.wait_for(FaultKind.HANG)
    began = monotonic()
    ended = started.ended_by(number)
    assert monotonic() - began < SOON
    assert_ended_by(ended, number)
    assert ended.logged[-1]["event"] == f"exit {SIGNALS[number]}: interrupted before anything was audited"
    assert "can't be read" not in ended.err
    assert ended.out == ""
    assert not out.path.exists()


@pytest.mark.parametrize(("operation", "text"), LISTINGS[1::2])
def test_a_deadline_while_the_organization_is_listed_names_what_hung_and_what_to_do(
    spawn: Spawn, serve: Serve, tmp_path: Path, operation: str, text: str
) -> None:
    served = organized(serve, text, hanging(operation))
    began = monotonic()
    ended = spawn("run", "-o", "out", "--deadline", SHORT, "--log-format", "console").ended()
    assert monotonic() - began < 4 + SOON
    assert ended.code == 2
    assert FaultKind.HANG in {call.fault for call in served.calls}
    service = "sts" if operation == "AssumeRole" else "organizations"
    assert (
        f"auditor: accounts.yaml:3: the organization can't be read: {service}:{operation}: deadline "
        "(the run's deadline was over); lengthen deadline under limits, or a run's --deadline\n"
    ) in ended.err
    assert ended.last == "auditor: exit 2: nothing was audited"
    assert "Traceback" not in ended.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["accounts.yaml"]


def test_a_deadline_while_the_organization_is_listed_accounts_for_the_list_too(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    served = organized(serve, "organization: {}\n" + LIST, hanging("ListAccounts"))
    began = monotonic()
    ended = spawn("run", "-o", "out", "--deadline", SHORT).ended()
    assert monotonic() - began < 4 + SOON
    assert ended.code == 3
    assert FaultKind.HANG in {call.fault for call in served.calls}
    assert "Traceback" not in ended.err
    assert {(line["verdict"], line["reason"]) for line in out.coverage} == {("failed", "deadline")}
    first, *others = out.coverage
    assert (first["source"], first["account_id"]) == (
        "organizations:ListAccounts",
        served.estate.base.account_id,
    )
    assert {line["account_id"] for line in others} == {served.estate.accounts[0].id}
    assert out.run["totals"]["targets"]["planned"] == len(out.coverage)
    assert out.run["scope"]["organization_gap"]["reason"] == "deadline"
    assert out.run["exit_conditions"] == [3]
    assert "GetExportSnapshotRecords" not in {call.operation for call in served.calls}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_the_last_call_finds_everything_done_and_written(
    spawn: Spawn, serve: Serve, out: RunFolder, number: signal.Signals
) -> None:
    served = serve(NO_REGIONS)
    started = spawn("run", "-o", "out")
    served.wait_for(FaultKind.HANG)
    began = monotonic()
    ended = started.ended_by(number)
    assert monotonic() - began < SOON
    assert_ended_by(ended, number)
    assert out.run["exit_conditions"] == [SIGNALS[number], 1]
    assert_whole(served.estate.truth, out)


def test_a_deadline_during_the_last_call_is_no_gap(spawn: Spawn, serve: Serve, out: RunFolder) -> None:
    served = serve(NO_REGIONS)
    began = monotonic()
    ended = spawn("run", "-o", "out", "--deadline", "8s").ended()
    assert monotonic() - began < 8 + SOON
    assert FaultKind.HANG in {call.fault for call in served.calls}
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert out.run["exit_conditions"] == [1]
    assert_whole(served.estate.truth, out)


def assert_whole(truth: frozenset[Expected], out: RunFolder) -> None:
    """Every target was read, all is found, and nothing is said of Regions that nobody told of."""
    assert {(line["verdict"], line["reason"]) for line in out.coverage} == {("complete", None)}
    assert len(out.coverage) == out.run["totals"]["targets"]["planned"] > 0
    assert out.run["coverage_percent"] == 100
    assert len(out.findings) == len(truth)
    assert out.run["scope"]["regions_compared"] is False
    assert out.run["scope"]["regions_only_of_botocore"] == []
    assert out.names == ["coverage.jsonl", "findings.jsonl", "run.json"]
