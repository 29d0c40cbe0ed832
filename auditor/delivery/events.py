"""What receivers are told beside findings: gaps, each once however many Regions it has, and last the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats import encoded, gaps_told
from auditor.formats.gaps import digest
from auditor.history import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GAP, RUN = "gap", "run"
"""Kinds of events, beside findings."""


def gap_events(run_id: str, observed_at: str, coverage: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return an event for each gap, in the order of the plan.

    A gap is what could not be read of one source in one account for one reason, or the records of one source in one
    account that a policy could not judge. What is no account's fault, such as base credentials that are lost, and is
    the very same in several accounts, is one gap of them all.

    :param coverage: `Ledger.lines_of_gaps()`.
    """
    told = gaps_told(run_id, observed_at, coverage)
    return [Event(each["event_id"], GAP, encoded(each)) for each in told]


def run_event(record: Mapping[str, Any]) -> Event:
    """Return the event that tells of the run, on clean nights too: silence means that the job is dead.

    :param record: run.json.
    """
    event_id = digest(record["run_id"], RUN)
    return Event(event_id, RUN, encoded({**record, "event_id": event_id}))
