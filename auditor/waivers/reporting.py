"""What a run says of its waivers and accepted gaps: those to be looked at, and how much each matched."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from auditor.waivers.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditor.config import AcceptedGap, Waiver
    from auditor.waivers.acceptances import AcceptedGaps, Waivers
    from auditor.waivers.looking import Looked

log = structlog.get_logger()

EXPIRED = "expired"
UNMATCHED = "unmatched"
NOT_LOOKED_AT = "not_looked_at"
ENDING_SOON = "ending_soon"


def report(waivers: Waivers, gaps: AcceptedGaps, looked: Looked) -> dict[str, Any]:
    """Return the parts of run.json on waivers and on accepted gaps."""
    return {
        "waivers": _report(waivers, lambda number: looked.at_all_of_waiver(waivers.rules[number])),
        "accepted_gaps": _report(gaps, lambda number: looked.at_all_of_gap(gaps.rules[number])),
    }


def _report(rules: Waivers | AcceptedGaps, looked: Callable[[int], bool]) -> dict[str, Any]:
    """Return what there is to say of these rules; one may stand in more than one list.

    `expired`: they hold no longer, and `matched` counts what they would have covered. `unmatched`: they hold, all
    that they are for was looked at, and nothing matched. `not_looked_at`: nothing matched, which says nothing, since
    some of what they are for was not looked at. `ending_soon`: they hold, and end within 14 days.
    """
    lists: dict[str, list[dict[str, Any]]] = {
        name: [] for name in (EXPIRED, UNMATCHED, NOT_LOOKED_AT, ENDING_SOON)
    }
    named: Sequence[Waiver | AcceptedGap] = rules.rules
    for number, rule in enumerate(named):
        entry = _entry(rule, rules.matched[number])
        if rules.standing[number] is Standing.ENDED:
            lists[EXPIRED].append(entry)
            continue
        if not rules.matched[number]:
            lists[UNMATCHED if looked(number) else NOT_LOOKED_AT].append(entry)
        if rules.standing[number] is Standing.ENDS_SOON:
            lists[ENDING_SOON].append(entry)
    return {"total": len(rules.rules), "covered": rules.covered, **lists}


def _entry(rule: Waiver | AcceptedGap, matched: int) -> dict[str, Any]:
    return asdict(rule) | {"until": rule.until.isoformat(), "matched": matched}


_EVENTS: Mapping[str, str] = {
    EXPIRED: "{} has ended and no longer holds",
    UNMATCHED: "{} matched nothing",
    ENDING_SOON: "{} ends soon",
}


def log_report(reported: Mapping[str, Any], file: str) -> None:
    """Warn of what is to be looked at; what was not looked at is no fault of a waiver."""
    for kind, name in (("waivers", "a waiver"), ("accepted_gaps", "an accepted gap")):
        for about, event in _EVENTS.items():
            for entry in reported[kind][about]:
                told = {key: value for key, value in entry.items() if value is not None}
                log.warning(event.format(name), file=file, **told)
