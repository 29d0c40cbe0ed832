"""microburst, somebody else's proxy that injects AWS's faults: in an environment of its own, as a process of its own.

https://pypi.org/project/microburst
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION = "0.10.0"
REQUIREMENTS = Path(__file__).parent / "microburst.lock"
"""All that it needs, pinned, each with its hashes."""
_INSTALL_SECONDS = 240.0
_START_SECONDS = 60.0


class NoMicroburst(Exception):  # noqa: N818 -- says why there is none
    """It can't be installed or started, and why."""


def installed(cache: Path | None = None) -> Path:
    """Return its program, installed where it was not yet.

    :raises NoMicroburst: where it can't be.
    """
    root = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auditor-tests"
    folder = root / f"microburst-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    program = folder / "bin" / "microburst"
    if program.exists():
        return program
    root.mkdir(parents=True, exist_ok=True)
    # Made aside and renamed, since others may be at it too; an environment's own paths must stay true, so that what
    # is run is its python with `-m`.
    with TemporaryDirectory(dir=root) as aside:
        made = Path(aside) / "made"
        _do([sys.executable, "-m", "venv", str(made)])
        pip = [str(made / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _do([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)])
        try:
            made.rename(folder)
        except OSError:
            if not program.exists():
                raise
    return program


def _do(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoMicroburst(str(error)) from error
    if done.returncode != 0:
        raise NoMicroburst(f"`{' '.join(command)}`: {done.stderr.strip()[-500:]}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A microburst that runs."""

    port: int
    upstream: int
    """The port on this machine that it passes requests on to."""

    @property
    def address(self) -> str:
        """The host and port that clients call."""
        return f"127.0.0.1:{self.port}"

    def obey(self, rules: Sequence[dict[str, Any]]) -> None:
        """Have these rules, and no others, and forget what has fired."""
        self._ask("POST", "rules", list(rules))
        self._ask("DELETE", "fired")

    def fired(self) -> list[str]:
        """Return what it did since then."""
        return [event["action"] for event in self._ask("GET", "fired?limit=2000")]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        # It answers nobody while it reads AWS's service models.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        try:
            told = None if body is None else json.dumps(body)
            connection.request(method, f"/_microburst/{path}", told, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise NoMicroburst(f"{method} {path}: {answer.status}: {said.decode()[:500]}")
            return json.loads(said)
        finally:
            connection.close()

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._ask("GET", "health")
            except OSError as error:
                if process.poll() is not None or time.monotonic() > until:
                    raise NoMicroburst(f"it does not start: {error}") from error
                time.sleep(0.05)
            else:
                return


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def proxy(program: Path) -> Iterator[Proxy]:
    """Run it for as long as the context lasts.

    :raises NoMicroburst: where it does not start.
    """
    running = Proxy(free_port(), free_port())
    python = program.parent / "python"
    command = [str(python), "-m", "microburst", "--upstream", f"http://127.0.0.1:{running.upstream}"]
    process = subprocess.Popen(
        [*command, "--port", str(running.port), "--no-resign"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        running.wait(process)
        yield running
    finally:
        process.kill()  # asked to end, it would wait a minute for what it holds
        process.wait()
