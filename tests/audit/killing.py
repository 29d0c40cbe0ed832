"""A campaign of runs and deliveries that are killed at moments of chance, and receivers that keep what they took."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import orjson
import psycopg

from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from auditor.simulator.estate import Estate, Expected

DESTINATIONS = """\
destinations:
  hook: {{type: webhook, url: '{hook}', secret_env: HOOK_KEY, batch: 7, timeout: 5s, drain: 4s}}
  changes: {{type: webhook, url: '{changes}', secret_env: HOOK_KEY, batch: 3, timeout: 5s, drain: 4s, send: changes}}
  file: {{type: file, path: '{file}', drain: 4s}}
"""
NAMES = ("hook", "changes", "file")
CHANGES_ALONE = frozenset({"changes"})

WRITTEN = ("checkpoint.jsonl", "findings.jsonl.part", "findings.jsonl", "coverage.jsonl", "run.json")
"""What appears in a run's folder, one after the other."""

SQL = """
SELECT f.finding_id, f.status, r.run_id FROM findings f JOIN runs r ON r.sequence = f.told_run
UNION SELECT f.finding_id, t.status, r.run_id FROM transitions t
    JOIN findings f ON f.id = t.finding JOIN runs r ON r.sequence = t.run
"""
"""What the history says that it has told."""


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Keeper:
    """A receiver over HTTP that keeps what it takes, and now and then is busy, hangs up, or refuses for good."""

    def __init__(self, chance: random.Random, *, refuses: bool = False) -> None:
        self.bodies: list[bytes] = []
        """Each event, copies included, in the order in which it came."""
        self.faulty = True
        self.at: Callable[[str], None] = lambda _stage: None
        """Told of each stage of each request."""
        self._one = threading.Condition()
        self._in_hand = 0
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.said(204)

            def do_POST(self) -> None:
                with keeper.in_hand():
                    length = int(self.headers["Content-Length"])
                    body = self.rfile.read(length)
                    if len(body) == length:  # or its sender has died
                        keeper.take(body.splitlines(), self.said, chance, refuses=refuses)

            def said(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                return  # whoever asked was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"

    def take(
        self,
        lines: list[bytes],
        said: Callable[[int], None],
        chance: random.Random,
        *,
        refuses: bool,
    ) -> None:
        self.at("asked")
        what = chance.random() if self.faulty else 1.0
        if what < 0.06:
            said(503)
            return
        if what < 0.12:
            return  # hung up on
        if refuses and any(orjson.loads(line).get("finding_id", "").endswith("0") for line in lines):
            said(422)
            return
        with self._one:
            self.bodies += lines
        self.at("kept")
        if what < 0.18:
            return  # it has them, and never said so
        said(204)
        self.at("answered")

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        with self._one:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._one:
                self._in_hand -= 1
                self._one.notify_all()

    def settle(self) -> None:
        """Wait until all is kept that those who were killed have sent."""
        with urlopen(self.url, timeout=10):  # noqa: S310 -- ours; it is accepted after all that came before
            pass
        with self._one:
            assert self._one.wait_for(lambda: not self._in_hand, timeout=10)

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@dataclass
class Moment:
    """When a process is killed: so many seconds after its start, or once something has happened so often."""

    kind: str
    count: int
    seconds: float
    """After its start, or after what has happened."""
    happened: int = 0

    @classmethod
    def by(cls, chance: random.Random, *, delivers: bool) -> Moment:
        """Return a moment by chance.

        :param delivers: whether it is `auditor deliver` that is killed, which reads and writes nothing.
        """
        kind = chance.choice(
            ["started", "asked", "kept", "answered", "appended", *([] if delivers else ["read", "named"])]
        )
        if kind == "started":
            return cls(kind, 0, chance.uniform(0.3, 3.0))
        most = {"read": 30, "appended": 1, "named": len(WRITTEN)}.get(kind, 6)
        later = 0.0 if chance.random() < 0.6 else chance.uniform(0.0, 0.3)
        return cls(kind, chance.randint(1, most), later)

    def __str__(self) -> str:
        return f"{self.kind} {self.count} + {self.seconds:.3f} s"


@dataclass(frozen=True)
class Known:
    """What the history says."""

    due: frozenset[tuple[str, str]]
    """Destination and event of what is still to be sent."""
    told: Mapping[str, frozenset[str]]
    """By destination, every event that it says it has told of, sent or not."""
    sequence: Mapping[str, int]
    """Of each run."""


NOTHING = Known(frozenset(), dict.fromkeys(NAMES, frozenset[str]()), {})


@dataclass
class Campaign:
    """One history, one estate and its receivers, through kill after kill."""

    folder: Path
    whole: Estate
    chance: random.Random
    store: str
    url: str | None = None
    """Of the database, with its password; None where the history is a file."""
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    keepers: dict[str, Keeper] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keepers = {
            "hook": Keeper(_own(self.chance)),
            "changes": Keeper(_own(self.chance), refuses=True),
        }
        text = self.whole.accounts_yaml() + f"history: {{store: {self.store}, wait: 20s}}\n"
        urls = {name: keeper.url for name, keeper in self.keepers.items()}
        self.configuration.write_text(text + DESTINATIONS.format(**urls, file=self.file), encoding="utf-8")

    @property
    def configuration(self) -> Path:
        return self.folder / "accounts.yaml"

    @property
    def file(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def run(self) -> Path:
        """The folder of the last run."""
        return self.folder / f"run-{self.runs}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        with ExitStack() as stack:
            for keeper in self.keepers.values():
                stack.enter_context(keeper.serving())
            yield

    # What is done

    def step(self, moment: Moment | None, words: list[str], estate: Estate, *faults: Fault) -> int | None:
        """Run a command; return its exit code, or None where it was killed."""
        slow = Fault(FaultKind.LATENCY, seconds=0.02)
        with serve_in_thread(estate, faults=[slow, *faults]) as server, TemporaryFile() as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "auditor", *words, "--log-format", "json"],
                cwd=self.folder,
                env={**os.environ, **server.environ, "HOOK_KEY": "a-key-that-both-have"},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
            if moment is not None:
                self._watch(process, moment, lambda: len(server.calls))
            process.wait(timeout=50)
            stderr.seek(0)
            text = stderr.read().decode()
        for keeper in self.keepers.values():
            keeper.at = lambda _stage: None
            keeper.settle()
        self.story.append(f"{' '.join(words)}: {moment}: {process.returncode}")
        assert "Traceback" not in text, text
        assert "bug of the auditor" not in text, text
        self.last_words = text
        return process.returncode if process.returncode >= 0 else None

    def _watch(self, process: subprocess.Popen[bytes], moment: Moment, calls: Callable[[], int]) -> None:
        """Kill a process once the moment has come, unless it ends before."""
        size = self._size()

        def at(stage: str) -> None:
            if stage == moment.kind:
                moment.happened += 1
                if moment.happened == moment.count and not moment.seconds:
                    process.kill()  # before another word is said

        for keeper in self.keepers.values():
            keeper.at = at
        looks: dict[str, Callable[[], int]] = {
            "read": calls,
            "appended": lambda: int(self._size() > size),
            "named": lambda: sum((self.run / name).exists() for name in WRITTEN),
        }
        look = looks.get(moment.kind, lambda: moment.happened)
        while process.poll() is None and look() < moment.count:
            time.sleep(0.001)
        until = time.monotonic() + moment.seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        process.kill()
        if process.wait() < 0:
            self.kills[moment.kind] += 1

    def _size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    # What is known, and what was received

    def look(self) -> Known:
        """Return what the history says; a file of SQLite's is whole, or this fails."""
        if self.url is not None:
            with psycopg.connect(self.url) as server:
                return _known(
                    lambda sql: server.execute(sql.encode()).fetchall(),
                    "SELECT 1 FROM pg_tables WHERE tablename = 'outbox'",
                )
        path = self.folder / "history.sqlite3"
        if not path.exists():
            return NOTHING
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            return _known(
                lambda sql: database.execute(sql).fetchall(),
                "SELECT 1 FROM sqlite_master WHERE name = 'outbox'",
            )

    def received(self) -> dict[str, list[dict[str, Any]]]:
        """Return what each destination was told, copies included, in its order."""
        told = {
            name: [json.loads(line) for line in list(keeper.bodies)] for name, keeper in self.keepers.items()
        }
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        return told | {"file": [json.loads(line) for line in lines if line.endswith(b"}")]}

    def refused(self) -> list[dict[str, Any]]:
        """Return every dead letter."""
        return [
            json.loads(line)
            for path in self.folder.rglob("dead-letter.jsonl")
            for line in path.read_bytes().splitlines()
            if line.endswith(b"}")
        ]

    def check(self, before: Known) -> Known:
        """Hold what the history says against what was received."""
        known = self.look()
        received = {name: {event["event_id"] for event in told} for name, told in self.received().items()}
        for letter in self.refused():
            received[letter["destination"]].add(letter["event_id"])
        for name in NAMES:
            due = {event_id for destination, event_id in known.due if destination == name}
            let_go = {event_id for destination, event_id in before.due if destination == name} - due
            assert let_go <= received[name], f"{name}: let go, and not received: {self.story}"
            told = known.told[name] - due
            assert told <= received[name], f"{name}: told, and neither due nor received: {self.story}"
        return known

    def check_bodies(self) -> None:
        """An event's copies are the same, whomever they went to."""
        bodies: dict[str, set[bytes]] = defaultdict(set)
        for told in self.received().values():
            for event in told:
                bodies[event["event_id"]].add(orjson.dumps(event, option=orjson.OPT_SORT_KEYS))
        others = {event_id: each for event_id, each in bodies.items() if len(each) > 1}
        assert not others, f"{others}: {self.story}"

    def check_order(self, sequence: Mapping[str, int]) -> None:
        """No destination was told of a finding by an earlier run after a later one."""
        for name, told in self.received().items():
            last: dict[str, int] = {}
            for event in told:
                if event["schema"] != "auditor.finding/1":
                    continue
                run = sequence[event["run_id"]]
                assert run >= last.get(event["finding_id"], 0), f"{name}: {event}: {self.story}"
                last[event["finding_id"]] = run

    def check_truth(self, truth: frozenset[Expected]) -> None:
        """Each destination has received all that is true of the estate."""
        told = self.received()
        told["changes"] += [
            letter["event"] for letter in self.refused() if letter["destination"] == "changes"
        ]
        keys = ("policy", "account_id", "region", "resource_arn")
        wanted = {tuple(getattr(each, key) for key in keys) for each in truth}
        for name, events in told.items():
            found = {
                tuple(event[key] for key in keys)
                for event in events
                if event["schema"] == "auditor.finding/1"
            }
            assert wanted <= found, f"{name}: {len(wanted - found)} never received: {self.story}"


def less(estate: Estate) -> Estate:
    """Return the estate without every third record of each account and Region."""
    accounts = tuple(
        replace(
            account,
            records={
                region: [record for number, record in enumerate(records) if number % 3]
                for region, records in account.records.items()
            },
        )
        for account in estate.accounts
    )
    return replace(estate, accounts=accounts)


def _own(chance: random.Random) -> random.Random:
    return type(chance)(chance.random())


def _known(rows: Callable[[str], list[Any]], has_tables: str) -> Known:
    if not rows(has_tables):
        return NOTHING
    runs = rows("SELECT run_id, sequence, finished_at FROM runs")
    told: dict[str, set[str]] = {
        name: {digest(run_id, "run") for run_id, _, finished_at in runs if finished_at} for name in NAMES
    }
    for finding_id, status, run_id in rows(SQL):
        for name in NAMES:
            if status != "recurring" or name not in CHANGES_ALONE:
                told[name].add(digest(finding_id, run_id, status))
    due = rows("SELECT o.destination, e.event_id FROM outbox o JOIN events e ON e.position = o.position")
    return Known(
        frozenset((name, event_id) for name, event_id in due),
        {name: frozenset(each) for name, each in told.items()},
        {run_id: sequence for run_id, sequence, _ in runs},
    )
