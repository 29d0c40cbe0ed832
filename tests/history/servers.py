"""A PostgreSQL server of the tests' own: from Debian's package, on a free port, in a folder that goes with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "canary-of-the-database"


@dataclass
class PostgreSQL:
    """A server that runs."""

    programs: Path
    data: Path
    port: int
    user: str | None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, with its password."""
        return f"postgresql://auditor:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs as whoever owns it, which root may not."""
        subprocess.run(
            [self.programs / program, *arguments],
            check=True,
            user=self.user,
            group=self.user and "nogroup",
            extra_groups=[] if self.user else None,
            cwd=self.data.parent,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self.data.parent / "log")
        self.run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def fresh_database(self, name: str) -> str:
        """Return the URL of an empty database."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server, or skip where Debian's package is not installed: never where CI=true."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = found[-1] if found else shutil.which("initdb")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed, which CI has to be: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="auditor-postgresql-"))
    user = "nobody" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user, "nogroup")
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    server = PostgreSQL(Path(program).parent, folder / "data", _free_port(), user)
    try:
        server.run(
            "initdb", "-D", str(server.data), "-U", "auditor", "-A", "scram-sha-256", "-E", "UTF8", f"--pwfile={secret}",
            "--no-sync",
        )  # fmt: skip
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port
