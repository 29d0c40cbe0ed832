"""What is measured of one night after another: the checkpoint, the history, its outbox, and a second night."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.candidates import AUDIT, AUDIT_UNCHECKED, audit_command, audit_read
from bench.errors import BenchError
from bench.estate import FINDINGS_AT_ONCE, REGIONS, Workload
from bench.figures import Limit, Result, spread
from bench.process import environment, run
from bench.rounds import Entry, paired, say

if TYPE_CHECKING:
    from bench.process import Usage
    from bench.rounds import Rounds
    from bench.sizes import Sizes


def checkpoints(rounds: Rounds, sizes: Sizes) -> Result:
    """Compare a run with the same one that notes nothing for the case that it dies."""
    result = Result("checkpoints", "50 records a page, 2 pages a target, 16 Regions")
    workload = Workload(sizes.accounts, len(REGIONS), 2, 50)
    samples = rounds.take(result, [Entry(AUDIT, workload), Entry(AUDIT_UNCHECKED, workload)])
    if len(samples) == 2:  # noqa: PLR2004 -- of both
        ratio = paired(samples[0], samples[1])
        wall = paired(samples[0], samples[1], lambda sample: sample.wall_s)
        result.about += f"; wall with its checkpoint to without: {wall.shown(2)}"
        result.limits.append(Limit("CPU with its checkpoint to without", ratio, 1.05))
    return result


def nightly(rounds: Rounds, sizes: Sizes) -> Result:
    """Audit an estate, and then once more as it stands, with a history and a destination."""
    workload = Workload(sizes.accounts, len(REGIONS), 2, 50)
    result = Result(
        "nightly",
        f"50 records a page, 2 pages a target, 16 Regions, {workload.finding_count} findings; a history in SQLite, "
        "and every event appended to a file",
    )
    cpu, wall = [], []
    for number in range(rounds.runs):
        say(f"nightly: round {number + 1} of {rounds.runs}")
        try:
            first, second = _two_nights(rounds, workload)
        except BenchError as error:
            result.failures.append(f"nightly: {error}")
            return result
        cpu.append(second.cpu_s / first.cpu_s)
        wall.append(second.wall_s / first.wall_s)
    result.limits.append(Limit("second night to the first: CPU", spread(cpu), 1.2))
    result.limits.append(Limit("second night to the first: wall", spread(wall), 1.2))
    return result


def _two_nights(rounds: Rounds, workload: Workload) -> tuple[Usage, Usage]:
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        folder = Path(name)
        told = f"history: {{}}\ndestinations: {{events: {{type: file, path: {folder}/events.jsonl, drain: 10m}}}}\n"
        nights: list[Usage] = []
        for number in (1, 2):
            rounds.server.reset(workload)
            command = audit_command(workload, folder, told, run=f"run-{number}")
            nights.append(run(command, environment(rounds.server.url)))
            read = audit_read(folder, run=f"run-{number}")
            if (read.records, read.findings) != (workload.record_count, workload.finding_count):
                raise BenchError(f"night {number} did not read what was served: {read}")
        with (folder / "events.jsonl").open("rb") as events:
            sent = sum(1 for _ in events)
        if sent != 2 * (workload.finding_count + 1):
            raise BenchError(f"{sent} events were sent")
        return nights[0], nights[1]


def history(rounds: Rounds, sizes: Sizes) -> Result:
    """Take findings through the history, its outbox and to a file, beside a bare executemany of the same rows."""
    count = sizes.findings
    result = Result(
        "history",
        f"{count} findings through SQLite, {FINDINGS_AT_ONCE} in one transaction, and from its outbox to a file",
    )
    env = environment(rounds.server.url)
    nights, growths = [], []
    for number in range(rounds.runs):
        say(f"history: round {number + 1} of {rounds.runs}")
        try:
            few = _history(count // 10, env)
            nights.append(_history(count, env))
        except BenchError as error:
            result.failures.append(f"history: {error}")
            return result
        growths.append(nights[-1]["rss_mb"] / few["rss_mb"])
    result.about += f"; {spread(count / told['first_s'] for told in nights).shown(0)} findings a second"
    # In CPU as well: what the disk, or others on this machine, make one wait for says little of this program.
    for what, kind in (("wall", "_s"), ("CPU", "_cpu_s")):
        # Of a rate the larger is the better: what is limited is the time that each takes.
        each = spread(told[f"first{kind}"] / count * 1e6 for told in nights)
        bare = spread(told[f"first{kind}"] / told[f"bare{kind}"] for told in nights)
        second = spread(told[f"second{kind}"] / told[f"first{kind}"] for told in nights)
        result.limits.append(Limit(f"a finding to the file, {what}", each, 1e6 / 20_000, "us"))
        result.limits.append(Limit(f"the same to a bare executemany, {what}", bare, 3.0))
        result.limits.append(Limit(f"the same, second night to the first, {what}", second, 1.2))
    result.limits.append(Limit("the same, peak RSS to that of a tenth", spread(growths), 1.1))
    return result


def _history(count: int, env: dict[str, str]) -> dict[str, float]:
    """Measure two nights, and the bare rows of the first."""
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as folder:
        command = [sys.executable, "-m", "bench.history"]
        told: dict[str, float] = json.loads(run([*command, "see", folder, str(count)], env).stdout)
        bare: dict[str, float] = json.loads(run([*command, "bare", folder], env).stdout)
    if bare["rows"] != count:
        raise BenchError(f"{bare['rows']} rows written, not {count}")
    return told | bare
