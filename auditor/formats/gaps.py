"""What a run could not see, for the formats that tell of it: no gap may look like a pass."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditor.model import PARTITION, Verdict, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.formats.start import RunStart

_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})


class GapKind(StrEnum):
    """Why something was not seen."""

    SUBSET = "subset"
    """It was not looked at, as the run was asked."""
    UNREAD = "unread"
    """A target could not be read to its end."""
    UNJUDGED = "unjudged"
    """Records were read, and a policy could not judge them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that the run did not see; what does not apply is None."""

    kind: GapKind
    gap_id: str
    """The same in every run in which the same was not seen."""
    event_id: str
    """Of this run's word on it: what a receiver drops copies by."""
    title: str
    text: str
    """One sentence for people, fit to be shown."""
    account_id: str | None = None
    """Twelve digits, or `unknown` for an organisation that was asked by nobody knows whom."""
    account_name: str | None = None
    region: str | None = None
    source: str | None = None
    verdict: str | None = None
    reason: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    policy: str | None = None
    records: int | None = None
    """How many the policy could not judge."""
    accepted: Mapping[str, str] | None = None
    """Who has accepted it, why and until when."""


def gaps(start: RunStart, coverage: Iterable[Mapping[str, Any]]) -> Iterator[Gap]:
    """Yield what this run did not see: its scope first, where that is a subset, then in the order of the plan."""
    if start.is_subset:
        yield _of_subset(start)
    for line in coverage:
        if line["verdict"] in _UNREAD:
            yield _unread(start, line)
        for policy, records in line["unjudged"].items():
            yield _unjudged(start, line, policy, records)


def scope_text(start: RunStart) -> str:
    """Say what the run looked at."""
    if not start.is_subset:
        return "everything that the configuration names"
    named = {"policies": "policies", "accounts": "accounts", "regions": "Regions"}
    confined = (f"{named[key]} {', '.join(names)}" for key, names in start.filters.items() if names)
    return shown(f"a subset alone: {'; '.join(confined)}")


def accepted_text(accepted: Mapping[str, str]) -> str:
    """Say who has accepted a gap."""
    return shown(f"Accepted by {accepted['owner']} until {accepted['until']}: {accepted['explanation']}")


def _of_subset(start: RunStart) -> Gap:
    return Gap(
        GapKind.SUBSET,
        *_ids(start, GapKind.SUBSET),
        title="A subset was audited",
        text=f"This run audited {scope_text(start)}. Nothing is known of the rest.",
    )


def _unread(start: RunStart, line: Mapping[str, Any]) -> Gap:
    how_far = "read only in part" if line["verdict"] == Verdict.PARTIAL else "not read"
    why = ": ".join(str(line[key]) for key in ("reason", "error_code", "error_message") if line[key])
    text = shown(f"{line['source']} was {how_far} in account {line['account_id']}, {line['region']}: {why}")
    return Gap(
        GapKind.UNREAD,
        *_ids(start, GapKind.UNREAD, line),
        title="Could not be audited",
        text=text,
        **_of_line(line),
        verdict=str(line["verdict"]),
        reason=str(line["reason"]),
        error_code=line["error_code"],
        error_message=line["error_message"],
        accepted=line["accepted"],
    )


def _unjudged(start: RunStart, line: Mapping[str, Any], policy: str, records: int) -> Gap:
    where = f"in account {line['account_id']}, {line['region']}"
    return Gap(
        GapKind.UNJUDGED,
        *_ids(start, GapKind.UNJUDGED, line, policy),
        title="Could not be judged",
        text=shown(f"{policy} could not judge {records} record(s) {where}: they do not say what it needs"),
        **_of_line(line),
        verdict=str(line["verdict"]),
        reason="unjudged",
        policy=policy,
        records=records,
    )


def _of_line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("account_id", "account_name", "region", "source")}


def _ids(
    start: RunStart, kind: GapKind, line: Mapping[str, Any] | None = None, policy: str = ""
) -> tuple[str, str]:
    """Return the gap's id, and the event's."""
    where = [line[key] for key in ("account_id", "region", "source")] if line else []
    gap_id = _digest("gap", kind, PARTITION, *where, policy)
    return gap_id, _digest(gap_id, start.run_id)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
