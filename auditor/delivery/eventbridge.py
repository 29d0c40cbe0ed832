"""EventBridge: an entry for each event, with a detail type by which rules tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from auditor.delivery.amazon import AmazonDestination, AmazonSettings
from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.entries import entries_of, receipt_of
from auditor.delivery.forms import FreeForm
from auditor.delivery.told import told_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

# EventBridge API reference, PutEvents: ten entries, and less than 1 MB of all; user guide, "Calculating PutEvents
# event entry size": the source, the detail type, the resources and the detail count, and 14 bytes for a time.
# Far below that, so that a call stays below the 1 MiB that aiohttp sends without holding up everything else: events
# are escaped, or written in base64.
_MOST, _MOST_BYTES, _MOST_OF_ONE = 10, 700_000, 500_000
_SOURCE = "auditor"
_DETAIL_TYPES = {"finding": "Auditor Finding", "gap": "Auditor Gap", "run": "Auditor Run"}
_LONGEST_RESOURCE = 2_048
_ENVELOPE = len(_SOURCE) + 128 + _LONGEST_RESOURCE
_FOR_GOOD = frozenset({"InvalidArgument", "MalformedDetail"})


class Settings(FreeForm, AmazonSettings):
    """The settings of an event bus."""

    event_bus: Annotated[str, Field(min_length=1, max_length=1_600, pattern="^[A-Za-z0-9/_.:-]+$")] = Field(
        default="default", description="The event bus, by its name or ARN."
    )


class Kind(AmazonDestination[Settings]):
    """Its source is auditor; what a finding is about stands among the resources."""

    settings_type = Settings
    service = "events"

    @property
    def limits(self) -> Limits:
        """Those of the service."""
        return Limits(_MOST, _MOST_BYTES, _MOST_OF_ONE, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Put an entry for each of these, and look at what became of each."""
        answer = await self._call("put_events", Entries=[self._entry(due) for due in batch])
        if isinstance(answer, (Later, Refused, Taken)):
            return [answer] * len(batch)
        said = entries_of(answer, "Entries")
        if len(said) != len(batch):
            return [Later("EventBridge did not say what became of each entry")] * len(batch)
        return [receipt_of(each.get("ErrorCode"), each.get("ErrorMessage"), _FOR_GOOD) for each in said]

    def _entry(self, due: Due) -> dict[str, Any]:
        detail = due.event.body.decode()
        arn = told_of(due).resource_arn
        return {
            "Source": _SOURCE,
            "DetailType": _DETAIL_TYPES.get(due.event.kind, due.event.kind),
            "Detail": detail,
            "Resources": [arn] if arn and len(arn.encode("utf-8", "replace")) <= _LONGEST_RESOURCE else [],
            "EventBusName": self.settings.event_bus,
        }
