"""What a policy is.

A policy is one module in `auditor.policies.builtin`. The module's name, with hyphens, is the policy's id; its
docstring is the policy's page, with a first line that says what it finds and the sections Why, What it finds,
Settings, What to do and Examples; and it defines `Policy`, a subclass of one of the two kinds below.

A policy of one's own is the same in a distribution of its own, under the entry point group `auditor.policies`: the
entry point's name is the policy's id, and it leads to such a module, or to the class itself with its page as its
docstring. See docs/own-policies.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from auditor.config import PolicySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from auditor.model import Control, Cost, ExportRecord, Target

S = TypeVar("S", bound=PolicySettings)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a finding is about."""

    arn: str
    type: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Breach:
    """A record that breaks a policy."""

    record: ExportRecord
    message: str
    """One sentence for people, in which nothing changes from night to night; names in it are made fit to be shown."""
    evidence: Mapping[str, object]
    """The fields that the judgement rested on, and the bounds that it was held to."""
    resource: Resource | None = None
    """What the finding is about, where that is not the record itself."""
    remediation: str | None = None
    """What to do about this very one, where more can be said than the policy says of all: the command to run."""
    cost: Cost | None = None
    """What it costs as long as it stays, estimated."""


class Policy(ABC, Generic[S]):
    """What both kinds have; a policy itself derives from one of them.

    A judgement that needs a field reads it from the record and lets `UnusableField` pass: the record is then
    counted as one that this policy could not judge. So it is with `UnknownFact`, which `known` raises.
    """

    sources: ClassVar[frozenset[str]] = frozenset()
    """The sources of the facts that it needs, beside the records themselves."""

    settings_type: ClassVar[type[PolicySettings]]
    """The settings under the policy's id in the configuration, with their defaults."""
    remediation: ClassVar[str]
    """What to do about it, in a sentence or two."""
    controls: ClassVar[tuple[Control, ...]] = ()

    def __init__(self, settings: S, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        self.settings = settings
        self.now = now
        """The run's one instant, aware, in UTC: the only clock that a policy knows."""
        self.own_accounts = own_accounts
        """The ids of all accounts of the list and the organisation, those not audited included."""

    @classmethod
    def needs(cls, settings: S) -> frozenset[str]:  # noqa: ARG003 -- for those that override it
        """Return the sources of the facts that it needs with these settings."""
        return cls.sources

    def asks(self, record: ExportRecord) -> bool:  # noqa: ARG002 -- as for needs
        """Return whether it needs more facts of this record than its image and snapshots, which are known by now.

        Volumes and stacks are looked up only for a record of which some policy says so.
        """
        return True


class RecordPolicy(Policy[S]):
    """Judges each record alone."""

    @abstractmethod
    def judge(self, record: ExportRecord) -> Breach | None:
        """Return how the record breaks the policy, or None where it keeps it.

        :raises UnusableField: where the record does not say.
        """

    def judge_of(self, target: Target) -> Callable[[ExportRecord], Breach | None]:  # noqa: ARG002 -- as for needs
        """Return what judges the records of `target`: for a policy that asks for the account or Region."""
        return self.judge


class TargetPolicy(Policy[S]):
    """Judges all records of a target together."""

    @abstractmethod
    def begin(self) -> Judgement:
        """Return the judgement of one target, which has seen no record yet."""


class Judgement(ABC):
    """One target's records, weighed together; it keeps what it needs of each, and no more."""

    @abstractmethod
    def see(self, record: ExportRecord) -> None:
        """Take note of a record.

        :raises UnusableField: where the record does not say what the policy needs.
        """

    @abstractmethod
    def conclude(self, *, complete: bool) -> Iterable[Breach]:
        """Return what breaks the policy.

        :param complete: whether every page was read. Where not, this concludes from what was, and its evidence
            says so.
        """
