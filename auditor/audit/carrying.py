"""What goes to a worker and comes back: the job, a shard's places, and what came of them.

It is pickled, as Dask pickles all that it carries, and sealed: Dask shows a task's arguments where it fails, and an
ExternalId is among them.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from auditor.model import Outcome, row_of_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from auditor.audit.tally import Counts
    from auditor.config import PolicySettings
    from auditor.model import Failure, Finding

T = TypeVar("T")


class Sealed(Generic[T]):
    """A value on its way, of which nothing is shown."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    @classmethod
    def of(cls, value: T) -> Sealed[T]:
        """Seal a value."""
        return cls(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))

    def open(self) -> T:
        """Return the value. It comes from a worker or coordinator, which could run code in this process anyway."""
        value: T = pickle.loads(self._body)  # noqa: S301 -- as above
        return value

    def __reduce__(self) -> tuple[type[Sealed[T]], tuple[bytes]]:
        return Sealed, (self._body,)

    def __repr__(self) -> str:
        return "<sealed>"


@dataclass(frozen=True, slots=True)
class Versions:
    """What judges: a worker that has others would judge otherwise."""

    auditor: str
    policies: Mapping[str, str]
    """The digest of each policy's settings and code."""

    def difference(self, ours: Versions) -> str:
        """Say in what these are others than ours."""
        if self.auditor != ours.auditor:
            return f"it has auditor {self.auditor}, and this is {ours.auditor}; install the same"
        for name in sorted({*self.policies, *ours.policies}):
            its, own = self.policies.get(name), ours.policies.get(name)
            if its != own:
                return f"its policy {name} has version {its}, and ours {own}; install the same"
        return "nothing"


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every shard of a run."""

    run_id: str
    now: datetime
    """The run's one instant."""
    policies: Mapping[str, PolicySettings]
    own_accounts: frozenset[str]
    services: frozenset[str]
    concurrency: int
    """Requests that one worker may have in flight."""
    request_timeout: float
    """Seconds."""
    allow_http: bool
    ends_in: float
    """Seconds to the deadline, as the job was given out."""
    deadline: Failure
    """Why a target is not read on after it."""
    log_level: int
    wants_identities: bool
    """Whether a history asks which records were read."""
    secrets: tuple[str, ...] = field(repr=False)
    """What no message may show."""


@dataclass(frozen=True, slots=True)
class Enlisted:
    """What a worker answers to a job."""

    versions: Versions
    refused: str | None = None
    """Why it can't do it."""


class NotEnlisted(NamedTuple):
    """The answer of a worker that knows nothing of the job: it took the place of one that was lost."""


class Bug(NamedTuple):
    """The answer of a worker in which a bug of ours ended a shard."""

    error: str
    """The exception's type."""
    told: str
    """Its traceback."""


class PlaceTold(NamedTuple):
    """What came of one place."""

    at: int
    """Its number in the shard."""
    outcomes: tuple[tuple[Any, ...], ...]
    """In the order of its targets."""
    counts: Counts
    findings: tuple[tuple[Any, ...], ...]
    ended: bool
    """Whether it is done: it was not cut off."""
    was_read: Callable[[str], bool] | None
    """None where nobody asks."""
    began: int
    until: int
    """Both in nanoseconds since 1970."""


class ShardTold(NamedTuple):
    """What came of a shard; a place that was never begun is not in it."""

    places: Sequence[PlaceTold]
    logs: Sequence[tuple[str, dict[str, Any]]]
    """What the worker has to say: the level, and the event."""


_outcome_row = attrgetter(
    "failure", "unjudged", "pages", "records", "requests", "retries", "throttles", "duration_s"
)


def outcome_row(outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome as it travels."""
    row: tuple[Any, ...] = _outcome_row(outcome)
    return row


def read_outcome(row: tuple[Any, ...]) -> Outcome:
    """Return the outcome of a row; its verdict is the ledger's business."""
    return Outcome(None, row[0], None, *row[1:])


def finding_rows(findings: Sequence[Finding]) -> tuple[tuple[Any, ...], ...]:
    """Return findings as they travel."""
    return tuple(map(row_of_finding, findings))
