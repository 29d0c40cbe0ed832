"""A webhook: JSON lines posted to a URL, signed with a key that its receiver has too."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.delivery.contract import Later, Limits
from auditor.delivery.forms import FreeForm
from auditor.delivery.http import HttpDestination, HttpSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.delivery.contract import Receipt
    from auditor.history import Due

TIMESTAMP = "X-Auditor-Timestamp"
SIGNATURE = "X-Auditor-Signature"

_BATCH_BYTES = 1024 * 1024
"""What web servers take by default (nginx: client_max_body_size)."""


class Settings(FreeForm, HttpSettings):
    """The settings of a webhook."""

    secret_env: str | None = Field(
        default=None, description="The environment variable that holds the key of the signature."
    )
    secret_file: str | None = Field(default=None, description="Or the file that holds it.")
    batch: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="Events in one request at most, 1 to 1000."
    )


class Kind(HttpDestination[Settings]):
    """Any 2xx answer says that all events of the request were taken."""

    settings_type = Settings
    known_by = "secret"

    @property
    def limits(self) -> Limits:
        """As many as are set, within what web servers take by default."""
        return Limits(self.settings.batch, _BATCH_BYTES, _BATCH_BYTES, envelope=1)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Post these events, one a line."""
        body = b"".join(due.event.body + b"\n" for due in batch)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/x-ndjson",
            TIMESTAMP: timestamp,
            SIGNATURE: f"v1={signature(self._secret, timestamp, body)}",
        }
        answer = await self._poster.post(body, headers)
        receipt = answer if isinstance(answer, Later) else self._poster.receipt(answer)
        return [receipt] * len(batch)


def signature(key: str, timestamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256, in hex, of the timestamp, a full stop and the body.

    Its receiver makes the same, compares the two in constant time, and refuses a timestamp that is minutes old.
    """
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
