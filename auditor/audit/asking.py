"""What reads the targets of a run from AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.aws.pages import PageReader
from auditor.aws.sources import SOURCES

if TYPE_CHECKING:
    from auditor.aws.clients import Clients
    from auditor.aws.opt_in import EnabledRegions
    from auditor.aws.pacing import Paces
    from auditor.aws.paging import Paging
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.model import Outcome, Place, Target


@dataclass(frozen=True, slots=True)
class AskingAWS:
    """Reads targets by asking AWS, as the role of each account."""

    clients: Clients
    roles: Roles
    enabled: EnabledRegions
    paces: Paces
    request_timeout: float
    """Seconds."""

    def reader(self, target: Target, outcome: Outcome, slot: Slot) -> Paging:
        """Return what reads a target."""
        return PageReader(
            self.clients,
            self.roles,
            self.enabled,
            SOURCES[target.source],
            target,
            outcome=outcome,
            slot=slot,
            pace=self.paces.of(target.account, target.region),
            request_timeout=self.request_timeout,
        )

    def ended(self, place: Place) -> None:
        """Take note that nothing more is asked of a place."""
        self.paces.ended(place.account, place.region)
        if self.clients.recorder is not None:
            self.clients.recorder.ended(place.account.id, place.region)
