"""One measured child process: what it took, from its start to its end, as the kernel counted it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
"""Where `python -m auditor` and `python -m bench.…` are found."""

_TIME_LIMIT_S = 600
_SHOWN = 2000
"""Characters of a failed child's standard error that are worth showing."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes, but bytes on macOS


@dataclass(frozen=True, slots=True)
class Usage:
    """What a child took and said."""

    started: float
    """On the clock of `time.monotonic`, before the fork."""
    wall_s: float
    cpu_s: float
    """User and system, threads and waited-for children included."""
    rss_mb: float
    """The largest resident set, in 10^6 bytes."""
    stdout: str
    stderr: str


def environment(url: str) -> dict[str, str]:
    """Return the environment of a child: this one's, without its AWS settings and proxies, at our endpoint.

    Python's own switches are left out too: PYTHONDONTWRITEBYTECODE, which containers like to set, would have every
    run compile what the warm-up should have cached, most of all for whichever package was edited last.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "C7N_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAXXXX999999999999",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",  # boto3 reads this name alone
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def own_rss_mb() -> float:
    """Return this process's largest resident set: the least that can be measured of a child.

    The kernel counts what the child held before its exec, which was a copy of this process.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 1e6


def run(command: list[str], env: dict[str, str]) -> Usage:
    """Run a command to its end and return what it took.

    :raises BenchError: where it does not exit with 0.
    """
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=stdout, stderr=stderr)  # noqa: S603 -- ours
        clock = threading.Timer(_TIME_LIMIT_S, process.kill)
        clock.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        finally:
            clock.cancel()
        wall = time.monotonic() - started
        # wait4 has reaped it: Popen must not wait for that pid again.
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        told, complaint = stdout.read(), stderr.read()
    if process.returncode != 0:
        raise BenchError(f"`{' '.join(command)}` exited with {process.returncode}:\n{complaint[-_SHOWN:]}")
    return Usage(
        started=started,
        wall_s=wall,
        cpu_s=used.ru_utime + used.ru_stime,
        rss_mb=used.ru_maxrss * _RSS_UNIT / 1e6,
        stdout=told,
        stderr=complaint,
    )
