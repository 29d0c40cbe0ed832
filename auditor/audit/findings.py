"""A breach → a finding: what the policy saw, and everything else that a receiver needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import PARTITION, Finding, Status, event_id, finding_id, rfc3339
from auditor.policies import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.config import PolicySettings
    from auditor.model import Target
    from auditor.policies import Entry, Found
    from auditor.waivers import Waivers

SCHEMA = "auditor.finding/1"


class FindingMaker:
    """Makes the findings of one run."""

    def __init__(
        self,
        run_id: str,
        now: datetime,
        entries: Mapping[str, Entry],
        settings: Mapping[str, PolicySettings],
        waivers: Waivers | None = None,
    ) -> None:
        self._run_id = run_id
        self._observed_at = rfc3339(now)
        self._entries = entries
        self._settings = settings
        self._waivers = waivers

    def make(self, target: Target, found: Found) -> Finding:
        """Return the finding of this breach."""
        record = found.breach.record
        policy = self._entries[found.policy].policy
        resource = found.breach.resource or Resource(record.arn, record.resource_type, record.name)
        status = Status.UNTRACKED
        where = (target.account.id, target.region, resource.arn)
        waived = self._waivers.waive(found.policy, *where) if self._waivers is not None else None
        known_as = finding_id(PARTITION, *where, found.policy)
        return Finding(
            schema=SCHEMA,
            finding_id=known_as,
            event_id=event_id(known_as, self._run_id, status),
            policy=found.policy,
            severity=self._settings[found.policy].severity,
            status=status,
            partition=PARTITION,
            account_id=target.account.id,
            account_name=target.account.name,
            region=target.region,
            resource_arn=resource.arn,
            resource_type=resource.type,
            resource_name=resource.name,
            related=record.related(),
            message=found.breach.message,
            remediation=found.breach.remediation or policy.remediation,
            evidence=found.breach.evidence,
            controls=policy.controls,
            cost=found.breach.cost,
            waiver=waived,
            resolution=None,
            first_seen=None,
            observed_at=self._observed_at,
            run_id=self._run_id,
        )
