from __future__ import annotations

import gc
import json
import logging
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from auditor.cli.entry import main
from auditor.cli.last_word import last_word_as_json
from auditor.simulator.estate import Estate, generate
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditor.simulator.endpoint import Call
    from auditor.simulator.faults import Fault, FaultKind

REGIONS = ("us-east-1", "eu-west-1")
AUDITOR = (sys.executable, "-m", "auditor")
SECONDS = 40
"""Nothing here takes nearly so long."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended: how, and what it said."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on standard error."""
        return self.err.splitlines()[-1]

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The lines of standard error, each an object."""
        return [json.loads(line) for line in self.err.splitlines() if line]


class Auditor(Protocol):
    """The command line, in this process."""

    def __call__(self, *arguments: str | Path) -> Ended: ...


class Process(Protocol):
    """The command line, in a process of its own."""

    def __call__(self, *arguments: str | Path, **how: Any) -> Ended: ...


class Spawn(Protocol):
    """The command line, in a process of its own that goes on."""

    def __call__(self, *arguments: str | Path, **how: Any) -> Started: ...


class Serve(Protocol):
    """Serves an estate, and points every AWS client of the test at it."""

    def __call__(self, *faults: Fault, **how: Any) -> Served: ...


class Started:
    """A process that goes on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def out_until(self, last: str) -> list[str]:
        """Return the lines of its standard output, up to one that begins like this."""
        said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said.append(line.rstrip("\n"))
            if line.startswith(last):
                break
        return said

    def ended(self) -> Ended:
        """Return how it ended by itself."""
        out, err = self.process.communicate(timeout=SECONDS)
        return Ended(self.process.returncode, out or "", err or "")

    def ended_by(self, number: int = signal.SIGINT) -> Ended:
        """Return how it ended after a signal."""
        self.process.send_signal(number)
        return self.ended()


class _Calls(list["Call"]):
    """The calls that a server has had, which can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def append(self, call: Call) -> None:
        with self.changed:
            super().append(call)
            self.changed.notify_all()


@dataclass
class Served:
    """An estate that is served, and a configuration that audits it."""

    running: Running
    config: Path
    calls: _Calls = field(default_factory=_Calls)

    def __post_init__(self) -> None:
        self.running.calls = self.calls

    @property
    def estate(self) -> Estate:
        return self.running.estate

    def wait_for(self, kind: FaultKind) -> None:
        """Return once this fault has struck."""
        with self.calls.changed:
            assert self.calls.changed.wait_for(
                lambda: any(call.fault is kind for call in self.calls), SECONDS
            )


@dataclass(frozen=True)
class RunFolder:
    """What a run wrote."""

    path: Path

    @property
    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir())

    @property
    def run(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.path / "run.json").read_text("utf-8"))
        return record

    @property
    def findings(self) -> list[dict[str, Any]]:
        return self.lines("findings.jsonl")

    @property
    def coverage(self) -> list[dict[str, Any]]:
        return self.lines("coverage.jsonl")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a file, each of them whole."""
        text = (self.path / name).read_text("utf-8")
        assert not text or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> RunFolder:
    """The folder `out`, which does not exist yet."""
    return RunFolder(tmp_path / "out")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to, or read from, where the tests are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(autouse=True)
def _process_left_as_it_was() -> Iterator[None]:
    """The command line takes the process for its own."""
    loggers = [logging.getLogger(name) for name in (None, "botocore", "aiobotocore", "urllib3")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    threshold = gc.get_threshold()
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
    gc.set_threshold(*threshold)
    gc.unfreeze()
    last_word_as_json(on=False)


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Auditor:
    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["auditor", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    with ExitStack() as clean_up:

        def start(*arguments: str | Path, program: Iterable[str] = AUDITOR, **how: Any) -> Started:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
            process = subprocess.Popen([*program, *map(str, arguments)], **pipes | how, text=True)
            clean_up.callback(process.__exit__, None, None, None)
            clean_up.callback(process.kill)
            return Started(process)

        yield start


@pytest.fixture
def process(spawn: Spawn) -> Process:
    def run(*arguments: str | Path, **how: Any) -> Ended:
        return spawn(*arguments, **how).ended()

    return run


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    with ExitStack() as clean_up:

        def start(
            *faults: Fault,
            estate: Estate | None = None,
            credential_lifetime: float | None = None,
            **how: Any,
        ) -> Served:
            estate = estate or _estate_of(**how)
            running = clean_up.enter_context(
                serve_in_thread(estate, faults=faults, credential_lifetime=credential_lifetime)
            )
            for name, value in running.environ.items():
                monkeypatch.setenv(name, value)
            config = tmp_path / "accounts.yaml"
            config.write_text(estate.accounts_yaml(), "utf-8")
            return Served(running, config)

        yield start


def _estate_of(**how: Any) -> Estate:
    merged: dict[str, Any] = {
        "accounts": 2,
        "regions": REGIONS,
        "now": datetime.now(UTC) - timedelta(seconds=1),
        "records_per_target": 20,
        "page_size": 7,
    } | how
    return generate(merged.pop("seed", 7), **merged)


@dataclass
class Terminal:
    """A terminal of 80 columns, and what was shown on it."""

    device: int
    """What a process writes to."""
    shown: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def read(self, source: int) -> None:
        """Take what is shown, until nobody holds the device any more."""
        with suppress(OSError):  # Linux: EIO, once the last writer has gone
            while data := os.read(source, 65536):
                with self._changed:
                    self.shown += data.decode("utf-8")
                    self._changed.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match in what is shown, once there is one."""
        matched: Callable[[], re.Match[str] | None] = lambda: re.search(pattern, self.shown)  # noqa: E731
        with self._changed:
            match = self._changed.wait_for(matched, SECONDS)
        assert match, self.shown
        return match


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with _opened_terminal() as opened:
        yield opened


@contextmanager
def _opened_terminal() -> Iterator[Terminal]:
    source, device = pty.openpty()
    ioctl(device, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    terminal = Terminal(device)
    reader = threading.Thread(target=terminal.read, args=(source,), daemon=True)
    reader.start()
    try:
        yield terminal
    finally:
        os.close(device)
        reader.join(SECONDS)
        os.close(source)
