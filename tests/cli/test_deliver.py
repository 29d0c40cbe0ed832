"""`auditor deliver`: what is left of earlier runs is sent, and what is not says so."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import SQLiteStore
from auditor.history import Destination
from auditor.policies import catalogue
from tests.formats.ocsf_schemas import validate
from tests.history.conftest import Night, Nights, finding, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Auditor

KEY = "canary-of-the-signature"
NOW = "2026-11-25T01:00:00Z"


class _Receiver:
    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    made = _Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: _Receiver) -> Path:
    """Return a configuration in whose history two events wait."""
    monkeypatch.setenv("HOOK_KEY", KEY)
    path = tmp_path / "accounts.yaml"
    path.write_text(
        'version: 1\naccounts: [{id: "111122223333", role_name: R}]\nhistory: {store: h.sqlite3}\n'
        f"destinations: {{on-call: {{type: webhook, url: '{receiver.url}', secret_env: HOOK_KEY}}}}\n"
    )
    _fill(tmp_path, "on-call")
    return path


def _fill(folder: Path, name: str) -> None:
    nights = Nights(SQLiteStore(folder / "h.sqlite3"))
    night = Night(
        found=[finding(number, observed_at=NOW) for number in (1, 2)], destinations=(Destination(name),)
    )
    with opened(nights.store) as history:
        history.begin(nights.begun(night, 1)).see(night.found)


def test_what_is_left_is_sent(auditor: Auditor, config: Path, receiver: _Receiver) -> None:
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    (body,) = receiver.bodies
    assert ended.code == 0
    assert "2 event(s) delivered, nothing is left" in ended.last
    assert [json.loads(line)["resource_name"] for line in body.splitlines()] == ["export-1", "export-2"]
    assert auditor("deliver", "-c", config).code == 0
    assert len(receiver.bodies) == 1


def test_what_is_left_is_sent_in_ocsf_with_the_titles_of_its_policies(
    auditor: Auditor, config: Path, receiver: _Receiver
) -> None:
    config.write_text(config.read_text().replace("HOOK_KEY}", "HOOK_KEY, format: ocsf, ocsf_version: 1.6.0}"))
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    (body,) = receiver.bodies
    events = [json.loads(line) for line in body.splitlines()]
    for event in events:
        validate(event)
    assert ended.code == 0
    assert [event["metadata"]["version"] for event in events] == ["1.6.0", "1.6.0"]
    title = catalogue()[finding(1).policy].title
    assert {event["finding_info"]["title"] for event in events} == {title}


def test_what_can_not_be_sent_stays_and_is_exit_4(
    auditor: Auditor, config: Path, receiver: _Receiver
) -> None:
    receiver.status = 503
    ended = auditor("deliver", "-c", config, "--deadline", "1s")

    assert ended.code == 4
    assert "on-call: 2 event(s) left: HTTP 503 Service Unavailable" in ended.last
    assert KEY not in ended.err
    receiver.status = 200
    assert auditor("deliver", "-c", config).code == 0


def test_what_is_refused_for_good_is_written_down_and_is_exit_4(
    auditor: Auditor, config: Path, receiver: _Receiver
) -> None:
    receiver.status = 422
    ended = auditor("deliver", "-c", config, "-o", config.parent)

    letters = (config.parent / "dead-letter.jsonl").read_text("utf-8").splitlines()
    assert ended.code == 4
    assert "2 refused for good, each in dead-letter.jsonl" in ended.last
    assert [json.loads(line)["event"]["resource_name"] for line in letters] == ["export-1", "export-2"]


def test_what_waits_for_a_destination_that_is_named_no_more_is_told(
    auditor: Auditor, config: Path, receiver: _Receiver
) -> None:
    config.write_text(config.read_text().replace("on-call:", "another:"))
    ended = auditor("deliver", "-c", config)

    assert ended.code == 4
    assert "on-call: 2 event(s) left, and the configuration names no such destination" in ended.last
    assert receiver.bodies == []
