"""One measurement: a candidate reads a workload, and is believed only if it read all of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.process import environment, own_rss_mb, run

if TYPE_CHECKING:
    from bench.candidates import Candidate, Read
    from bench.estate import Workload
    from bench.serving import Served, Server


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run of a candidate took."""

    pages: int
    requests: int
    cpu_s: float
    """User and system, of the whole process."""
    wall_s: float
    rss_mb: float
    first_page_s: float
    """From the process's start to the server's first page request."""
    server_cpu_s: float

    @property
    def cpu_ms_a_page(self) -> float:
        """Whole-process CPU for each page, starting up included."""
        return self.cpu_s * 1000 / self.pages

    def net_of(self, alone: Sample) -> float:
        """Return the CPU ms a page beyond what reading one target took, starting up excluded."""
        return (self.cpu_s - alone.cpu_s) * 1000 / (self.pages - alone.pages)


def measure(candidate: Candidate, workload: Workload, server: Server) -> Sample:
    """Run a candidate once.

    :raises BenchError: where it fails, or did not read exactly what was served.
    """
    server.reset(workload)
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        folder = Path(name)
        used = run(candidate.command(workload, server.url, folder), environment(server.url))
        read = candidate.read(used.stdout, folder)
    served = server.stats()
    _check(candidate, workload, read, served)
    if used.rss_mb <= own_rss_mb():
        raise BenchError(f"the peak RSS of {candidate.name} can't be told from the benchmark's own")
    if served.first_page_at is None:
        raise BenchError(f"{candidate.name} asked for no page")
    return Sample(
        pages=served.pages,
        requests=served.requests,
        cpu_s=used.cpu_s,
        wall_s=used.wall_s,
        rss_mb=used.rss_mb,
        first_page_s=served.first_page_at - used.started,
        server_cpu_s=served.cpu_s,
    )


def _check(candidate: Candidate, workload: Workload, read: Read, served: Served) -> None:
    roles = workload.accounts + candidate.more_roles if candidate.assumes_roles else 0
    expected = {
        "pages read": (read.pages, workload.page_count),
        "records read": (read.records, workload.record_count),
        "pages served": (served.pages, workload.page_count),
        "roles assumed": (served.roles, roles),
        "unknown requests": (served.unknown, 0),
    }
    if read.findings is not None:
        expected["findings"] = (read.findings, workload.finding_count)
    wrong = [f"{what}: {got}, not {due}" for what, (got, due) in expected.items() if got != due]
    if wrong:
        raise BenchError(f"{candidate.name} did not read what was served: {'; '.join(wrong)}")
