"""S3: JSON lines, an object for each batch of a run: PREFIX/RUN_ID/part-POSITION-HASH.jsonl."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.delivery.amazon import AmazonDestination, AmazonSettings
from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.forms import FreeForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

_MEBIBYTE = 1024 * 1024


class Settings(FreeForm, AmazonSettings):
    """The settings of a bucket."""

    # Amazon S3 user guide, "General purpose bucket naming rules".
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="The bucket's name."
    )
    prefix: Annotated[
        str, Field(max_length=512, pattern=r"^(?:[A-Za-z0-9!_.*'()=-]+(?:/[A-Za-z0-9!_.*'()=-]+)*)?$")
    ] = Field(
        default="", description="What stands before a run's id in the objects' keys, without a / at its ends."
    )


class Kind(AmazonDestination[Settings]):
    """An object is there whole or not at all, and one that is put twice is the same one."""

    settings_type = Settings
    service = "s3"

    @property
    def limits(self) -> Limits:
        """Objects of a size that a query engine reads at once: S3 itself takes far more."""
        return Limits(5_000, 8 * _MEBIBYTE, 8 * _MEBIBYTE, envelope=1)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Put an object for each run that these events are of: nearly always one."""
        receipts: dict[int, Receipt] = {}
        for run_id in dict.fromkeys(due.run_id for due in batch):
            part = [due for due in batch if due.run_id == run_id]
            receipts |= dict.fromkeys((due.position for due in part), await self._put(run_id, part))
        return [receipts[due.position] for due in batch]

    async def _put(self, run_id: str, part: Sequence[Due]) -> Receipt:
        answer = await self._call(
            "put_object",
            Bucket=self.settings.bucket,
            Key="/".join(filter(None, (self.settings.prefix, run_id, name_of(part)))),
            Body=b"".join(due.event.body + b"\n" for due in part),
            ContentType="application/x-ndjson",
        )
        return answer if isinstance(answer, (Later, Refused, Taken)) else Taken()


def name_of(part: Sequence[Due]) -> str:
    """Return the name of the object that holds these events.

    The position sorts the objects of a run. An outbox that was empty counts anew, so the hash of the events' ids
    keeps one object from taking the place of another that holds something else.
    """
    ids = hashlib.sha256("\n".join(due.event.event_id for due in part).encode()).hexdigest()
    return f"part-{part[0].position:012}-{ids[:16]}.jsonl"
