"""What is known of a run before its first finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.model import Control, Severity


@dataclass(frozen=True, slots=True)
class JudgedPolicy:
    """A policy that the run judges by."""

    id: str
    title: str
    """One sentence: what it finds."""
    description: str
    """Why that matters."""
    page: str
    """The policy's page, whole."""
    settings: Mapping[str, Any]
    """As the configuration sets them, fit for JSON."""
    remediation: str
    controls: Sequence[Control]
    severity: Severity
    """As the configuration sets it."""
    version: str
    line: int
    """Where in the configuration it is set, from 1; the line of `policies` where it is not named, 1 without that."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that has finished, as the history tells of it."""

    run_id: str
    started_at: str
    """RFC 3339, UTC."""
    is_subset: bool
    open: int
    """Findings that were open, waived ones and those not seen included."""
    new: int
    """Of these, those that were not open before it."""
    not_seen: int
    resolved: int
    coverage_percent: int


@dataclass(frozen=True, slots=True)
class RunStart:
    """Given to every format when it is made."""

    run_id: str
    started_at: str
    """RFC 3339, UTC."""
    auditor_version: str
    is_subset: bool
    """Whether the run is confined by filters, so that what it does not find may be there all the same."""
    filters: Mapping[str, Sequence[str]]
    """What it is confined to: `policies`, `accounts`, `regions`; an empty one confines nothing."""
    config_path: str
    """The configuration, as it was named."""
    policies: Mapping[str, JudgedPolicy]
    """By id: those that this run judges by."""
    past: Sequence[PastRun] = ()
    """Earlier runs, the oldest first: for formats of which `wants_past` is true, where there is a history."""
