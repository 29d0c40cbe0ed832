"""The life of a finding: which status it has after a run, by what was known of it and what the run looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model import EXPORT_RECORDS, Outcome, Resolution, ResolutionKind, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.history.looking import Look

OPEN = frozenset({Status.NEW, Status.RECURRING, Status.REOPENED, Status.NOT_SEEN})
"""What a finding is that nobody has seen the end of."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the history knows of a finding."""

    policy: str
    account_id: str
    region: str
    resource_arn: str
    of_record: bool
    """Whether it is about an export record, and not about something that records tell of."""
    status: Status
    found_with: str
    """The digest of the policy's settings with which it was last found."""
    looked_with: str
    """That of the last run that looked for it, wherever it looked at all that it takes."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a run has to say of a finding that it did not find."""

    status: Status
    resolution: Resolution
    looked_with: str


def found(before: Status | None) -> Status:
    """Return the status of a finding that was found.

    :param before: its status in the history; None where it is not there.
    """
    if before is None:
        return Status.NEW
    return Status.RECURRING if before in OPEN else Status.REOPENED


def not_found(known: Known, look: Look, was_read: Callable[[str], bool]) -> Word:
    """Return what is to be said of a finding that was open, and that this run did not find.

    It is resolved only where every source that its policy needs was read to its end, and its policy judged all that
    was read by the same settings as the last time.

    :param was_read: whether the record of this ARN was read, or may have been.
    """
    why_not = look.left_out(known) or _incomplete(known, look)
    if why_not is not None:
        return Word(Status.NOT_SEEN, Resolution(None, why_not), known.looked_with)
    judged_by = look.policies[known.policy]
    outcome = (look.outcomes(known.account_id, known.region) or {})[EXPORT_RECORDS]
    gone = known.of_record and not was_read(known.resource_arn)
    judged = gone or known.policy not in (outcome.unjudged or {})
    if judged_by.digest != known.looked_with:
        why = f"the settings or the code of {known.policy} changed since it was last looked for"
        # What could not be judged was not looked at with the new settings either.
        looked_with = judged_by.digest if judged else known.looked_with
        return Word(Status.NOT_SEEN, Resolution(None, why), looked_with)
    if not judged:
        why = f"{known.policy} could not judge every record of this account and Region"
        return Word(Status.NOT_SEEN, Resolution(None, why), known.looked_with)
    return Word(Status.RESOLVED, _resolution(known, gone=gone, digest=judged_by.digest), judged_by.digest)


def _resolution(known: Known, *, gone: bool, digest: str) -> Resolution:
    if gone:
        return Resolution(ResolutionKind.RESOURCE_GONE, "the record is no longer there")
    if known.found_with != digest:
        text = f"with the settings of {known.policy} as they are now it is none"
        return Resolution(ResolutionKind.POLICY_CHANGED, text)
    return Resolution(ResolutionKind.CONDITION_CLEARED, f"it no longer breaks {known.policy}")


def _incomplete(known: Known, look: Look) -> str | None:
    """Return which source was not read to its end of those that the policy needs, or None."""
    outcomes = look.outcomes(known.account_id, known.region) or {}
    for source in look.policies[known.policy].sources:
        outcome = outcomes.get(source)
        if outcome is None:
            return f"{source} was not read"
        if outcome.verdict is not Verdict.COMPLETE:
            return f"{source} was not read to its end: {_verdict(outcome)}"
    return None


def _verdict(outcome: Outcome) -> str:
    failure = outcome.failure
    return f"{outcome.verdict}, {failure.reason}" if failure else f"{outcome.verdict}"
