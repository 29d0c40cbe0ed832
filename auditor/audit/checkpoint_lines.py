"""The lines of a checkpoint, written and read back: each is checked, since a disk may give back something else."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 -- pydantic reads the annotations
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from auditor.audit.gating import read_fail_on
from auditor.audit.tally import Counts
from auditor.errors import UsageError
from auditor.model import Failure, Outcome, Reason, shown

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.audit.place import PlaceEnd

SCHEMA = "auditor.checkpoint/3"

_Count = Annotated[int, Field(ge=0)]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Header:
    """What a run was asked, and by what: it goes on only as the same."""

    run_id: str
    started_at: str
    config_path: str
    config_digest: str
    history: str | None
    """Where the history is, as messages call it; None where there is none."""
    policies: Mapping[str, str]
    """The digest of each policy's settings and code."""
    filters: Mapping[str, list[str]]
    gates: Mapping[str, Any]
    """What decides whether it fails: a run that goes on may be given others."""
    formats: list[tuple[str, str | None, str | None]]
    """Name, path and variant of each."""
    resumed_at: list[str]
    """When it went on, each time."""


@dataclass(frozen=True, slots=True)
class Done:
    """An account and Region that has ended."""

    account_name: str | None
    outcomes: Mapping[str, Outcome]
    """By source."""
    counts: Counts
    findings_end: int

    @property
    def was_asked(self) -> bool:
        """Whether anything was asked of it."""
        return any(outcome.requests for outcome in self.outcomes.values())


@dataclass(frozen=True, slots=True)
class _Target:
    """An outcome, as a line has it."""

    pages: _Count = 0
    records: _Count = 0
    requests: _Count = 0
    retries: _Count = 0
    throttles: _Count = 0
    duration_s: float = 0.0
    unjudged: Mapping[str, _Count] | None = None
    failure: tuple[Reason, str | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """An account and Region, as a line has it."""

    account_id: str
    account_name: str | None
    region: str
    targets: Mapping[str, _Target]
    records: _Count
    unknown_states: Mapping[str, _Count]
    unjudged: Mapping[str, _Count]
    unjudged_records: _Count
    findings_end: _Count


@dataclass(frozen=True, slots=True)
class _Gates:
    """The gates, as the header has them."""

    fail_on: str
    min_coverage: Annotated[int, Field(strict=True, ge=0, le=100)]
    max_unjudged: Annotated[int, Field(strict=True, ge=0)]


def header_line(header: Header) -> bytes:
    """Return the first line of a checkpoint."""
    return _line({"schema": SCHEMA, **{name: getattr(header, name) for name in Header.__slots__}})


def place_line(end: PlaceEnd, outcomes: Mapping[str, Outcome], findings_end: int) -> bytes:
    """Return the line of an account and Region that has ended."""
    return _line(
        {
            "account_id": end.place.account.id,
            "account_name": end.place.account.name,
            "region": end.place.region,
            "targets": {source: _told(outcome) for source, outcome in outcomes.items()},
            "records": end.counts.records,
            "unknown_states": end.counts.unknown_states,
            "unjudged": end.counts.unjudged,
            "unjudged_records": end.counts.unjudged_records,
            "findings_end": findings_end,
        }
    )


def read_header_line(line: bytes, path: Path) -> Header:
    """Return what the first line of the checkpoint at `path` says.

    :raises UsageError: where it is damaged, or of another auditor.
    """
    told = _mapping(line, path)
    if told.pop("schema", None) != SCHEMA:
        raise UsageError(f"{shown(str(path))}: is of another auditor; go on with the one that began the run")
    header = _checked(Header, told, path)
    try:
        started_at = datetime.fromisoformat(header.started_at)
        read_fail_on(_checked(_Gates, dict(header.gates), path).fail_on)
    except ValueError as error:
        raise damaged(path) from error
    if started_at.tzinfo is None or {*header.filters} != {"policies", "accounts", "regions"}:
        raise damaged(path)
    return header


def read_place_line(line: bytes, path: Path) -> tuple[tuple[str, str], Done]:
    """Return the account and Region that a line of the checkpoint at `path` tells of, and what was done there.

    :raises UsageError: where it is damaged.
    """
    told = _checked(_Place, _mapping(line, path), path)
    counts = Counts(told.records, dict(told.unknown_states), dict(told.unjudged), told.unjudged_records)
    outcomes = {source: _outcome(target) for source, target in told.targets.items()}
    return (told.account_id, told.region), Done(told.account_name, outcomes, counts, told.findings_end)


def damaged(path: Path) -> UsageError:
    """Return what is raised of a file of a run that holds something else than was written to it."""
    return UsageError(f"{shown(str(path))}: is damaged; begin a new run")


def _line(told: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(told) + b"\n"
    except TypeError:
        # A path that is no UTF-8, say: it has to come back as it was.
        return json.dumps(told).encode("ascii") + b"\n"


def _told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome without what it has by default: most are complete, and asked nothing."""
    failure = outcome.failure
    told = {
        "pages": outcome.pages,
        "records": outcome.records,
        "requests": outcome.requests,
        "retries": outcome.retries,
        "throttles": outcome.throttles,
        "duration_s": outcome.duration_s,
        "unjudged": outcome.unjudged,
        "failure": failure and [failure.reason, failure.error_code, failure.error_message],
    }
    return {name: value for name, value in told.items() if value}


def _outcome(told: _Target) -> Outcome:
    return Outcome(
        failure=told.failure and Failure(*told.failure),
        unjudged=told.unjudged,
        pages=told.pages,
        records=told.records,
        requests=told.requests,
        retries=told.retries,
        throttles=told.throttles,
        duration_s=told.duration_s,
    )


def _mapping(line: bytes, path: Path) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise damaged(path) from error
    if not isinstance(told, dict):
        raise damaged(path)
    return told


def _checked(kind: type[T], told: dict[str, Any], path: Path) -> T:
    try:
        checked: T = _reader_of(kind).validate_python(told)  # type: ignore[arg-type]  # classes are hashable
    except ValidationError as error:
        raise damaged(path) from error
    return checked


@cache
def _reader_of(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
