"""A deadline or a signal ends a run in order: what was done is kept, and nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.audit import Observer, RunOptions
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.server import Running
    from tests.audit.conftest import Auditing, EstateMaker

IN_TIME = 6.0
"""Seconds: three are promised, and this machine may be busy."""


class _Deadline(Observer):
    """Takes note of when the first target starts."""

    def __init__(self) -> None:
        self.started = 0.0

    def ready(self) -> None:
        self.started = time.monotonic()


async def test_at_the_deadline_each_unfinished_target_says_so_and_what_was_read_is_kept(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(4, regions=["us-east-1", "eu-west-1", "eu-west-2"])
    first, second, third, whole = (account.id for account in estate.accounts)
    options = RunOptions(deadline=timedelta(seconds=2))
    watch = _Deadline()
    before = len(os.listdir("/proc/self/fd"))

    seen = await auditing(
        estate,
        Fault(FaultKind.HANG, first),
        Fault(FaultKind.HANG, second, page=3),
        Fault(FaultKind.HANG, third, operation="AssumeRole"),
        options=options,
        observer=watch,
    )

    assert time.monotonic() - watch.started < 2 + IN_TIME
    for region in estate.regions:
        assert seen.reasons[first, region] == ("failed", "deadline")
        assert seen.reasons[second, region] == ("partial", "deadline")
        assert seen.reasons[third, region] == ("failed", "deadline")
        assert seen.reasons[whole, region] == ("complete", None)
        assert seen.line(second, region)["pages"] == 2
        assert seen.line(second, region)["records"] == 14
    assert {one for one in estate.truth if one.account_id == whole} <= seen.found
    assert {finding["account_id"] for finding in seen.findings} == {second, whole}
    assert seen.result.exit_code == 3
    assert seen.run["totals"]["targets"]["planned"] == 12
    assert len(asyncio.all_tasks()) == 1
    gc.collect()  # what was left open would warn, and so fail
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_targets_that_were_never_begun_end_with_the_deadline_too(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(12)

    seen = await auditing(
        estate,
        Fault(FaultKind.HANG),
        options=RunOptions(deadline=timedelta(seconds=1), concurrency=1),
    )

    assert len(seen.reasons) == 24
    assert set(seen.reasons.values()) == {("failed", "deadline")}
    assert sum(line["requests"] for line in seen.coverage) < 24
    assert seen.result.exit_code == 3


async def test_a_deadline_counts_from_the_start_and_not_from_the_first_target(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    began = time.monotonic()

    seen = await auditing(
        estate,
        Fault(FaultKind.HANG, operation="GetCallerIdentity"),
        options=RunOptions(deadline=timedelta(seconds=1)),
    )

    assert time.monotonic() - began < 1 + IN_TIME
    assert set(seen.reasons.values()) == {("failed", "deadline")}
    assert seen.run["caller_arn"] is None


async def test_a_run_after_a_deadline_in_the_same_process_is_whole(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    short = RunOptions(deadline=timedelta(milliseconds=700))

    cut = await auditing(estate, Fault(FaultKind.HANG, page=2), options=short)
    whole = await auditing(estate)

    assert {reason for _, reason in cut.reasons.values()} == {"deadline"}
    assert set(whole.reasons.values()) == {("complete", None)}
    assert whole.found == estate.truth


class Started:
    """`auditor run` in a process of its own."""

    def __init__(self, folder: Path, running: Running, *arguments: str) -> None:
        self.folder = folder / "run"
        config = folder / "accounts.yaml"
        config.write_text(running.estate.accounts_yaml(), encoding="utf-8")
        command = [sys.executable, "-m", "auditor", "run", "-c", str(config), "-o", str(self.folder)]
        self.process = subprocess.Popen(  # noqa: S603 -- our own program
            [*command, *arguments],
            env=os.environ | running.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def ended(self) -> tuple[int, str, str]:
        """Wait for its end, and return exit code, standard output and standard error."""
        with anyio.fail_after(30):
            out, err = await anyio.to_thread.run_sync(self.process.communicate)
        return self.process.returncode, out, err

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]


async def until(running: Running, calls: int, in_flight: int) -> None:
    """Wait until the server has seen so many calls and so many are in flight."""
    with anyio.fail_after(20):
        while len(running.calls) < calls or running.in_flight < in_flight:
            await anyio.sleep(0.02)  # it runs in another thread, and tells nobody


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_a_run_at_once_and_keeps_what_was_done(
    estate_of: EstateMaker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    estate = estate_of(3)
    hangs, later, whole = (account.id for account in estate.accounts)
    faults = [Fault(FaultKind.HANG, hangs), Fault(FaultKind.HANG, later, page=2)]

    with serve_in_thread(estate, faults=faults) as running:
        started = Started(tmp_path, running)
        # One GetCallerIdentity, three roles, 2 × (1 + 2 + 3) pages, of which four never come.
        await until(running, 1 + 3 + 12, 4)
        started.process.send_signal(number)
        sent = time.monotonic()
        exit_code, _, err = await started.ended()
        took = time.monotonic() - sent

    assert exit_code == code
    assert took < IN_TIME
    assert err.splitlines()[-1].count(f"exit {code}") == 1
    assert sorted(file.name for file in started.folder.iterdir()) == [
        "coverage.jsonl",
        "findings.jsonl",
        "run.json",
    ]
    verdicts = {
        (line["account_id"], line["region"]): (line["verdict"], line["reason"])
        for line in started.lines("coverage.jsonl")
    }
    for region in estate.regions:
        assert verdicts[hangs, region] == ("failed", "interrupted")
        assert verdicts[later, region] == ("partial", "interrupted")
        assert verdicts[whole, region] == ("complete", None)
    run = json.loads((started.folder / "run.json").read_text("utf-8"))
    assert run["exit_code"] == code
    assert run["exit_conditions"][0] == code
    assert 3 in run["exit_conditions"]
    found = {finding["resource_arn"] for finding in started.lines("findings.jsonl")}
    assert {one.resource_arn for one in estate.truth if one.account_id == whole} <= found
    assert "Traceback" not in err


async def test_a_deadline_on_the_command_line_exits_3_and_leaves_whole_files(
    estate_of: EstateMaker, tmp_path: Path
) -> None:
    estate = estate_of(2)

    with serve_in_thread(estate, faults=[Fault(FaultKind.HANG, page=2)]) as running:
        started = Started(tmp_path, running, "--deadline", "2s")
        exit_code, out, err = await started.ended()

    assert exit_code == 3
    assert {(line["verdict"], line["reason"]) for line in started.lines("coverage.jsonl")} == {
        ("partial", "deadline")
    }
    assert "deadline" in out
    assert "exit 3" in err.splitlines()[-1]
    assert not list(started.folder.glob("*.part"))
