"""A deadline or a signal ends a run in order: what was done is kept, and nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import Observer, RunOptions
from auditor.simulator.endpoint import Call
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.simulator.server import Running
    from tests.audit.conftest import Auditing, EstateMaker

IN_TIME = 6.0
"""Seconds: three are promised, and this machine may be busy."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class _Watch(Observer):
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
    watch = _Watch()
    before = open_files()

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
    assert open_files() <= before


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


class Calls(list[Call]):
    """The calls of a server, which tell the thread that waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def append(self, call: Call) -> None:
        with self._changed:
            super().append(call)
            self._changed.notify_all()

    def wait_for(self, what: Callable[[Call], bool], times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: sum(map(what, self)) >= times, 20)


class Started:
    """`auditor run` in a process of its own."""

    def __init__(self, folder: Path, running: Running, *arguments: str) -> None:
        self.folder = folder / "run"
        config = folder / "accounts.yaml"
        config.write_text(running.estate.accounts_yaml(), encoding="utf-8")
        command = [sys.executable, "-m", "auditor", "run", "-c", str(config), "-o", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=os.environ | running.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []

    def wait_for_log(self, text: str, times: int) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            times -= text in line
            if not times:
                return
        raise AssertionError(self.log)

    def ended(self) -> int:
        """Wait for its end, keep what it logged, and return its exit code."""
        assert self.process.stderr is not None
        self.log += self.process.stderr.readlines()
        return self.process.wait(20)

    @property
    def out(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_at_once_and_keeps_what_was_done(
    estate_of: EstateMaker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    estate = estate_of(3)
    hangs, later, whole = (account.id for account in estate.accounts)
    faults = [Fault(FaultKind.HANG, hangs), Fault(FaultKind.HANG, later, page=2)]

    with serve_in_thread(estate, faults=faults) as running:
        running.calls = calls = Calls()
        with closing(Started(tmp_path, running, "--log-level", "debug")) as started:
            started.wait_for_log('"verdict": "complete"', 2)
            calls.wait_for(lambda call: call.account_id == later and call.page == 2, 2)
            started.process.send_signal(number)
            sent = time.monotonic()
            assert started.ended() == code
            assert time.monotonic() - sent < IN_TIME

    assert f"exit {code}" in started.log[-1]
    assert sorted(file.name for file in started.folder.iterdir()) == [
        "checkpoint.jsonl",
        "coverage.jsonl",
        "findings.jsonl",
        "run.json",
    ]
    assert f"auditor run --resume {started.folder}" in started.log[-1]
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
    assert "Traceback" not in "".join(started.log)


def test_a_deadline_on_the_command_line_exits_3_and_leaves_whole_files(
    estate_of: EstateMaker, tmp_path: Path
) -> None:
    estate = estate_of(2)

    with (
        serve_in_thread(estate, faults=[Fault(FaultKind.HANG, page=2)]) as running,
        closing(Started(tmp_path, running, "--deadline", "2s")) as started,
    ):
        assert started.ended() == 3
        out = started.out

    assert {(line["verdict"], line["reason"]) for line in started.lines("coverage.jsonl")} == {
        ("partial", "deadline")
    }
    assert "deadline" in out
    assert "exit 3" in started.log[-1]
    assert not list(started.folder.glob("*.part"))
