"""Who is measured: how each is started, and what each says that it read."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
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

    pages: int | None
    records: int | None
    findings: int | None
    """None where it says nothing of them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to read the estate."""

    name: str
    command: Callable[[Workload, str, Path], list[str]]
    """From the workload, the server's URL and an empty folder."""
    read: Callable[[str, Path], Read]
    """From what it wrote to standard output and to the folder."""
    roles: Callable[[Workload], int] = lambda workload: workload.accounts
    """How often it is to assume a role."""


def _script(name: str, module: str, *words: str) -> Candidate:
    def command(workload: Workload, url: str, _: Path) -> list[str]:
        return [sys.executable, "-m", module, url, str(workload.accounts), str(workload.regions), *words]

    def read(stdout: str, _: Path) -> Read:
        told = json.loads(stdout)
        return Read(told["pages"], told["records"], None)

    return Candidate(name, command, read)


def audit_command(
    workload: Workload, folder: Path, told: str = "", *, run: str = "run", module: str = "auditor"
) -> list[str]:
    """Return the command of an audit.

    :param told: what its configuration says beside the accounts.
    :param run: the name of the run's folder.
    """
    accounts = folder / "accounts.yaml"
    accounts.write_text(_configuration(workload) + told, encoding="utf-8")
    words = ["run", "-c", str(accounts), "-o", str(folder / run), "--fail-on", "none", "--quiet"]
    return [sys.executable, "-m", module, *words]


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
        if workload.budget and number < workload.apart:
            lines.append(f"    max_requests_per_second: {workload.budget}")
    lines.append(f"limits: {{concurrency: {CONCURRENCY}, request_timeout: 20s, deadline: 30m}}")
    return "\n".join(lines) + "\n" + ("" if workload.joined else OF_RECORDS_ALONE)


def audit_read(folder: Path, *, run: str = "run") -> Read:
    """Return what an audit says that it read.

    :raises BenchError: where a target is not complete.
    """
    pages = records = 0
    # Line by line: what this process holds at its peak is the least that it can measure of a child.
    with (folder / run / "coverage.jsonl").open(encoding="utf-8") as ledger:
        for line in ledger:
            target = json.loads(line)
            if target["verdict"] != "complete":
                raise BenchError(f"auditor run left a target {target['verdict']}: {line[:500]}")
            if target["source"] == EXPORT_RECORDS:
                pages += target["pages"]
                records += target["records"]
    with (folder / run / "findings.jsonl").open("rb") as findings:
        return Read(pages, records, sum(1 for _ in findings))


def _audit(name: str, *words: str, module: str = "auditor", more_roles: int = 0) -> Candidate:
    def command(workload: Workload, _: str, folder: Path) -> list[str]:
        return [*audit_command(workload, folder, module=module), *words]

    return Candidate(
        name,
        command,
        lambda _, folder: audit_read(folder),
        roles=lambda workload: workload.accounts + more_roles,
    )


AUDIT = _audit("auditor run")
AUDIT_KEEPING = _audit("auditor run --evidence", "--evidence")
AUDIT_REPORTING = _audit("auditor run -f html", "-f", "html")
AUDIT_SHARED = _audit(
    "auditor run --workers 2", "--workers", "2", more_roles=1
)  # to ask which Regions there are
AUDIT_JOINED = _audit("auditor run, joined")
AUDIT_UNCHECKED = _audit("auditor run, no checkpoint", module="bench.unchecked")
FLOOR = _script("floor: aiohttp, SigV4, orjson", "bench.floor")
FLOOR_JOINED = _script("floor, the same requests", "bench.floor", "joined")
AIOBOTOCORE = _script("aiobotocore, client each", "bench.aiobotocore_clients")
BOTO3 = _script("boto3, 50 threads, client each", "bench.boto3_threads")
BARE = replace(_script("aiobotocore, one client", "bench.bare"), roles=lambda _: 0)
