"""The faults of one file, gathered while it is read so that all are told at once."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.errors import ConfigError, Problem
from auditor.model import shown

MOST_FAULTS = 10_000
"""Faults that are told of one file: a hostile file could hold more than anybody waits for."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file holds, as far as its faults speak of that."""

    begin: str
    """How to write one, where nothing is written yet."""
    name: str
    """How to name another, where there is none of this name."""
    split: str
    """How to make it smaller."""


CONFIGURATION = FileKind(
    begin="copy accounts.example.yaml and fill in your accounts",
    name="copy accounts.example.yaml and fill in your accounts, or name yours with -c",
    split="split the accounts over several files, one run each",
)


class Faults:
    """Every fault found so far in one file."""

    def __init__(self, file: str, kind: FileKind = CONFIGURATION) -> None:
        self._file = shown(file)
        self.kind = kind
        self._found: dict[Problem, None] = {}

    @property
    def full(self) -> bool:
        """Whether enough was found: no more is noted."""
        return len(self._found) >= MOST_FAULTS

    def add(self, line: int | None, text: str) -> None:
        """Note a fault on `line`, counted from 1; None where the whole file is at fault."""
        if not self.full:
            # What an alias repeats is one fault, however often it is read.
            self._found[Problem(self._file, line, text)] = None

    def fatal(self, line: int | None, text: str) -> ConfigError:
        """Return the error to raise for a fault past which the file can't be read."""
        self._found[Problem(self._file, line, text)] = None
        return self._error()

    def check(self) -> None:
        """Raise all faults in the order of the file, if there are any.

        :raises ConfigError: with every fault that was noted.
        """
        if self._found:
            raise self._error()

    def _error(self) -> ConfigError:
        problems = sorted(self._found, key=lambda problem: problem.line or 0)
        if self.full:
            problems.append(
                Problem(self._file, None, f"has {MOST_FAULTS:,} faults or more; mend these first")
            )
        return ConfigError(problems)
