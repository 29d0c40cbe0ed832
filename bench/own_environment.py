"""An environment of its own for another program, whose pins need not go with ours.

Made where it is missing, from `bench/NAME.lock`, in `.bench/` of the project's folder. It is named by the lock's digest:
a new lock makes a new environment, and one of which half was installed is made again.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

from bench.errors import BenchError
from bench.process import ROOT
from bench.rounds import say

_SHOWN = 2000
"""Characters of a failed installation's standard error that are worth showing."""


class OwnEnvironment:
    """The environment of one program."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = ROOT / "bench" / f"{name}.lock"
        digest = hashlib.sha256(self._lock.read_bytes() + sys.version.encode()).hexdigest()
        self._folder = ROOT / ".bench" / f"{name}-{digest[:12]}"
        self._whole = self._folder / "whole"

    @property
    def exists(self) -> bool:
        """Whether it was made before."""
        return self._whole.exists()

    def make(self) -> None:
        """Make it where it is missing.

        :raises BenchError: where something can't be installed.
        """
        if self.exists:
            return
        say(f"{self._name}: installing {self._lock.name} into {self._folder}, once")
        self._do(sys.executable, "-m", "venv", "--clear", str(self._folder))
        self._do(*self.command("pip", "install", "--quiet", "--require-hashes", "-r", str(self._lock)))
        self._whole.touch()

    def command(self, script: str, *words: str) -> list[str]:
        """Return the command that runs one of its scripts."""
        # By the interpreter: a script's first line can't name one whose path is long.
        scripts = self._folder / "bin"
        return [str(scripts / "python"), str(scripts / script), *words]

    def version(self, package: str) -> str:
        """Return the version of a package that the lock names."""
        matched = re.search(rf"^{re.escape(package)}==(\S+)", self._lock.read_text("utf-8"), re.MULTILINE)
        if matched is None:
            raise BenchError(f"{self._lock} does not name {package}")
        return matched[1]

    def _do(self, *command: str) -> None:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 -- ours
        if done.returncode != 0:
            raise BenchError(f"`{' '.join(command)}` exited with {done.returncode}:\n{done.stderr[-_SHOWN:]}")
