"""What a gap is known by: one id for all that could not be read of one source in one account for one reason."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from auditor.model.coverage import Failure, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.model.coverage import Outcome
    from auditor.model.target import Target

UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})
"""Verdicts of targets that are gaps: what is skipped is proved empty."""

UNJUDGED = "unjudged"
"""The reason of a gap of records that a policy could not judge."""

_OF_THE_RUN = frozenset(
    {
        Reason.CLOCK_SKEW,
        Reason.DEADLINE,
        Reason.EXPIRED_CREDENTIALS,
        Reason.INTERRUPTED,
        Reason.NETWORK_ERROR,
        Reason.WORKER_LOST,
    }
)
"""Reasons that lie with the run and not with an account, where several accounts have the very same failure."""


def gap_id(account_id: str | None, source: str | None, reason: str, policy: str | None = None) -> str:
    """Return the id by which a gap is known in every run.

    :param account_id: None, as `source` is, where the gap is no account's fault and several have it.
    :param policy: the one that could not judge, where the reason is `UNJUDGED`.
    """
    about = ("gap", account_id or "", source or "", reason, *([policy] if policy is not None else []))
    return hashlib.sha256("\n".join(about).encode("utf-8", "surrogatepass")).hexdigest()


def shared_failures(failures: Iterable[tuple[Target, Outcome]]) -> frozenset[Failure]:
    """Return the failures that several accounts have alike and none is to blame for, such as lost base credentials.

    :param failures: all that a run has.
    """
    accounts: dict[Failure, set[str]] = {}
    for target, outcome in failures:
        failure = outcome.failure
        if failure is not None and failure.reason in _OF_THE_RUN and outcome.verdict in UNREAD:
            accounts.setdefault(failure, set()).add(target.account.id)
    return frozenset(failure for failure, ids in accounts.items() if len(ids) > 1)
