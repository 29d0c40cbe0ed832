"""`auditor deliver`: what is left of earlier runs is sent, and what is not says so."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from auditor.config import SQLiteStore
from auditor.history import Destination
from auditor.policies import catalogue
from auditor.simulator.faults import Fault, FaultKind
from tests.cli.conftest import REGIONS
from tests.delivery.threaded import Receiver
from tests.formats.ocsf_schemas import validate
from tests.history.conftest import Night, Nights, finding, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Auditor, RunFolder, Serve, Served, Spawn

KEY = "canary-of-the-signature"
NOW = "2026-11-25T01:00:00Z"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Path:
    """Return a configuration in whose history two events wait."""
    monkeypatch.setenv("HOOK_KEY", KEY)
    path = tmp_path / "accounts.yaml"
    path.write_text(
        'version: 1\naccounts: [{id: "111122223333", role_name: R}]\nhistory: {store: h.sqlite3}\n'
        f"destinations: {{on-call: {{type: webhook, url: '{receiver.url}', secret_env: HOOK_KEY}}}}\n"
    )
    _fill(tmp_path, "on-call")
    return path


def _fill(folder: Path, name: str, *, first: int = 1) -> None:
    nights = Nights(SQLiteStore(folder / "h.sqlite3"))
    night = Night(
        found=[finding(number, observed_at=NOW) for number in (first, first + 1)],
        destinations=(Destination(name),),
    )
    with opened(nights.store) as history:
        history.begin(nights.begun(night, first)).see(night.found)


def test_what_is_left_is_sent(auditor: Auditor, config: Path, receiver: Receiver) -> None:
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    assert ended.code == 0
    assert "2 event(s) delivered, nothing is left" in ended.last
    assert [event["resource_name"] for event in receiver.events] == ["export-1", "export-2"]
    assert auditor("deliver", "-c", config).code == 0
    assert receiver.asked == 1


def test_what_is_left_is_sent_in_ocsf_with_the_titles_of_its_policies(
    auditor: Auditor, config: Path, receiver: Receiver
) -> None:
    config.write_text(config.read_text().replace("HOOK_KEY}", "HOOK_KEY, format: ocsf, ocsf_version: 1.6.0}"))
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    events = receiver.events
    for event in events:
        validate(event)
    assert (ended.code, receiver.asked) == (0, 1)
    assert [event["metadata"]["version"] for event in events] == ["1.6.0", "1.6.0"]
    title = catalogue()[finding(1).policy].title
    assert {event["finding_info"]["title"] for event in events} == {title}


def test_what_can_not_be_sent_stays_and_is_exit_4(auditor: Auditor, config: Path, receiver: Receiver) -> None:
    receiver.status = 503
    ended = auditor("deliver", "-c", config, "--deadline", "1s")

    assert ended.code == 4
    assert "on-call: 2 event(s) left: HTTP 503 Service Unavailable" in ended.last
    assert KEY not in ended.err
    receiver.status = 204
    assert auditor("deliver", "-c", config).code == 0


def test_what_is_refused_for_good_is_written_down_and_is_exit_4(
    auditor: Auditor, config: Path, receiver: Receiver
) -> None:
    receiver.status = 422
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    letters = (config.parent / "dead-letter.jsonl").read_text("utf-8").splitlines()
    assert ended.code == 4
    assert "2 refused for good, each in dead-letter.jsonl" in ended.last
    assert [json.loads(line)["event"]["resource_name"] for line in letters] == ["export-1", "export-2"]


def test_what_waits_for_a_destination_that_is_named_no_more_is_told(
    auditor: Auditor, config: Path, receiver: Receiver
) -> None:
    config.write_text(config.read_text().replace("on-call:", "another:"))
    ended = auditor("deliver", "-c", config)

    assert ended.code == 4
    assert "on-call: 2 event(s) left, and the configuration names no such destination" in ended.last
    assert receiver.asked == 0


def test_what_waits_for_a_destination_that_is_named_no_more_can_be_let_go_of(
    auditor: Auditor, config: Path, receiver: Receiver
) -> None:
    _fill(config.parent, "elsewhere", first=3)
    config.write_text(config.read_text().replace("on-call:", "elsewhere:"))
    ended = auditor("deliver", "-c", config, "-o", config.parent, "--drop", "on-call")

    assert ended.code == 0
    file = config.parent / "dead-letter.jsonl"
    assert f"2 event(s) for on-call are lost to it, each in {file}; 2 event(s) delivered" in ended.last
    letters = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(each["destination"], each["reason"]) for each in letters] == [("on-call", "dropped by hand")] * 2
    assert [each["event"]["resource_name"] for each in letters] == ["export-1", "export-2"]
    assert [event["resource_name"] for event in receiver.events] == ["export-3", "export-4"]
    assert receiver.asked == 1


def test_what_is_put_off_is_let_go_of_too(auditor: Auditor, config: Path, receiver: Receiver) -> None:
    receiver.status = 503
    assert auditor("deliver", "-c", config, "--deadline", "1s").code == 4
    config.write_text(config.read_text().replace("on-call:", "another:"))
    ended = auditor("deliver", "-c", config, "--drop", "on-call")
    assert (ended.code, "2 event(s) for on-call are lost to it" in ended.last) == (0, True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("on-call", "--drop on-call: the configuration names it"),
        ("another", "--drop another: no event waits for it; there waits: on-call (2)"),
    ],
)
def test_what_can_not_be_let_go_of_is_refused_and_nothing_is_sent(
    auditor: Auditor, config: Path, receiver: Receiver, name: str, why: str
) -> None:
    ended = auditor("deliver", "-c", config, "--drop", name)
    assert (ended.code, why in ended.err) == (2, True)
    assert receiver.asked == 0
    assert auditor("deliver", "-c", config).code == 0


@pytest.fixture
def night(serve: Serve, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Served:
    """Return an estate whose last place hangs, and whose findings are sent."""
    monkeypatch.setenv("HOOK_KEY", KEY)
    served = serve(accounts=1)
    hangs = Fault(FaultKind.HANG, region=REGIONS[-1], operation="GetExportSnapshotRecords", times=1)
    served = serve(hangs, estate=served.estate)
    with served.config.open("a") as config:
        config.write(
            "history: {store: h.sqlite3}\n"
            f"destinations: {{on-call: {{type: webhook, url: '{receiver.url}', secret_env: HOOK_KEY}}}}\n"
        )
    return served


def test_an_interrupted_run_sends_nothing_and_says_what_waits_and_what_to_do(
    auditor: Auditor, spawn: Spawn, night: Served, out: RunFolder, receiver: Receiver
) -> None:
    started = spawn("run", "-o", "out", "--concurrency", "1")
    night.wait_for(FaultKind.HANG)
    ended = started.ended_by(signal.SIGTERM)

    waiting = len(out.findings)
    assert waiting > 0
    assert receiver.asked == 0
    assert (ended.code, out.run["exit_conditions"]) == (143, [143, 4, 3, 1])
    assert f"{waiting} event(s) wait for on-call: the next run sends them, or auditor deliver" in ended.out
    assert f"on-call: {waiting} event(s) left: the run was interrupted; `auditor deliver` sends" in ended.last
    assert f"{waiting} event(s) delivered, nothing is left" in auditor("deliver").last
    assert len(receiver.events) == waiting


def test_a_signal_while_it_is_sent_ends_that_and_says_what_waits(
    spawn: Spawn, night: Served, out: RunFolder, receiver: Receiver
) -> None:
    receiver.answers.clear()
    started = spawn("run", "-o", "out", "--region", REGIONS[0])
    assert receiver.reached.wait(30)
    began = time.monotonic()
    ended = started.ended_by(signal.SIGINT)

    assert time.monotonic() - began < 15
    assert (ended.code, out.run["exit_conditions"]) == (130, [130, 4, 1])
    assert out.run["deliveries"][0]["left"] == len(out.findings) + 1
    assert "`auditor deliver` sends what is left" in ended.last
    assert night.estate.truth


def test_a_run_tells_of_what_waits_for_a_destination_that_is_named_no_more(
    auditor: Auditor, night: Served, receiver: Receiver
) -> None:
    _fill(night.config.parent, "former")
    ended = auditor("run", "-o", "out", "--region", REGIONS[0])
    (line,) = (each for each in ended.logged if each["event"].startswith("events wait for a destination"))
    assert line["left"].startswith("former: 2 event(s) left")
    assert "auditor deliver --drop former" in line["left"]
    assert ended.code == 1
    assert receiver.events
