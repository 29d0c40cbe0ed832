"""The benchmark's server as the benchmark sees it: a process to start, to set, to ask and to end."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.estate import Workload


@dataclass(frozen=True, slots=True)
class Served:
    """What the server was asked for since its last reset."""

    pages: int
    roles: int
    identities: int
    regions: int
    """Requests for the Regions that Lightsail has."""
    joins: int
    """Requests for what became of the records."""
    organization: int
    """Requests for the accounts of the organisation."""
    unknown: int
    """Requests for anything else."""
    first_page_at: float | None
    """On the clock of `time.monotonic`; None where no page was asked for."""
    cpu_s: float
    apart: list[list[float]]
    """When each request for a page came, on the same clock, of each account that is told of apart."""
    others_last_at: float
    """When the last one of the other accounts came, where some are told of apart."""

    @property
    def requests(self) -> int:
        """All of them."""
        return (
            self.pages
            + self.roles
            + self.identities
            + self.regions
            + self.joins
            + self.organization
            + self.unknown
        )


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """What AWS clients take for their endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self, workload: Workload) -> None:
        """Serve this workload's pages from now on, and count from zero."""
        self._ask("POST", "/reset", json.dumps(asdict(workload)))

    def stats(self) -> Served:
        """Return what was asked for since the last reset."""
        told = self._ask("GET", "/stats")
        counts = told["counts"]
        return Served(
            pages=counts.get("pages", 0),
            roles=counts.get("roles", 0),
            identities=counts.get("identities", 0),
            regions=counts.get("regions", 0),
            joins=counts.get("joins", 0),
            organization=counts.get("organization", 0),
            unknown=counts.get("unknown", 0),
            first_page_at=told["first_page_at"],
            cpu_s=told["cpu_s"],
            apart=told["apart"],
            others_last_at=told["others_last_at"],
        )

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def serving(core: int | None) -> Iterator[Server]:
    """Run the server on this core for as long as the context lasts."""
    command = [sys.executable, "-m", "bench.server", *([] if core is None else [str(core)])]
    with subprocess.Popen(  # noqa: S603 -- our own module
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 -- asked for above
        assert process.stdout is not None  # noqa: S101 -- asked for above
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(timeout=10)
