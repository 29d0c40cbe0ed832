"""What is known of a run before its first finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    remediation: str
    controls: Sequence[Control]
    severity: Severity
    """As the configuration sets it."""
    version: str
    line: int
    """Where in the configuration it is set, from 1; the line of `policies` where it is not named, 1 without that."""


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
