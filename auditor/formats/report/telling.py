"""A run in words and rows, for the page."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.formats.encoding import encoded
from auditor.formats.start import PastRun
from auditor.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.formats.report.counts import Counts
    from auditor.formats.report.seen import Group, Seen
    from auditor.formats.start import JudgedPolicy, RunStart

_NEW = (Status.NEW, Status.REOPENED)
_MOST_ACCOUNTS = 20
_OF_EVERY_POLICY = frozenset({"enabled", "severity"})
_EXITS = {
    0: "everything planned was audited and judged, nothing at or above --fail-on",
    1: "unwaived findings at or above --fail-on",
    3: "coverage below --min-coverage, or more records than allowed that could not be judged",
    4: "something could not be written or delivered",
    5: "a bug of the auditor",
    130: "interrupted by SIGINT",
    143: "interrupted by SIGTERM",
}

_Setting = tuple[str, str]
_Section = tuple[str, list[str]]
"""A heading, and its lines."""


@dataclass(frozen=True, slots=True)
class Told:
    """Whether the audit is complete."""

    is_complete: bool
    word: str
    why: Sequence[str]
    """A sentence each."""


def verdict(start: RunStart, seen: Seen, run: Mapping[str, Any]) -> Told:
    """Say whether all that was to be looked at was seen, and if not, why."""
    targets, unjudged = run["totals"]["targets"], run["totals"]["unjudged"]["records"]
    readable = targets["planned"] - targets["skipped"]
    why: list[str] = []
    if targets["failed"]:
        why.append(f"{targets['failed']:,} of {readable:,} targets could not be read.")
    if targets["partial"]:
        why.append(f"{targets['partial']:,} of {readable:,} targets could be read only in part.")
    if unjudged:
        records = "record" if unjudged == 1 else "records"
        why.append(f"{unjudged:,} {records} could not be judged by every policy.")
    if not readable:
        why.append("There was nothing that could be read.")
    if seen.accepted_targets:
        why.append(f"Somebody has accepted {seen.accepted_targets:,} of these gaps.")
    if any(code not in (0, 1, 3) for code in run["exit_conditions"]):
        why.append("The run did not end as it should have: see how it was made.")
    if why:
        return Told(is_complete=False, word="Not complete", why=why)
    if start.is_subset:
        return Told(
            is_complete=False,
            word="Complete for a subset alone",
            why=["Everything in it was read and judged. Nothing is known of the rest."],
        )
    return Told(is_complete=True, word="Complete", why=["Everything that was planned was read and judged."])


def past_and_this(start: RunStart, counts: Counts, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the earlier runs and this one, the oldest first; nothing without a history."""
    if run["history"] is None:
        return []
    by_status = counts.by_status
    this = PastRun(
        run_id=start.run_id,
        started_at=start.started_at,
        is_subset=start.is_subset,
        open=counts.total - by_status[Status.RESOLVED],
        new=sum(by_status[status] for status in _NEW),
        not_seen=by_status[Status.NOT_SEEN],
        resolved=by_status[Status.RESOLVED],
        coverage_percent=run["coverage_percent"],
    )
    return [
        asdict(each) | {"at": datetime.fromisoformat(each.started_at).timestamp()}
        for each in (*start.past, this)
    ]


def costs(counts: Counts) -> dict[str, Any]:
    """Return what the open findings cost, added up by policy and by account, the dearest first."""
    accounts = counts.cost_by_account.most_common()
    return {
        "total": _dollars(counts.cost_by_policy.total()),
        "policies": [(name, _dollars(amount)) for name, amount in counts.cost_by_policy.most_common()],
        "accounts": [
            (account, counts.names.get(account), _dollars(amount))
            for account, amount in accounts[:_MOST_ACCOUNTS]
        ],
        "accounts_left_out": max(0, len(accounts) - _MOST_ACCOUNTS),
        "prices": [source for source, _ in counts.prices.most_common()],
    }


def acceptances(counts: Counts, groups: Iterable[Group], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the waivers and accepted gaps that are in use, by their end, and those that want looking at."""
    accepted: dict[tuple[str, ...], int] = {}
    for group in groups:
        if group.accepted:
            told = group.accepted
            key = (told["owner"], told["explanation"], told["until"])
            accepted[key] = accepted.get(key, 0) + group.targets
    return {
        "waivers": sorted(counts.waivers.items(), key=lambda item: item[0][3]),
        "gaps": sorted(accepted.items(), key=lambda item: item[0][2]),
        "to_look_at": [
            (kind, about, entry)
            for kind in ("waivers", "accepted_gaps")
            for about in ("expired", "ending_soon", "unmatched", "not_looked_at")
            for entry in run[kind][about]
        ],
    }


def pages_of(start: RunStart) -> list[tuple[JudgedPolicy, list[_Setting], list[_Section]]]:
    """Return each policy with its settings, as JSON, and its page."""
    return [
        (
            policy,
            [
                (name, encoded(value).decode())
                for name, value in policy.settings.items()
                if name not in _OF_EVERY_POLICY
            ],
            _sections(policy.page),
        )
        for _, policy in sorted(start.policies.items())
    ]


def exits(run: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Return the exit codes that held, in words."""
    return [(code, _EXITS.get(code, "unknown")) for code in run["exit_conditions"]]


def _sections(page: str) -> list[_Section]:
    """Return a page's sections; what stands before the first heading is its title, which is told elsewhere."""
    found: list[_Section] = []
    for line in page.splitlines():
        if line and not line[0].isspace():
            found.append((line, []))
        elif found:
            found[-1][1].append(line)
    return [
        (heading, textwrap.dedent("\n".join(lines)).strip("\n").splitlines())
        for heading, lines in found
        if any(line.strip() for line in lines)
    ]


def _dollars(amount: int) -> str:
    return f"{amount / 10_000:,.2f}"
