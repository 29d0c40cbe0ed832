"""What is measured of a run's end and afterwards: its report, and a replay of what it kept."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.candidates import AUDIT, AUDIT_REPORTING, audit_command
from bench.errors import BenchError
from bench.estate import REGIONS, Workload
from bench.figures import Limit, Result, spread
from bench.process import environment, run
from bench.rounds import Entry, say

if TYPE_CHECKING:
    from bench.rounds import Rounds
    from bench.sizes import Sizes

_PAGES = 2


def report(rounds: Rounds, sizes: Sizes) -> Result:
    """Write the report beside everything else, or not."""
    accounts = sizes.reported // Workload(1, len(REGIONS), _PAGES, 50).finding_count + 1
    workload = Workload(accounts, len(REGIONS), _PAGES, 50)
    result = Result(
        "report", f"50 records a page, {workload.finding_count} findings, with -f html and without"
    )
    samples = rounds.take(result, [Entry(AUDIT_REPORTING, workload), Entry(AUDIT, workload)])
    if len(samples) == 2:  # noqa: PLR2004 -- both
        took = spread(told.cpu_s - plain.cpu_s for told, plain in zip(*samples.values(), strict=True))
        result.limits.append(Limit(f"report of {workload.finding_count} findings, CPU", took, 3.0, "s"))
    return result


def replay(rounds: Rounds, sizes: Sizes) -> Result:
    """Judge what a run kept once more, beside unpacking and parsing it; both net of their start."""
    few, many = (Workload(accounts, len(REGIONS), _PAGES, 50) for accounts in _few_and_many(sizes))
    result = Result("replay", f"50 records a page, {many.page_count} pages kept by --evidence")
    floors, audits = [], []
    for number in range(rounds.runs):
        say(f"replay: round {number + 1} of {rounds.runs}")
        try:
            took = [_took(rounds, workload) for workload in (few, many)]
        except BenchError as error:
            result.failures.append(f"replay: {error}")
            return result
        audited, judged, unpacked = (large - small for small, large in zip(*took, strict=True))
        floors.append(judged / unpacked)
        audits.append(judged / audited)
    result.about += (
        f"; CPU a page, net: {spread(floors).shown(1)} x unpacking and parsing alone, "
        f"{spread(audits).shown(2)} x the audit that kept it"
    )
    return result


def _few_and_many(sizes: Sizes) -> tuple[int, int]:
    return max(sizes.accounts // 10, 1), sizes.accounts


def _took(rounds: Rounds, workload: Workload) -> tuple[float, float, float]:
    """Return the CPU seconds of the audit that keeps answers, of its replay, and of unpacking and parsing alone."""
    env = environment(rounds.server.url)
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        folder = Path(name)
        rounds.server.reset(workload)
        audited = run([*audit_command(workload, folder), "--evidence"], env)
        kept, again = folder / "run", folder / "again.jsonl"
        judged = run([sys.executable, "-m", "auditor", "replay", str(kept), "-o", str(again)], env)
        if again.read_bytes() != (kept / "findings.jsonl").read_bytes():
            raise BenchError("the replay found something else")
        unpacked = run([sys.executable, "-m", "bench.unpacked", str(kept)], env)
        if int(unpacked.stdout) < workload.page_count:
            raise BenchError(f"{unpacked.stdout.strip()} pages were kept")
    return audited.cpu_s, judged.cpu_s, unpacked.cpu_s
