"""Findings through the history, its outbox and to a file, beside a bare executemany of the same rows.

Each part of `python -m bench.history` runs in a process of its own and prints JSON: `see FOLDER COUNT` two nights, each
through the history and from its outbox to the file; `bare FOLDER` the rows that the first night wrote, with sqlite3
alone.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sqlite3
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from auditor.audit.delivering import deliver
from auditor.config import History, Receiver, SQLiteStore
from auditor.delivery import DeadLetters, destination_settings, make_destinations
from auditor.history import Begun, Destination, JudgedBy, open_history
from auditor.model import EXPORT_RECORDS, PARTITION, Finding, Severity, Status, finding_id
from bench.estate import FINDINGS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECEIVER = "bench"
_POLICY = "stuck-export"
_TABLES = ("findings", "documents", "transitions", "events", "outbox")
_LONGEST = timedelta(minutes=10)
_COLLECT_AFTER = 200_000
"""As the program itself has it: `auditor.cli.entry`."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _finding(number: int) -> Finding:
    account_id, region = f"{number % 1000:012}", "us-east-1"
    arn = f"arn:aws:lightsail:{region}:{account_id}:ExportSnapshotRecord/{number:032x}"
    return Finding(
        schema="auditor.finding/1",
        finding_id=finding_id(PARTITION, account_id, region, arn, _POLICY),
        event_id="",
        policy=_POLICY,
        severity=Severity.MEDIUM,
        status=Status.UNTRACKED,
        partition=PARTITION,
        account_id=account_id,
        account_name=f"account-{number % 1000}",
        region=region,
        resource_arn=arn,
        resource_type="ExportSnapshotRecord",
        resource_name=f"ExportSnapshotRecord-{number:032x}",
        related={
            "record_arn": arn,
            "state": "Started",
            "created_at": "2026-11-01T01:02:03Z",
            "source_snapshot_arn": arn.replace("ExportSnapshotRecord", "InstanceSnapshot"),
            "source_snapshot_name": f"WordPress-1-{number}",
            "from_resource_arn": arn.replace("ExportSnapshotRecord", "Instance"),
            "from_resource_name": "WordPress-1",
            "destination_id": None,
        },
        message="The export started, and has not ended for more than 24h.",
        remediation="Look into the account's operations, and export the snapshot again.",
        evidence={"state": "Started", "createdAt": "2026-11-01T01:02:03Z", "max_age": "24h"},
        controls=(),
        cost=None,
        waiver=None,
        resolution=None,
        first_seen=None,
        observed_at="2026-11-25T01:00:00Z",
        run_id="bench",
    )


def _batches(count: int) -> Iterator[list[Finding]]:
    for start in range(0, count, FINDINGS_AT_ONCE):
        yield [_finding(number) for number in range(start, min(start + FINDINGS_AT_ONCE, count))]


def _see(folder: Path, count: int) -> dict[str, Any]:
    """Return the seconds that each night took, the making of findings excluded, and the peak of memory in MB."""
    gc.set_threshold(_COLLECT_AFTER)
    history = History(SQLiteStore(folder / "history.sqlite3"), timedelta(0))
    settings = destination_settings()["file"].model_validate(
        {"type": "file", "path": f"{folder}/events.jsonl"}
    )
    receivers = make_destinations([Receiver(_RECEIVER, settings)], allow_http=False)
    policies = {_POLICY: JudgedBy("digest", (EXPORT_RECORDS,))}
    told: dict[str, Any] = {}
    for night, status in (("first", Status.NEW), ("second", Status.RECURRING)):
        begun = Begun(night, "2026-11-25T01:00:00Z", "digest", "full", policies, (Destination(_RECEIVER),))
        clock = _Clock()
        with open_history(history, holder=night) as opened:
            run = opened.begin(begun)
            for batch in _batches(count):
                with clock:
                    seen = run.see(batch)
                if any(each.status is not status for each in seen):
                    raise SystemExit(f"{night}: a finding has another status")
            if night == "first":
                _keep_rows(folder)
            with clock:
                (report,) = anyio.run(deliver, opened.outbox, receivers, DeadLetters(folder), _LONGEST)
            if (report.taken, report.fault) != (count, None):
                raise SystemExit(f"{night}: {report}")
        told |= {f"{night}_s": clock.wall_s, f"{night}_cpu_s": clock.cpu_s}
    return told | {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 1e6}


class _Clock:
    """Adds up what the blocks under it take."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self.wall_s -= time.perf_counter()
        self.cpu_s -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter()
        self.cpu_s += time.process_time()


def _keep_rows(folder: Path) -> None:
    """Put the rows of the first night aside, for `bare` to write."""
    reader = sqlite3.connect(folder / "history.sqlite3")
    reader.execute("VACUUM INTO ?", (str(folder / "rows.sqlite3"),))
    reader.close()
    with (folder / "rows.sqlite3").open("rb") as copy:
        os.fsync(copy.fileno())  # or the disk would be at it still while the events are sent


def _bare(folder: Path) -> dict[str, Any]:
    """Return the seconds that sqlite3 takes for the same rows, in the same tables and batches."""
    source = sqlite3.connect(folder / "rows.sqlite3")
    made = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -32768"):
        made.execute(f"PRAGMA {pragma}")
    made.execute("PRAGMA wal_autocheckpoint = 16384")
    for (statement,) in source.execute(
        "SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY type DESC, rootpage"
    ):
        made.execute(statement)
    for name in ("runs",):
        _insert(made, name, source.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608 -- names of ours
    cursors = {name: source.execute(f"SELECT * FROM {name} ORDER BY 1, 2") for name in _TABLES}  # noqa: S608 -- as above
    clock, written = _Clock(), 0
    while batches := {name: rows for name in _TABLES if (rows := cursors[name].fetchmany(FINDINGS_AT_ONCE))}:
        written += len(batches["findings"])
        with clock:
            made.execute("BEGIN IMMEDIATE")
            for name, rows in batches.items():
                _insert(made, name, rows)
            made.execute("COMMIT")
    return {"bare_s": clock.wall_s, "bare_cpu_s": clock.cpu_s, "rows": written}


def _insert(database: sqlite3.Connection, name: str, rows: list[tuple[Any, ...]]) -> None:
    places = ", ".join("?" * len(rows[0]))
    database.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 -- names of ours


def main() -> None:
    """Run one part, and print what it took."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    told = _see(folder, int(sys.argv[3])) if part == "see" else _bare(folder)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
