"""Firehose: a record for each event, a line of JSON each, so that what it writes together stays apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.delivery.amazon import AmazonDestination, AmazonSettings
from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.entries import entries_of, receipt_of
from auditor.delivery.forms import FreeForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

# Firehose API reference, PutRecordBatch: 500 records of at most 1,000 KB before base64, 4 MB in all.
# Far below that, so that a call stays below the 1 MiB that aiohttp sends without holding up everything else: events
# are escaped, or written in base64.
_MOST, _MOST_BYTES, _MOST_OF_ONE = 500, 700_000, 500_000


class Settings(FreeForm, AmazonSettings):
    """The settings of a stream."""

    stream: Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,64}$")] = Field(description="The stream's name.")


class Kind(AmazonDestination[Settings]):
    """Where it fails on some records, they alone are sent again."""

    settings_type = Settings
    service = "firehose"

    @property
    def limits(self) -> Limits:
        """Those of the service."""
        return Limits(_MOST, _MOST_BYTES, _MOST_OF_ONE, envelope=1)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Put a record for each of these, and look at what became of each."""
        answer = await self._call(
            "put_record_batch",
            DeliveryStreamName=self.settings.stream,
            Records=[{"Data": due.event.body + b"\n"} for due in batch],
        )
        if isinstance(answer, (Later, Refused, Taken)):
            return [answer] * len(batch)
        said = entries_of(answer, "RequestResponses")
        if len(said) != len(batch):
            return [Later("Firehose did not say what became of each record")] * len(batch)
        return [receipt_of(each.get("ErrorCode"), each.get("ErrorMessage"), ()) for each in said]
