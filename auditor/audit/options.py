"""What a run is asked to do, and how it tells of itself while it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from auditor.inventory import Filters

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from auditor.model import Severity


@dataclass(frozen=True, slots=True)
class FormatRequest:
    """A format asked for beside what a run's folder holds anyway."""

    name: str
    path: str | None = None
    """`-` is standard output; None is the run's folder."""
    variant: str | None = None
    """Such as the version of a schema; None is the format's default."""

    @property
    def asked(self) -> str:
        """What stands before the path, as it was asked for."""
        return self.name if self.variant is None else f"{self.name}:{self.variant}"


@dataclass(frozen=True, slots=True)
class NewFindings:
    """Findings that were not open before the run, new and reopened ones; it takes a history to tell them."""

    at_least: Severity
    """As grave as this, or graver."""


FailOn: TypeAlias = "Severity | NewFindings | None"
"""What makes a run fail: findings from this severity upwards, the new ones of these alone, or none."""


class Usual(Enum):
    """What stands for a gate that is not given."""

    USUAL = "usual"


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """That every answer is kept, and what it is signed with; unsigned without either key."""

    key: Path | None = None
    """A file with a private key in PEM."""
    kms: str | None = None
    """The ARN of a key in AWS KMS."""
    after: Path | None = None
    """The folder of the run before, where no history knows it."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the configuration does not say."""

    folder: Path | None = None
    """None is `runs/<run id>`."""
    resume: Path | None = None
    """The folder of a run that died, or was interrupted: it goes on, with its own formats and filters."""
    formats: tuple[FormatRequest, ...] = ()
    filters: Filters = field(default_factory=Filters)
    fail_on: FailOn | Usual = Usual.USUAL
    """Waived findings make no run fail. Usual is high and graver, and for a run that goes on what it began with."""
    min_coverage: int | None = None
    """Percent, 0 to 100; None is 100, or what it began with."""
    max_unjudged: int | None = None
    """Records that at least one policy could not judge; None is 0, or what it began with."""
    evidence: EvidenceOptions | None = None
    """Whether every answer is kept, as it was received."""
    deadline: timedelta | None = None
    """None is the configuration's."""
    concurrency: int | None = None
    """Requests in flight; None is the configuration's."""
    workers: int = 1
    """Processes that audit on this machine; 1 is this one alone. More need Dask, and a program that starts them by
    `if __name__ == "__main__":`, since each begins by importing it."""
    dask: str | None = None
    """The address of Dask's scheduler, whose workers audit; None where there is none."""
    allow_http: bool = False
    """Whether calls may go over plain http, and the plan to Dask over plain tcp, to another machine."""
    telemetry: bool = False
    """Whether an OpenTelemetry collector is told of the run; the standard environment variables say which."""
    handle_signals: bool = False
    """Whether SIGINT and SIGTERM end the run in order: for a program that is nothing but this run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    """Targets with a verdict."""
    planned: int
    findings: int
    requests: int
    elapsed_s: float


class Observer:
    """Is told how a run goes; what it does with that is its own business. This one does nothing."""

    interval: float | None = None
    """Seconds between two words on the progress; None for none."""

    def ready(self) -> None:
        """Take note that everything is open, and the first target about to start."""

    def progress(self, progress: Progress) -> None:
        """Take note of the progress."""
