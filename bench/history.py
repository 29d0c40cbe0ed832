"""Findings through the history and its outbox, beside a bare executemany of the same rows: `python -m bench.history`.

Each part runs in a process of its own and prints JSON: `see FOLDER COUNT` two nights through the history, each night's
events taken by their receiver in between; `bare FOLDER` the rows that the first night wrote, with sqlite3 alone.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.config import History, SQLiteStore
from auditor.history import Begun, Destination, JudgedBy, open_history
from auditor.model import EXPORT_RECORDS, PARTITION, Finding, Severity, Status, finding_id
from bench.estate import FINDINGS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECEIVER = "bench"
_POLICY = "stuck-export"
_TABLES = ("findings", "documents", "transitions", "events", "outbox")
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
    """Return the seconds that each night took, made findings excluded, and the peak of memory in MB."""
    history = History(SQLiteStore(folder / "history.sqlite3"), timedelta(0))
    policies = {_POLICY: JudgedBy("digest", (EXPORT_RECORDS,))}
    nights = []
    for night in ("first", "second"):
        begun = Begun(night, "2026-11-25T01:00:00Z", "digest", "full", policies, (Destination(_RECEIVER),))
        with open_history(history, holder=night) as opened:
            run = opened.begin(begun)
            took = 0.0
            for batch in _batches(count):
                started = time.perf_counter()
                told = run.see(batch)
                took += time.perf_counter() - started
                if any(each.status != ("new" if night == "first" else "recurring") for each in told):
                    raise SystemExit(f"{night}: a finding has another status")
            nights.append(took)
            if night == "first":
                _keep_rows(folder)
            while due := opened.outbox.pending(_RECEIVER, FINDINGS_AT_ONCE, now=time.time()):
                opened.outbox.acknowledge(_RECEIVER, [each.position for each in due])
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 1e6
    return {"first_s": nights[0], "second_s": nights[1], "rss_mb": rss}


def _keep_rows(folder: Path) -> None:
    """Put the rows of the first night aside, for `bare` to write."""
    reader = sqlite3.connect(folder / "history.sqlite3")
    reader.execute("VACUUM INTO ?", (str(folder / "rows.sqlite3"),))
    reader.close()


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
    took, written = 0.0, 0
    while batches := {name: rows for name in _TABLES if (rows := cursors[name].fetchmany(FINDINGS_AT_ONCE))}:
        written += len(batches["findings"])
        started = time.perf_counter()
        made.execute("BEGIN IMMEDIATE")
        for name, rows in batches.items():
            _insert(made, name, rows)
        made.execute("COMMIT")
        took += time.perf_counter() - started
    return {"bare_s": took, "rows": written}


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
