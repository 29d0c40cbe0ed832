"""What a run could not see, for the formats that tell of it: no gap may look like a pass."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditor.model import PARTITION, UNJUDGED, UNREAD, Verdict, gap_id, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.formats.start import RunStart


UNREAD_TITLE, UNJUDGED_TITLE = "Could not be audited", "Could not be judged"


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
    """One target's part in a gap, or the run's scope; what does not apply is None."""

    kind: GapKind
    gap_id: str
    """Of the whole gap, as destinations are told of it: all Regions of one account, source and reason have it."""
    part_id: str
    """Of this target's part in it: no other in the run has it, and it is the same in every run."""
    event_id: str
    """Of this run's word on this part: what a receiver drops copies by."""
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
    yield from gaps_of_targets(start.run_id, coverage)


def gaps_of_targets(run_id: str, coverage: Iterable[Mapping[str, Any]]) -> Iterator[Gap]:
    """Yield what these coverage lines tell was not seen, in their order."""
    for line in coverage:
        if line["verdict"] in UNREAD:
            yield _unread(run_id, line)
        for policy, records in line["unjudged"].items():
            yield _unjudged(run_id, line, policy, records)


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
        gap_id(None, None, GapKind.SUBSET),
        *_ids(start.run_id, GapKind.SUBSET),
        title="A subset was audited",
        text=f"This run audited {scope_text(start)}. Nothing is known of the rest.",
    )


def _unread(run_id: str, line: Mapping[str, Any]) -> Gap:
    how_far = "read only in part" if line["verdict"] == Verdict.PARTIAL else "not read"
    why = ": ".join(str(line[key]) for key in ("reason", "error_code", "error_message") if line[key])
    text = shown(f"{line['source']} was {how_far} in account {line['account_id']}, {line['region']}: {why}")
    return Gap(
        GapKind.UNREAD,
        line["gap_id"],
        *_ids(run_id, GapKind.UNREAD, line),
        title=UNREAD_TITLE,
        text=text,
        **_of_line(line),
        verdict=str(line["verdict"]),
        reason=str(line["reason"]),
        error_code=line["error_code"],
        error_message=line["error_message"],
        accepted=line["accepted"],
    )


def _unjudged(run_id: str, line: Mapping[str, Any], policy: str, records: int) -> Gap:
    where = f"in account {line['account_id']}, {line['region']}"
    return Gap(
        GapKind.UNJUDGED,
        gap_id(line["account_id"], line["source"], UNJUDGED, policy),
        *_ids(run_id, GapKind.UNJUDGED, line, policy),
        title=UNJUDGED_TITLE,
        text=shown(f"{policy} could not judge {records} record(s) {where}: they do not say what it needs"),
        **_of_line(line),
        verdict=str(line["verdict"]),
        reason=UNJUDGED,
        policy=policy,
        records=records,
    )


def _of_line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("account_id", "account_name", "region", "source")}


def _ids(
    run_id: str, kind: GapKind, line: Mapping[str, Any] | None = None, policy: str = ""
) -> tuple[str, str]:
    """Return the id of this part of a gap, and the event's."""
    where = [line[key] for key in ("account_id", "region", "source")] if line else []
    part_id = digest("gap", kind, PARTITION, *where, policy)
    return part_id, digest(part_id, run_id)


def digest(*parts: str) -> str:
    """Return the id that these parts make."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
