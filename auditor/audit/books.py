"""The books of a run, opened with its plan: the ledger, the tally, what is accepted; and what they come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from auditor.audit.resuming import left_behind
from auditor.audit.tally import Tally
from auditor.coverage import Ledger
from auditor.errors import LedgerError
from auditor.model import Reason
from auditor.waivers import AcceptedGaps, Waivers

if TYPE_CHECKING:
    from auditor.audit.preparing import Run
    from auditor.inventory import Plan


@dataclass(frozen=True, slots=True)
class Books:
    """What a run counts in as it goes."""

    ledger: Ledger
    tally: Tally
    waivers: Waivers
    accepted_gaps: AcceptedGaps


@dataclass(frozen=True, slots=True)
class Balance:
    """What a ledger comes to, once every target has its verdict."""

    error: str | None
    """Why it does not add up; None where it does."""
    internal_errors: int
    """Targets that ended by a bug of ours."""
    accounts: int
    is_cut_off: bool
    """Whether a signal ended the run before it had tried every target."""


def open_books(run: Run, plan: Plan) -> Books:
    """Open the books with the whole plan in the ledger."""
    today = run.now.date()
    targets = plan.targets
    if run.resumed is not None:
        # What has been done stays in the ledger, though its account may have left the organisation since.
        targets = chain(targets, left_behind(run.resumed, plan))
    accepted_gaps = AcceptedGaps(run.config.accepted_gaps, today)
    return Books(
        Ledger(targets, accepted_gaps.accept),
        Tally(),
        Waivers(run.config.waivers, today),
        accepted_gaps,
    )


def balance_of(ledger: Ledger) -> Balance:
    """Prove that the ledger adds up, and count what is in it."""
    error: str | None = None
    try:
        ledger.check()
    except LedgerError as failed:
        error = str(failed)
    reasons = Counter(
        outcome.failure.reason for _, outcome in ledger.failures() if outcome.failure is not None
    )
    return Balance(
        error,
        reasons[Reason.INTERNAL_ERROR],
        len(ledger.accounts()),
        bool(reasons[Reason.INTERRUPTED]),
    )
