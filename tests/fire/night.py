"""One night of a campaign: the estate served, the audit run in this process or as a command, and all that was seen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import structlog

import auditor
from auditor.audit import EvidenceOptions
from auditor.audit.contradictions import contradictions
from auditor.cli.replays import own_configuration
from auditor.evidence.verifying import faults_of
from auditor.simulator.server import serve_in_thread
from tests.fire.microburst import free_port
from tests.fire.names import FINE, resolving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditor.simulator.server import Running
    from tests.fire.drawing import Campaign
    from tests.fire.microburst import Proxy
    from tests.fire.receiver import Receiver
    from tests.fire.troubles import Night

KEY = "FIRE_HOOK_KEY"
DESTINATION = (
    "history: {{store: history.sqlite3}}\n"
    "destinations:\n"
    "  hook: {{type: webhook, url: '{url}', secret_env: {key}, batch: 5, timeout: 1s, drain: 1s}}\n"
)
_HANGING = 40.0
"""Seconds after which a process counts as hanging, without those in which the machine let it wait."""


@dataclass(slots=True)
class Seen:
    """A night that is over, and all that it left."""

    folder: Path
    exit_code: int
    wall: float
    """Seconds from the beginning of the run to its end."""
    starved: float
    """Seconds in which this process could have gone on, and the machine had others to serve."""
    log: list[Mapping[str, Any]]
    left: list[str]
    """What was left behind that should not be."""
    struck: list[str] = field(default_factory=list)
    """What went wrong indeed, each time by its kind."""
    due: int = 0
    """Events that still wait for the destination."""
    error: str | None = None
    """Why there was no run at all."""
    interrupted: bool = False
    """Whether a signal was sent to it while it ran."""

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON lines of a file of its folder."""
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]

    @property
    def coverage(self) -> list[dict[str, Any]]:
        """The ledger."""
        return self.lines("coverage.jsonl")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What was found."""
        return self.lines("findings.jsonl")

    @property
    def run(self) -> dict[str, Any]:
        """Its run.json."""
        told: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return told

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """What was refused for good."""
        path = self.folder / "dead-letter.jsonl"
        return self.lines(path.name) if path.exists() else []


def configure(campaign: Campaign, folder: Path, receiver: Receiver | None) -> Path:
    """Write the configuration of a campaign."""
    text = campaign.estate.accounts_yaml()
    if receiver is not None:
        text += DESTINATION.format(url=receiver.url, key=KEY)
    if campaign.as_process:
        text += f"limits: {{request_timeout: 1s, deadline: {campaign.deadline:.0f}s}}\n"
    path = folder / "accounts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def spend(  # noqa: PLR0913 -- all that a night has
    campaign: Campaign,
    number: int,
    folder: Path,
    receiver: Receiver | None,
    proxy: Proxy | None,
    *,
    resumes: bool = False,
) -> Seen:
    """Run the audit of a night in a folder of its own.

    :param folder: the campaign's, with its configuration.
    :param resumes: whether the run goes on that a signal has ended.
    """
    night = campaign.nights[number]
    with ExitStack() as stack:
        running = stack.enter_context(_served(campaign, night, proxy))
        environ = _environ(campaign, night, running, proxy)
        if campaign.as_process:
            run = folder / f"run-{number}"
            words = ["--resume", str(run)] if resumes else _asked(campaign, night, run)
            seen = _as_process(campaign, run, words, environ, running)
        else:
            seen = _in_process(campaign, night, folder / f"run-{number}", environ)
    seen.struck += [str(call.fault) for call in running.calls if call.fault is not None]
    if proxy is not None:
        seen.struck += [f"proxy: {action.partition(':')[0]}" for action in proxy.fired()]
    if receiver is not None and (folder / "history.sqlite3").exists():
        with closing(sqlite3.connect(folder / "history.sqlite3")) as database:
            seen.due = database.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return seen


@contextmanager
def _served(campaign: Campaign, night: Night, proxy: Proxy | None) -> Iterator[Running]:
    began = time.monotonic()

    def clock() -> float:
        jumped = night.clock_jumps_after is None or time.monotonic() - began >= night.clock_jumps_after
        return time.time() + (night.clock_off if jumped else 0.0)

    behind: dict[str, Any] = {}
    if proxy is not None:
        proxy.obey(night.rules)
        behind = {"port": proxy.upstream, "called_as": proxy.address}
    with serve_in_thread(
        campaign.estate, faults=night.faults, clock=clock, credential_lifetime=night.lifetime, **behind
    ) as running:
        yield running


def _environ(campaign: Campaign, night: Night, running: Running, proxy: Proxy | None) -> dict[str, str]:
    environ = {**running.environ, KEY: "the-key-that-both-have"}
    if proxy is not None:
        environ["AWS_ENDPOINT_URL"] = f"http://{proxy.address}"
    elif campaign.by_name:
        environ["AWS_ENDPOINT_URL"] = running.url.replace("127.0.0.1", "localhost")
    for service in night.unreachable:
        environ[f"AWS_ENDPOINT_URL_{service}"] = f"http://127.0.0.1:{free_port()}"
    # Nobody's own configuration may lead anywhere else.
    return environ | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextmanager
def environment(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("AWS_", "OTEL_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _in_process(campaign: Campaign, night: Night, run: Path, environ: Mapping[str, str]) -> Seen:
    log: list[Mapping[str, Any]] = []
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.format_exc_info, _into(log)]
    )
    with environment(environ):
        config = auditor.load_config(run.parent / "accounts.yaml")
        limits = config.limits.model_copy(
            update={"request_timeout": timedelta(seconds=campaign.request_timeout)}
        )
        full = (auditor.FormatRequest("csv", "/dev/full"),) if night.full_output else ()
        options = auditor.RunOptions(
            folder=run,
            deadline=timedelta(seconds=campaign.deadline),
            concurrency=campaign.concurrency,
            formats=full,
            evidence=EvidenceOptions() if campaign.keeps else None,
        )
        began, waited, error, code, strays = time.monotonic(), waiting(), None, 2, list[str]()
        with resolving(night.lookups, night.then) as lookups:
            try:
                code, strays = anyio.run(partial(_audit, replace(config, limits=limits), options))
            except auditor.UsageError as refused:
                error = str(refused)
        wall, starved = time.monotonic() - began, waiting() - waited
        del config, options
        if campaign.keeps and error is None:
            strays += [f"verify: {fault}" for fault in _verified(run)]
    return Seen(
        run,
        code,
        wall,
        starved,
        log,
        strays,
        struck=["name lookup"] * lookups.failed if night.then != FINE or night.lookups else [],
        error=error,
    )


def waiting(process: str = "self") -> float:
    """Return how many seconds the threads of a process have been ready to run, and were not run (proc(5), schedstat)."""
    total = 0
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            total += int((task / "schedstat").read_text("ascii").split()[1])
    return total / 1e9


def _verified(run: Path) -> list[str]:
    """Return what is wrong with the evidence of a run: its findings are judged again from the answers that it kept."""
    return list(
        faults_of(
            run, allow_unsigned=True, follow=lambda evidence: contradictions(evidence, own_configuration)
        )
    )


async def _audit(config: auditor.Config, options: auditor.RunOptions) -> tuple[int, list[str]]:
    """Return the exit code, and what was left in the event loop."""
    strays: list[str] = []
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    loop.set_exception_handler(lambda _, context: strays.append(f"in the event loop: {context}"))
    result = await auditor.run(config, options)
    for _ in range(3):
        await anyio.lowlevel.checkpoint()  # what was told to end may do so
    strays += [f"a task: {task!r}" for task in asyncio.all_tasks() if task is not this]
    return result.exit_code, strays


def _into(log: list[Mapping[str, Any]]) -> Any:
    def keep(_: Any, __: str, event: Mapping[str, Any]) -> Any:
        log.append(dict(event))
        raise structlog.DropEvent

    return keep


def _asked(campaign: Campaign, night: Night, run: Path) -> list[str]:
    words = ["-o", str(run), "--concurrency", str(campaign.concurrency)]
    return [*words, "-f", "csv=/dev/full"] if night.full_output else words


def _as_process(
    campaign: Campaign, run: Path, words: list[str], environ: Mapping[str, str], running: Running
) -> Seen:
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "auditor", "run", "--quiet"]
    with environment(environ), TemporaryFile() as stderr:
        process = subprocess.Popen(
            [*command, "--log-format", "json", *words],
            cwd=run.parent,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        watch = _Watch(process)
        interrupted = watch.interrupt(campaign.signal_after, running)
        watch.wait(_HANGING)
        process.kill()
        process.wait()
        ended = time.time()
        stderr.seek(0)
        text = stderr.read().decode()
    log, others = _logged(text)
    began = ended
    if (run / "run.json").exists():
        told = json.loads((run / "run.json").read_text("utf-8"))
        began = datetime.fromisoformat(told["started_at"]).timestamp()
    left = [f"a traceback: {text[-2000:]}"] if "Traceback" in text or "ResourceWarning" in text else []
    left += [f"half a file: {path.name}" for path in run.parent.rglob("*.part")]
    refused = others[-1] if process.returncode == 2 and others else None
    return Seen(
        run,
        process.returncode,
        ended - began,
        watch.starved,
        log,
        left,
        error=refused,
        interrupted=interrupted,
    )


class _Watch:
    """Waits for a process, and counts meanwhile how long the machine lets that wait."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.starved = 0.0

    def wait(self, seconds: float, happened: Callable[[], bool] = lambda: False) -> None:
        """Wait until it ends, something happens, or the time is over that it was let run."""
        began = time.monotonic() - self.starved
        while self._process.poll() is None and not happened():
            if time.monotonic() - began - self.starved > seconds:
                break
            with suppress(OSError):  # it has ended meanwhile
                self.starved = max(self.starved, waiting(str(self._process.pid)))
            time.sleep(0.005)

    def interrupt(self, after: float | None, running: Running) -> bool:
        """Send a signal so long after its first request; say whether it still ran then."""
        if after is None:
            return False
        self.wait(_HANGING, lambda: bool(running.calls))
        self.wait(after)
        if self._process.poll() is not None:
            return False
        self._process.send_signal(signal.SIGTERM)
        return True


def _logged(text: str) -> tuple[list[Mapping[str, Any]], list[str]]:
    log: list[Mapping[str, Any]] = []
    others: list[str] = []
    for line in text.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            log.append(event if isinstance(event, dict) else {})
        elif line.strip():
            others.append(line)
    return log, others
