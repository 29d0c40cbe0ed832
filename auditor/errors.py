"""The tree of exceptions.

::

    AuditorError
    ├── UsageError            the command can't do what was asked: exit 2
    │   ├── ConfigError       the configuration, with every problem found in it
    │   │   └── CasesError    the same of files with cases of policies
    │   └── CredentialsError  no usable base credentials
    ├── InterruptedRun        a signal came before anything was audited: exit 130 or 143
    ├── OrganizationUnread    AWS Organizations could not be read: exit 2, or beside a list a gap
    ├── CallFailed            AWS did not answer what was asked: a reason for the ledger
    ├── WorkerLost            a worker process, or whoever knows them, is no more: planned again, or a gap
    ├── Unjudgeable           a policy can't judge a record
    │   ├── UnusableField     a field that it needs is missing or of another type
    │   └── UnknownFact       a fact that it needs could not be looked up
    ├── Untellable            an event does not say what a destination's form needs: a dead letter
    ├── EvidenceFault         stored evidence is not what it should be: exit 1
    ├── SinkError             findings or the ledger could not be written: exit 4
    └── LedgerError           planned and accounted for differ, which is a bug: exit 5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.model import Failure


class AuditorError(Exception):
    """Everything that this package raises on purpose."""


class UsageError(AuditorError):
    """What was asked for can't be done as asked; the text says what, where and what to do instead."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration file."""

    file: str
    line: int | None
    """Counted from 1; None where the file as a whole is at fault."""
    text: str
    """What was found, and what to write instead."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.text}"


class ConfigError(UsageError):
    """A configuration that can't be used; `problems` holds every fault, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class CasesError(ConfigError):
    """Files with cases of policies that can't be used."""


class CredentialsError(UsageError):
    """No base credentials, or ones that AWS does not accept."""


class InterruptedRun(AuditorError):  # noqa: N818 -- what happened, not a fault
    """A signal ended the run before anything was audited; nothing is written."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("interrupted before anything was audited")
        self.exit_code = exit_code


class OrganizationUnread(AuditorError):  # noqa: N818 -- as CallFailed
    """The accounts of the organisation are not known, or not all that was asked about them."""

    def __init__(self, action: str, failure: Failure) -> None:
        super().__init__(f"{action}: {failure.reason}: {failure.error_code}: {failure.error_message}")
        self.action = action
        """What was not answered, as IAM names it: the permission that is needed."""
        self.failure = failure


class CallFailed(AuditorError):  # noqa: N818 -- a state of the ledger, not a fault of the program
    """A call to AWS that ended without an answer that can be used."""

    def __init__(self, failure: Failure, *, transient: bool = False, request_id: str | None = None) -> None:
        super().__init__(f"{failure.reason}: {failure.error_code}: {failure.error_message}")
        self.failure = failure
        self.transient = transient
        """Whether the same call may succeed a moment later."""
        self.request_id = request_id
        """AWS's own id of the request, where AWS answered: what its support and CloudTrail know it by."""


class WorkerLost(AuditorError):  # noqa: N818 -- what became of it
    """A worker process, or the scheduler that knows them, does not answer any more."""


class Unjudgeable(AuditorError):  # noqa: N818 -- says what is wrong with the record
    """What a judgement needs is not to be had."""


class UnusableField(Unjudgeable):
    """A field that was needed is missing, or holds something else than AWS documents."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is missing or not of its documented type")
        self.field = field


class UnknownFact(Unjudgeable):
    """A fact that was needed is not known."""

    def __init__(self, source: str | None, reason: str | None) -> None:
        super().__init__(f"not known: {source or 'not asked for'}" + (f", {reason}" if reason else ""))
        self.source = source
        self.reason = reason


class EvidenceFault(AuditorError):  # noqa: N818 -- what is wrong with it, not with this program
    """Stored evidence that is not what it should be; the text says which file or answer, and what is wrong."""


class Untellable(AuditorError):  # noqa: N818 -- says what is wrong with the event
    """An event does not say what is needed to tell it in the form that its destination asks for."""


class SinkError(AuditorError):
    """Findings or the ledger could not be written."""


class LedgerError(AuditorError):
    """The targets that were planned and those accounted for are not the same."""
