"""S3: JSON lines, an object for each batch of a run: PREFIX/RUN_ID/part-POSITION-HASH.jsonl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.delivery.contract import Limits
from auditor.delivery.forms import FreeForm
from auditor.delivery.objects import BucketDestination, BucketSettings, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

_MEBIBYTE = 1024 * 1024


class Settings(FreeForm, BucketSettings):
    """The settings of a bucket."""

    prefix: Annotated[
        str, Field(max_length=512, pattern=r"^(?:[A-Za-z0-9!_.*'()=-]+(?:/[A-Za-z0-9!_.*'()=-]+)*)?$")
    ] = Field(
        default="", description="What stands before a run's id in the objects' keys, without a / at its ends."
    )


class Kind(BucketDestination[Settings]):
    """An object is there whole or not at all, and one that is put twice is the same one."""

    settings_type = Settings

    @property
    def limits(self) -> Limits:
        """Objects of a size that a query engine reads at once: S3 itself takes far more."""
        return Limits(5_000, 8 * _MEBIBYTE, 8 * _MEBIBYTE, envelope=1)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Put an object for each run that these events are of: nearly always one."""
        receipts: dict[int, Receipt] = {}
        for run_id in dict.fromkeys(due.run_id for due in batch):
            part = [due for due in batch if due.run_id == run_id]
            key = "/".join(filter(None, (self.settings.prefix, run_id, name_of(part, ".jsonl"))))
            body = b"".join(due.event.body + b"\n" for due in part)
            receipt = await self._put(key, body, "application/x-ndjson")
            receipts |= dict.fromkeys((due.position for due in part), receipt)
        return [receipts[due.position] for due in batch]
