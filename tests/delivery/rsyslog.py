"""An rsyslogd of the tests' own: from Debian's package, on free ports, writing what its parser made of each message."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_PROPERTIES = {
    "facility": "syslogfacility-text",
    "severity": "syslogseverity-text",
    "version": "protocol-version",
    "time": "timereported",
    "host": "hostname",
    "app_name": "app-name",
    "process": "procid",
    "message_id": "msgid",
    "data": "structured-data",
    "parsed": "$!rfc5424-sd",
    "text": "msg",
    "raw": "rawmsg",
}
_LONGEST_WAIT = 20.0
"""Seconds."""


@dataclass
class Rsyslog:
    """A daemon that can be started, stopped and killed."""

    program: str
    folder: Path
    driver: str = "ossl"
    """Of TLS: ossl by OpenSSL, or gtls by GnuTLS."""
    max_bytes: int = 8_192
    client_ca: Path | None = None
    """The authority whose certificates clients have to show; None where they need none."""
    port: int = 0
    """Of plain TCP, once it runs; where it is set, it is taken again."""
    tls_port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        for name in ("port", "tls-port"):
            (self.folder / name).unlink(missing_ok=True)
        with self._written.open("a+b") as file:
            if file.tell() and not _read(self._written).endswith("\n"):
                file.write(b"\n")  # where it was killed amid a line
        config = self.folder / "rsyslog.conf"
        config.write_text(self._config())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "-n", "-f", config, "-i", "NONE"], stdout=subprocess.DEVNULL, stderr=log
            )
        self.port = self._wait(lambda: self.port or int(_read(self.folder / "port") or 0))
        self.tls_port = self._wait(lambda: self.tls_port or int(_read(self.folder / "tls-port") or 0))
        self._wait(lambda: _listens(self.port) and _listens(self.tls_port))

    def stop(self, with_: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM lets it write what it has, SIGKILL does not."""
        if self._process is not None:
            self._process.send_signal(with_)
            self._process.wait(_LONGEST_WAIT)
            self._process = None

    def pause(self) -> None:
        """Let it do nothing more: the kernel still takes connections and bytes for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def clear(self) -> None:
        """Forget what it has written."""
        os.truncate(self._written, 0)

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Return what it has written, once there are so many; a line that a kill has cut short is none."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            lines = _read(self._written).splitlines()
            found[:] = (
                [json.loads(line) for line in lines if line.endswith("}")] if len(lines) >= count else []
            )
            return len(found) >= count

        self._wait(look)
        return found

    def written(self) -> int:
        """Return how many messages it has written."""
        return len(_read(self._written).splitlines())

    @property
    def _written(self) -> Path:
        return self.folder / "messages.jsonl"

    def _wait(self, what: Callable[[], Any]) -> Any:
        end = time.monotonic() + _LONGEST_WAIT
        while not (found := what()):
            log = _read(self.folder / "log")
            assert self._process is not None, log
            assert self._process.poll() is None, log
            assert time.monotonic() < end, log
            time.sleep(0.005)
        return found

    def _config(self) -> str:
        here = self.folder
        properties = "\n".join(
            f'  property(outname="{name}" name="{source}" format="jsonf"'
            + (' dateformat="rfc3339"' if name == "time" else "")
            + ")"
            for name, source in _PROPERTIES.items()
        )
        ca = self.client_ca or here / "cert.pem"
        mode = "x509/certvalid" if self.client_ca else "anon"
        return f"""
global(workDirectory="{here}" maxMessageSize="{self.max_bytes}" defaultNetstreamDriver="{self.driver}"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{here}/cert.pem"
  defaultNetstreamDriverKeyFile="{here}/key.pem")
module(load="imtcp")
module(load="mmpstrucdata")
template(name="json" type="list" option.jsonf="on") {{
{properties}
}}
# Direct: a message is in the file before more is read, and so before the connection is closed.
ruleset(name="written" queue.type="Direct") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{self._written}" template="json")
}}
input(type="imtcp" address="127.0.0.1" port="{self.port}" listenPortFileName="{here}/port" ruleset="written"
  streamDriver.name="ptcp" streamDriver.mode="0")
input(type="imtcp" address="127.0.0.1" port="{self.tls_port}" listenPortFileName="{here}/tls-port" ruleset="written"
  streamDriver.name="{self.driver}" streamDriver.mode="1" streamDriver.authMode="{mode}")
"""


def rsyslogd() -> str:
    """Return the daemon's path, or skip where Debian's package is not installed: never where CI=true."""
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("rsyslog is not installed, which CI has to be: apt-get install rsyslog")
        pytest.skip("rsyslog is not installed: apt-get install rsyslog")
    return program


def driver_of(name: str) -> str:
    """Return the name of a driver of TLS that is installed, or skip: never where CI=true."""
    package = {"gtls": "rsyslog-gnutls", "ossl": "rsyslog-openssl"}[name]
    if not any(Path("/usr/lib").glob(f"*/rsyslog/lmnsd_{name}.so")):
        if os.environ.get("CI") == "true":
            pytest.fail(f"{package} is not installed, which CI has to be: apt-get install {package}")
        pytest.skip(f"{package} is not installed: apt-get install {package}")
    return name


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""
