"""An account of the organisation, and how the audit gets in."""

from __future__ import annotations

from dataclasses import dataclass, field

HUB_ACTIONS = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")
"""What the session of a hub is for."""

IMPORT_ACTIONS = ("securityhub:BatchImportFindings",)
"""What the session is for with which findings are imported into an account's Security Hub."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account to audit, its defaults already resolved."""

    id: str
    """Twelve digits, kept as text: leading zeros are significant."""
    name: str | None
    role_arn: str
    """The role assumed there."""
    external_id: str | None = field(repr=False)
    """Not a secret to AWS, but the customer's own: shown nowhere."""
    session_name: str
    session_duration: int
    """Seconds, 900 to 43,200 (STS API reference, AssumeRole)."""
    regions: tuple[str, ...]
    """In the order of the configuration, each a Region that Lightsail has."""
    hub: Account | None = None
    """The hub role, and the account that it is in, where the role is assumed with the hub's credentials."""
    session_tags: tuple[tuple[str, str], ...] = ()
    """What the session is tagged with, in the order of the configuration."""
    source_identity: str | None = None
    """What CloudTrail shows as the one behind the session."""
    session_policy: bool = True
    """Whether the session is narrowed to what it is for."""
    max_requests_per_second: float | None = None
    """Of all its Regions together; None for as many as come."""
    max_requests_per_second_per_region: float | None = None
    """The same of each Region, which throttling only lowers."""
    actions: tuple[str, ...] = ()
    """What the session is for, as IAM names it; none is what the run calls in an account that it audits."""
