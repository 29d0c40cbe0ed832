"""What Security Hub is told beside findings: a gap, and the run, each as a notice that is no pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from auditor.formats.asff_finding import Notice
from auditor.formats.gap_groups import gap_said
from auditor.formats.gaps import GapKind, accepted_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_WHOLE = frozenset({3, 4, 5})
"""Exit conditions of a run that did not see, tell or account for everything."""
_HEAD = frozenset({"schema", "gap_id", "account_name"})
"""What of a gap stands elsewhere."""


def gap_notice(told: Mapping[str, Any], account_id: str, region: str, *, now: str) -> Notice:
    """Return a gap as it is told of in this account, its own or the one at home.

    :param told: an event `auditor.gap/1`.
    :param now: RFC 3339.
    """
    title, text = gap_said(told)
    accepted = told["accepted"]
    return Notice(
        known_as=told["gap_id"],
        generator=f"coverage/{told.get('kind') or GapKind.UNREAD}",
        account_id=account_id,
        account_name=told["account_name"] if told["account_id"] == account_id else None,
        region=region,
        created_at=told["observed_at"],
        updated_at=now,
        label="INFORMATIONAL" if accepted else "MEDIUM",
        title=title,
        text=text,
        code=told["reason"],
        why=accepted_text(accepted) if accepted else text,
        is_suppressed=bool(accepted),
        fields={
            "asked_as": told["account_id"],
            **{key: value for key, value in told.items() if key not in _HEAD},
        },
    )


def run_notice(told: Mapping[str, Any], account_id: str, region: str, *, name: str, now: str) -> Notice:
    """Return the run: one notice that every run updates, so that one which is not updated tells of a dead job.

    :param told: an event `auditor.run/1`.
    :param name: the destination's: two audits that report to one account are told apart by it.
    :param now: RFC 3339.
    """
    scope, totals = told["scope"]["kind"], told["totals"]
    about = f"run\n{account_id}\n{name}\n{scope}"
    planned, complete = (totals["targets"][key] for key in ("planned", "complete"))
    text = (
        f"Run {told['run_id']}, {scope}, ended with exit {told['exit_code']}: {complete} of {planned} targets complete, "
        f"coverage {told['coverage_percent']} %, {totals['findings']['total']} finding(s)"
    )
    return Notice(
        known_as=hashlib.sha256(about.encode()).hexdigest(),
        generator="run",
        account_id=account_id,
        region=region,
        created_at=told["started_at"],
        updated_at=now,
        label="MEDIUM" if _NOT_WHOLE & set(told["exit_conditions"]) else "INFORMATIONAL",
        title="The audit of Lightsail export snapshot records has run",
        text=text,
        code="run",
        why=text,
        fields={
            key: told[key]
            for key in (
                "run_id",
                "event_id",
                "started_at",
                "finished_at",
                "exit_code",
                "exit_conditions",
                "coverage_percent",
                "coverage_percent_after_accepted",
                "totals",
                "versions",
            )
        }
        | {"scope": scope},
    )
