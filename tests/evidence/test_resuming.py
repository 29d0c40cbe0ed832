"""A run with evidence that died goes on: what was kept stays, nothing is kept twice, and all of it verifies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditor.evidence.reading import Evidence
from auditor.evidence.verifying import faults_of
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread
from tests.evidence.conftest import estate_of

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.server import Running

COMMAND = (sys.executable, "-m", "auditor", "run", "--quiet")


def start(folder: Path, server: Running, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, **server.environ}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_a_checkpoint(folder: Path, places: int) -> None:
    """Return once so many places are on the disk as done."""
    path = folder / "run" / "checkpoint.jsonl"
    while not path.exists() or path.read_bytes().count(b"\n") < places + 1:
        os.sched_yield()


def done_places(folder: Path) -> set[tuple[str, str]]:
    """The accounts and Regions that the checkpoint tells of."""
    _, *lines = (folder / "run" / "checkpoint.jsonl").read_bytes().splitlines()
    return {(told["account_id"], told["region"]) for told in map(json.loads, lines)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_died_goes_on_with_the_answers_that_it_has(tmp_path: Path, how: signal.Signals) -> None:
    estate = estate_of(accounts=3)
    hanging = estate.accounts[2].id
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), "utf-8")
    faults = (
        Fault(FaultKind.HANG, hanging, region="eu-west-1", page=2, times=1),
        # One that ends later than the others: a second after these the checkpoint is brought to the disk with it.
        Fault(FaultKind.LATENCY, estate.accounts[0].id, region="us-east-1", page=1, seconds=1.5),
    )
    with serve_in_thread(estate, faults=faults) as server:
        with start(tmp_path, server, "-o", "run", "--evidence") as process:
            wait_for_a_checkpoint(tmp_path, 5)
            process.send_signal(how)
            process.communicate(timeout=30)
        if how is signal.SIGINT:
            assert list(faults_of(tmp_path / "run", allow_unsigned=True)) == []
        calls, done = len(server.calls), done_places(tmp_path)
        with start(tmp_path, server, "--resume", "run") as process:
            _, told = process.communicate(timeout=30)
        again = server.calls[calls:]

    assert process.returncode in (1, 3), told
    assert list(faults_of(tmp_path / "run", allow_unsigned=True)) == []
    asked = {(call.account_id, call.region) for call in again if call.page is not None}
    assert len(done) >= 5
    assert asked
    assert asked & done == set()
    evidence = Evidence.open(tmp_path / "run")
    places = [(place.account_id, place.region) for place in evidence.places() if place.region]
    assert len(places) == len(set(places)) == 9
    assert not (tmp_path / "run" / "evidence.old").exists()


def test_a_run_that_kept_nothing_can_not_begin_to_as_it_goes_on(tmp_path: Path) -> None:
    estate = estate_of(accounts=2)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), "utf-8")
    faults = (Fault(FaultKind.HANG, region="eu-west-1", page=2),)
    with serve_in_thread(estate, faults=faults) as server:
        with start(tmp_path, server, "-o", "run") as process:
            wait_for_a_checkpoint(tmp_path, 0)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        with start(tmp_path, server, "--resume", "run", "--evidence") as process:
            _, told = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "was begun without it, and its first answers are gone" in told
