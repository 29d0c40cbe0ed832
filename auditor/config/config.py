"""A configuration as the rest of the program has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.config.acceptances import AcceptedGap, Waiver
    from auditor.config.destinations import Receiver
    from auditor.config.history import History
    from auditor.config.organization import Organization
    from auditor.config.settings import Limits, PolicySettings
    from auditor.model import Account


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, its defaults resolved and its environment filled in."""

    accounts: tuple[Account, ...]
    """Those of the list, in the file's order, each id once; empty only beside an organisation."""
    policies: Mapping[str, PolicySettings]
    """Of every known policy: those that are named nowhere with their defaults, those switched off included; then
    `ExpressionSettings` for each of one's own."""
    limits: Limits
    path: str
    """The file that it was read from."""
    digest: str
    """SHA-256 in hex of what it means, ExternalIds left out: the same whatever way it is written."""
    waivers: tuple[Waiver, ...] = ()
    """In the file's order, those that have ended included."""
    accepted_gaps: tuple[AcceptedGap, ...] = ()
    """In the file's order, those that have ended included."""
    organization: Organization | None = None
    """Where more accounts come from; None where the list is all."""
    history: History | None = None
    """Where earlier runs are remembered; None where they are not."""
    destinations: tuple[Receiver, ...] = ()
    """Where findings are sent, in the file's order."""
    policy_lines: Mapping[str, int] = field(default_factory=dict)
    """The line of each policy that is named, by its id."""
    policies_line: int = 1
    """The line of `policies`; the first one where the file does not have it."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the file says of the audit itself, its environment filled in: without ExternalIds, history, destinations."""

    def line_of_policy(self, policy: str) -> int:
        """Return where in the file a policy is set, or where it would be."""
        return self.policy_lines.get(policy, self.policies_line)

    @property
    def hub(self) -> Account | None:
        """The hub, which is the same for every account; None where there is none."""
        return self.accounts[0].hub if self.organization is None else self.organization.hub

    @property
    def external_ids(self) -> tuple[str, ...]:
        """Every ExternalId in it: what must be shown nowhere."""
        ids = (*self.shared_external_ids, *(account.external_id for account in self.accounts))
        return tuple(dict.fromkeys(filter(None, ids)))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that it leads to, ExternalIds included: what must be shown nowhere."""
        return (
            *self.external_ids,
            *(secret for each in self.destinations for secret in each.secrets.values()),
        )

    @property
    def shared_external_ids(self) -> tuple[str, ...]:
        """Those that are no single account's: any answer may quote them, whatever it was asked with."""
        ids: list[str | None] = []
        if self.organization is not None:
            ids += [self.organization.external_id, self.organization.found("", None).external_id]
        if self.hub is not None:
            ids.append(self.hub.external_id)
        return tuple(dict.fromkeys(filter(None, ids)))
