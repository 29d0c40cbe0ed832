"""SQS: a message for each event, which a FIFO queue keeps in its finding's order and drops the copies of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from auditor.delivery.amazon import AmazonDestination, AmazonSettings
from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.entries import entries_of, in_order, receipt_of
from auditor.delivery.forms import FreeForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

# SQS API reference, SendMessageBatch: ten messages, and 1 MiB both of one and of all.
# Far below that, so that a call stays below the 1 MiB that aiohttp sends without holding up everything else: events
# are escaped, or written in base64.
_MOST, _MOST_BYTES, _MOST_OF_ONE = 10, 700_000, 500_000
_ENVELOPE = 256
"""The attributes below, with their names and types, count as well."""

_FOR_GOOD = frozenset({"InvalidMessageContents", "InvalidParameterValue", "MessageTooLong"})


class Settings(FreeForm, AmazonSettings):
    """The settings of a queue."""

    queue_url: Annotated[str, Field(pattern=r"^https?://[^\s@]+/[A-Za-z0-9_-]{1,80}(?:\.fifo)?$")] = Field(
        description="The queue's URL; one that ends on .fifo is a FIFO queue."
    )


class Kind(AmazonDestination[Settings]):
    """Each message has the attributes event_id, kind and run_id, by which it can be filtered."""

    settings_type = Settings
    service = "sqs"

    @property
    def limits(self) -> Limits:
        """Those of the service."""
        return Limits(_MOST, _MOST_BYTES, _MOST_OF_ONE, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Send a message for each of these, and look at what became of each."""
        ids = [str(due.position) for due in batch]
        answer = await self._call(
            "send_message_batch",
            QueueUrl=self.settings.queue_url,
            Entries=[self._entry(due) for due in batch],
        )
        if isinstance(answer, (Later, Refused, Taken)):
            return [answer] * len(batch)
        receipts: dict[str, Receipt] = {
            str(each.get("Id")): Taken() for each in entries_of(answer, "Successful")
        }
        receipts |= {
            str(each.get("Id")): receipt_of(each.get("Code") or "unknown", each.get("Message"), _FOR_GOOD)
            for each in entries_of(answer, "Failed")
        }
        return in_order(receipts, ids, "SQS")

    def _entry(self, due: Due) -> dict[str, Any]:
        event = due.event
        told = {"event_id": event.event_id, "kind": event.kind, "run_id": due.run_id}
        entry: dict[str, Any] = {
            "Id": str(due.position),
            "MessageBody": event.body.decode(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in told.items()
            },
        }
        if self.settings.queue_url.endswith(".fifo"):
            entry["MessageGroupId"] = event.finding_id or event.kind
            entry["MessageDeduplicationId"] = event.event_id
        return entry
