"""Who is measured: how each is started, and what each says that it read."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model import EXPORT_RECORDS
from auditor.simulator.estate import OF_RECORDS_ALONE
from bench.errors import BenchError
from bench.estate import REGIONS, ROLE_NAME, account_id
from bench.script import CONCURRENCY, EXTERNAL_ID, SESSION_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.estate import Workload


@dataclass(frozen=True, slots=True)
class Read:
    """What a candidate says that it read."""

    pages: int
    records: int
    findings: int | None
    """None where it looks for none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to read the estate."""

    name: str
    command: Callable[[Workload, str, Path], list[str]]
    """From the workload, the server's URL and an empty folder."""
    read: Callable[[str, Path], Read]
    """From what it wrote to standard output and to the folder."""
    assumes_roles: bool = True


def _script(name: str, module: str, *words: str, assumes_roles: bool = True) -> Candidate:
    def command(workload: Workload, url: str, _: Path) -> list[str]:
        return [sys.executable, "-m", module, url, str(workload.accounts), str(workload.regions), *words]

    def read(stdout: str, _: Path) -> Read:
        told = json.loads(stdout)
        return Read(told["pages"], told["records"], None)

    return Candidate(name, command, read, assumes_roles)


def _audit_command(workload: Workload, _: str, folder: Path) -> list[str]:
    accounts = folder / "accounts.yaml"
    accounts.write_text(_configuration(workload), encoding="utf-8")
    run = ["run", "-c", str(accounts), "-o", str(folder / "run"), "--fail-on", "none", "--quiet"]
    return [sys.executable, "-m", "auditor", *run]


def _keeping_command(workload: Workload, url: str, folder: Path) -> list[str]:
    return [*_audit_command(workload, url, folder), "--evidence"]


def _configuration(workload: Workload) -> str:
    lines = [
        "version: 1",
        "defaults:",
        f"  role_name: {ROLE_NAME}",
        f"  external_id: {EXTERNAL_ID}",
        f"  session_name: {SESSION_NAME}",
        f"  regions: [{', '.join(REGIONS[: workload.regions])}]",
        "accounts:",
    ]
    for number in range(workload.accounts):
        lines += [f'  - id: "{account_id(number)}"', f"    name: bench-{number:04}"]
    lines.append(f"limits: {{concurrency: {CONCURRENCY}, request_timeout: 20s, deadline: 30m}}")
    return "\n".join(lines) + "\n" + ("" if workload.joined else OF_RECORDS_ALONE)


def _audit_read(_: str, folder: Path) -> Read:
    pages = records = 0
    # Line by line: what this process holds at its peak is the least that it can measure of a child.
    with (folder / "run" / "coverage.jsonl").open(encoding="utf-8") as ledger:
        for line in ledger:
            target = json.loads(line)
            if target["verdict"] != "complete":
                raise BenchError(f"auditor run left a target {target['verdict']}: {line[:500]}")
            if target["source"] == EXPORT_RECORDS:
                pages += target["pages"]
                records += target["records"]
    with (folder / "run" / "findings.jsonl").open("rb") as findings:
        return Read(pages, records, sum(1 for _ in findings))


AUDIT = Candidate("auditor run", _audit_command, _audit_read)
AUDIT_KEEPING = Candidate("auditor run --evidence", _keeping_command, _audit_read)
AUDIT_JOINED = Candidate("auditor run, joined", _audit_command, _audit_read)
FLOOR = _script("floor: aiohttp, SigV4, orjson", "bench.floor")
FLOOR_JOINED = _script("floor, the same requests", "bench.floor", "joined")
AIOBOTOCORE = _script("aiobotocore, client each", "bench.aiobotocore_clients")
BOTO3 = _script("boto3, 50 threads, client each", "bench.boto3_threads")
BARE = _script("aiobotocore, one client", "bench.bare", assumes_roles=False)
