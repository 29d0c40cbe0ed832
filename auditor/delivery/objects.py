"""Objects put into a bucket of S3: each is there whole or not at all, and one that is put twice is the same one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from auditor.delivery.amazon import AmazonDestination, AmazonSettings
from auditor.delivery.contract import Later, Refused, Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.aws.sending import Sender
    from auditor.delivery.contract import Receipt
    from auditor.history import Due


class BucketSettings(AmazonSettings):
    """What every destination in a bucket can be set to."""

    # Amazon S3 user guide, "General purpose bucket naming rules".
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="The bucket's name."
    )


B = TypeVar("B", bound=BucketSettings)


class BucketDestination(AmazonDestination[B]):
    """A destination in a bucket."""

    service = "s3"

    async def _put(self, key: str, body: bytes, content_type: str, sender: Sender | None = None) -> Receipt:
        """Put an object, and return what became of it.

        :param sender: as whom; the destination's own unless given.
        """
        answer = await self._call(
            "put_object",
            sender,
            Bucket=self.settings.bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
        )
        if isinstance(answer, (Later, Refused)):
            return answer
        # S3 API reference, PutObject: whatever stands before S3 may answer 200 too, and has no ETag.
        return Taken() if answer.get("ETag") else Later("S3 did not say that it has the object")


def name_of(part: Sequence[Due], suffix: str) -> str:
    """Return the name of the object that holds these events.

    The position sorts the objects of a run. An outbox that was empty counts anew, so the hash of the events' ids
    keeps one object from taking the place of another that holds something else.
    """
    ids = hashlib.sha256("\n".join(due.event.event_id for due in part).encode()).hexdigest()
    return f"part-{part[0].position:012}-{ids[:16]}{suffix}"
