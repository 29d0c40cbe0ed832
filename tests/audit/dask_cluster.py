"""Somebody's Dask: a scheduler and workers, started by Dask's own commands, with a policy that can do harm."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.simulator.server import serve_in_thread
from tests.delivery.certificates import certificate_in
from tests.policies.installing import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from auditor.simulator.faults import Fault
    from auditor.simulator.server import Running

SECONDS = 45
"""Nothing takes nearly so long."""

HARMFUL = '''"""Does what a file says to the process that judges a record.

Why
  For tests.
What it finds
  Nothing.
Settings
  None.
What to do
  Nothing.
Examples
  None.
"""
import os, signal
from pathlib import Path
from auditor.audit import shard_audit
from auditor.config import PolicySettings
from auditor.policies.contract import Breach, RecordPolicy

TELLS = Path(os.environ["HARM"])

class Evidence(dict):
    def items(self):
        self.looks = getattr(self, "looks", 0) + 1
        if self.looks > 1:
            raise RuntimeError("planted: evidence that can be read once")
        return super().items()

class Policy(RecordPolicy[PolicySettings]):
    settings_type = PolicySettings
    remediation = "None."

    def judge(self, record):
        for line in TELLS.read_text().splitlines():
            what, _, arn = line.partition(" ")
            if arn != record.arn:
                continue
            with TELLS.with_suffix(".done").open("a") as done:
                done.write(f"{what} {os.getpid()}\\n")
            if what == "once":
                TELLS.write_text("")
            if what in ("kill", "once"):
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "evidence":
                return Breach(record, "planted", Evidence(planted=True))
            if what == "bug":
                real = shard_audit.ShardTold
                def raising(*_):
                    shard_audit.ShardTold = real
                    raise RuntimeError("planted: a bug of the auditor")
                shard_audit.ShardTold = raising
        return None
'''


@dataclass(frozen=True)
class Ended:
    """A run of the command line, and all that it left."""

    code: int
    err: str
    folder: Path
    took_s: float

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The lines of standard error, each an object."""
        return [json.loads(line) for line in self.err.splitlines()]

    @property
    def last(self) -> str:
        text: str = self.logged[-1]["event"]
        return text

    @property
    def coverage(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "coverage.jsonl").read_text("utf-8").splitlines()]

    @property
    def reasons(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Verdict and reason by account and Region."""
        return {
            (line["account_id"], line["region"]): (line["verdict"], line["reason"]) for line in self.coverage
        }

    @property
    def run(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return told

    @property
    def findings(self) -> list[str]:
        """The lines of findings.jsonl in order, without what is another in every run."""
        text = (self.folder / "findings.jsonl").read_text("utf-8")
        text = text.replace(self.run["run_id"], "RUN")
        return sorted(re.sub(r'"(event_id|observed_at)":"[^"]+"', "", text).splitlines())

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The coverage lines, without what differs with time and luck."""
        return [
            line | dict.fromkeys(("duration_s", "retries", "requests", "throttles")) for line in self.coverage
        ]


@dataclass
class Lab:
    """An endpoint whose port stays, the harmful policy, and runs."""

    folder: Path
    port: int
    estate: Estate
    runs: int = 0
    tls: dict[str, str] = field(default_factory=dict)
    """Of the environment, where Dask speaks TLS."""

    @property
    def harm(self) -> Path:
        return self.folder / "harm.txt"

    @property
    def harmed(self) -> list[str]:
        """What was done, in its order, with the process that it was done to."""
        done = self.harm.with_suffix(".done")
        return done.read_text().splitlines() if done.exists() else []

    def environ(self) -> dict[str, str]:
        """What every process of a run has."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": self.estate.base.access_key,
            "AWS_SECRET_ACCESS_KEY": self.estate.base.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONPATH": f"{self.folder}:{':'.join(filter(None, sys.path))}",
            "DASK_CONFIG": str(self.folder),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "20s",
            "HARM": str(self.harm),
            **self.tls,
        }

    @contextmanager
    def serving(self, *faults: Fault, estate: Estate | None = None) -> Iterator[Running]:
        self.harm.write_text("")
        self.harm.with_suffix(".done").unlink(missing_ok=True)
        with serve_in_thread(estate or self.estate, faults=faults, port=self.port) as running:
            yield running

    @contextmanager
    def started(
        self,
        *arguments: str,
        extra: str = "",
        again: Path | None = None,
        more: dict[str, str] | None = None,
    ) -> Iterator[Started]:
        """Begin a run; the estate is being served.

        :param extra: what the configuration says beside the accounts.
        :param again: the folder of a run that is to go on.
        :param more: of its environment.
        """
        self.runs += 1
        folder = again or self.folder / f"run-{self.runs}"
        config = self.folder / f"accounts-{self.runs}.yaml"
        config.write_text(self.estate.accounts_yaml() + extra, encoding="utf-8")
        where = ["--resume", str(folder)] if again else ["-c", str(config), "-o", str(folder)]
        words = ["run", *where, "--log-level", "warning"]
        with subprocess.Popen(
            [sys.executable, "-m", "auditor", *words, *arguments],
            env=self.environ() | {"TMPDIR": str(self.folder / "tmp")} | (more or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield Started(process, folder, time.monotonic())
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def audit(self, *arguments: str, **how: Any) -> Ended:
        """Audit the estate, which is being served."""
        with self.started(*arguments, **how) as started:
            return started.ended()


@dataclass
class Started:
    """A run that goes on."""

    process: subprocess.Popen[str]
    folder: Path
    began: float

    def ended(self) -> Ended:
        _, err = self.process.communicate(timeout=SECONDS)
        return Ended(self.process.returncode, err, self.folder, time.monotonic() - self.began)


@dataclass
class Dask:
    """A scheduler and its workers."""

    lab: Lab
    url: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def start_worker(self, *words: str) -> None:
        """Start a worker, without a nanny unless it is told how many it is to have."""
        host = self.url.rpartition(":")[0]
        where = ["--host", host, "--local-directory", str(self.lab.folder)]
        words = words or ("--no-nanny",)
        self.workers.append(_start(self.lab, "dask_worker", self.url, "--nthreads", "2", *where, *words))

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def made_lab(folder: Path, estate: Estate) -> Lab:
    Site(folder).install("harmful", "harmful = harmful", harmful=HARMFUL)
    (folder / "tmp").mkdir()
    return Lab(folder, free_port(), estate)


@contextmanager
def dask(lab: Lab, *, processes: int = 2, nanny: bool = True, tls: bool = False) -> Iterator[Dask]:
    """Start a scheduler, and workers that their nanny, where they have one, starts again where they die.

    :param tls: whether they speak TLS, with certificates that Dask's configuration names to the runs as well.
    """
    if tls:
        certificate_in(lab.folder)
        lab.tls = {
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(lab.folder / "cert.pem"),
            **{
                f"DASK_DISTRIBUTED__COMM__TLS__{role}__{what.upper()}": str(lab.folder / f"{what}.pem")
                for role in ("SCHEDULER", "WORKER", "CLIENT")
                for what in ("cert", "key")
            },
        }
    url = f"{'tls' if tls else 'tcp'}://127.0.0.1:{free_port()}"
    scheduler = _start(lab, "dask_scheduler", "--host", url)
    running = Dask(lab, url, scheduler, [])
    with ExitStack() as stack:
        stack.callback(running.end)
        if processes:
            running.start_worker(*(["--nworkers", str(processes)] if nanny else []))
        yield running


def _start(lab: Lab, name: str, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.{name}", *words, "--no-dashboard"]
    env = lab.environ() | {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    with (lab.folder / f"{name}.log").open("ab") as told:
        return subprocess.Popen(command, env=env, stdout=told, stderr=told, start_new_session=True)


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until this holds, of what other processes do."""
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)
