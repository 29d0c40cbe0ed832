"""The oracle of the campaigns finds what is wrong: a run without faults, and one thing in it changed by hand."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fire.checking import problems
from tests.fire.drawing import Campaign, draw
from tests.fire.explaining import unexplained
from tests.fire.leftovers import watched
from tests.fire.night import Seen, configure, spend
from tests.fire.receiver import TAKE, Receiver
from tests.fire.soaking import Sample, verdict
from tests.fire.troubles import Night

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest import TempPathFactory  # noqa: PT013 -- a type

Lines = list[dict[str, Any]]
Run = tuple[Campaign, Seen, list[dict[str, Any]], float]


@pytest.fixture(scope="module")
def run(tmp_path_factory: TempPathFactory) -> Run:
    """A run in which nothing went wrong."""
    folder, made = tmp_path_factory.mktemp("fire"), time.time()
    drawn = next(
        each
        for each in map(draw, range(100))
        if not each.estate.hub
        and not any(account.afterlife for account in each.estate.accounts)
        and len(each.estate.truth) > 5
        and not each.estate.unjudgeable
        and len(each.estate.accounts) > 1
    )
    campaign = replace(
        drawn, nights=(Night(),), remembers=True, as_process=False, by_name=False, deadline=20.0
    )
    receiver = Receiver([TAKE])
    with receiver.serving():
        configure(campaign, folder, receiver)
        seen = spend(campaign, 0, folder, receiver, None)
    return campaign, seen, receiver.taken, made


def changed(run: Run, to: Path, name: str, change: Callable[[Lines], object]) -> list[str]:
    campaign, seen, taken, made = run
    folder = to / seen.folder.name
    shutil.copytree(seen.folder, folder)
    lines = seen.lines(name)
    change(lines)
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return problems(campaign, replace(seen, folder=folder), taken, made)


def test_nothing_is_wrong_where_nothing_went_wrong(run: Run) -> None:
    campaign, seen, taken, made = run
    assert problems(campaign, seen, taken, made) == []
    assert seen.exit_code == 1
    assert taken


CHANGES: dict[str, tuple[str, Callable[[Lines], object], str]] = {
    "a finding less": ("findings.jsonl", lambda lines: lines.pop(), "not found: "),
    "a finding twice": ("findings.jsonl", lambda lines: lines.append(lines[0]), "2 findings of id"),
    "a false finding": (
        "findings.jsonl",
        lambda lines: lines[0].update(resource_arn="arn:of-nothing", finding_id="0"),
        "false: ",
    ),
    "no verdict": ("coverage.jsonl", lambda lines: lines.pop(), "no verdict of"),
    "two verdicts": ("coverage.jsonl", lambda lines: lines.append(lines[0]), "2 verdicts of"),
    "a target that is not planned": (
        "coverage.jsonl",
        lambda lines: lines.append({**lines[0], "region": "eu-north-1"}),
        "which was not planned",
    ),
    "no reason": ("coverage.jsonl", lambda lines: lines[0].update(verdict="failed", pages=0), "failed, None"),
    "a bug": (
        "coverage.jsonl",
        lambda lines: lines[0].update(verdict="failed", pages=0, reason="internal-error"),
        "internal-error",
    ),
    "skipped without a proof": (
        "coverage.jsonl",
        lambda lines: lines[0].update(verdict="skipped", pages=0, reason="region-not-enabled"),
        "and the Region is enabled",
    ),
    "a record less": (
        "coverage.jsonl",
        lambda lines: lines[0].update(records=lines[0]["records"] - 1),
        "records of",
    ),
    "findings beyond what was read": (
        "coverage.jsonl",
        lambda lines: [
            line.update(verdict="partial", pages=1, records=0, reason="throttled") for line in lines
        ],
        "found, and not in what was read",
    ),
    "a finding resolved that is there": (
        "findings.jsonl",
        lambda lines: lines[0].update(status="resolved"),
        "resolved, and it is there",
    ),
    "an event that no finding is of": (
        "findings.jsonl",
        lambda lines: lines[0].update(event_id="0"),
        "taken by the receiver, and not found",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_wrong_is_found(run: Run, tmp_path: Path, name: str) -> None:
    file, change, said = CHANGES[name]
    wrong = changed(run, tmp_path, file, change)
    assert any(said in each for each in wrong), wrong


def test_another_exit_code_a_late_end_and_what_was_left_are_found(run: Run) -> None:
    campaign, seen, taken, made = run
    for other, said in (
        (replace(seen, exit_code=0), "exit 0, and by the contract [1]"),
        (replace(seen, due=3), "exit 1, and by the contract [4, 1]"),
        (replace(seen, wall=24.0, starved=0.5), "took 23.50 s"),
        (replace(seen, left=["a thread: one"]), "a thread: one"),
        (replace(seen, log=[{"event": "internal error: a bug of the auditor"}]), "said in the log"),
        (replace(seen, error="no such thing"), "refused to run"),
    ):
        assert any(said in each for each in problems(campaign, other, taken, made)), said


def test_what_is_left_behind_is_seen(tmp_path: Path) -> None:
    stop = threading.Event()
    with watched(tmp_path) as over:
        thread = threading.Thread(target=stop.wait, name="left-behind")
        thread.start()
        kept = socket.create_server(("127.0.0.1", 0))
        (tmp_path / "findings.jsonl.part").touch()
        socket.create_server(("127.0.0.1", 0))
        gc.collect()
    stop.set()
    thread.join()
    kept.close()
    told = "\n".join(over.left)
    assert "a thread: left-behind" in told
    assert "an open file: socket:" in told
    assert "half a file: findings.jsonl.part" in told
    assert "ResourceWarning" in told


def test_a_loud_line_that_the_ledger_does_not_know_is_told(run: Run) -> None:
    seen = run[1]
    line = seen.coverage[0]
    where = {"source": line["source"], "account": line["account_id"], "region": line["region"]}
    event = {"event": "target not read to its end", "level": "warning", "reason": "throttled", **where}
    overrides = {"event": "calls do not go to AWS", "level": "warning", "service": "sts"}
    endpoint = seen.run["endpoint_overrides"]["sts"]
    assert unexplained([event], seen)
    assert unexplained([{"event": "something else", "level": "error"}], seen)
    assert not unexplained([{"event": "something else", "level": "info"}], seen)
    assert not unexplained([{**overrides, "endpoint": endpoint}], seen)


def samples(rss: Callable[[int], float], files: Callable[[int], int]) -> list[Sample]:
    return [Sample(10.0 * n, rss(n), files(n), 3, 5, n) for n in range(60)]


def test_what_grows_is_told_and_what_is_flat_is_not() -> None:
    assert verdict(samples(lambda n: 100 + n % 3, lambda n: 20 + n % 2))[0] == []
    # The warm-up may.
    assert verdict(samples(lambda n: min(90 + 3 * n, 100), lambda _: 20))[0] == []
    (grew,) = verdict(samples(lambda n: 100 + 0.2 * n, lambda _: 20))[0]
    assert grew.startswith("memory grew from 10")
    (grew,) = verdict(samples(lambda _: 100, lambda n: 20 + n // 10))[0]
    assert grew == "files grew from 22 to 25"
