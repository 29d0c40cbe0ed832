"""Splunk's HTTP Event Collector, written to Splunk's documentation: no Splunk was at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import Field

from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.forms import FreeForm
from auditor.delivery.http import HttpDestination, HttpSettings
from auditor.delivery.told import told_of
from auditor.errors import UsageError
from auditor.model import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.delivery.http import Answer
    from auditor.history import Due

_PATH = "/services/collector/event"
_MOST, _BATCH_BYTES = 500, 1_000_000
"""Splunk Cloud takes 1 MB at once (its service description, "HTTP Event Collector")."""
_ENVELOPE = 1_024
_SUCCESS = 0
# Splunk, "Troubleshoot HTTP Event Collector", "Possible error codes": those of the events themselves. What else it
# answers with 400, such as an index that is not allowed (7), is a matter of its set-up or ours.
_INVALID = frozenset({5, 6, 12, 13, 15})
_BAD_REQUEST = 400


class Settings(FreeForm, HttpSettings):
    """The settings of a collector; `url` is its base, without a path."""

    token_env: str | None = Field(default=None, description="The environment variable that holds the token.")
    token_file: str | None = Field(default=None, description="Or the file that holds it.")
    index: Annotated[str, Field(pattern="^[a-z0-9_][a-z0-9_-]{0,79}$")] | None = Field(
        default=None, description="The index; the token's own, unless given."
    )
    source: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        default="auditor", description="What Splunk calls the source."
    )
    sourcetype: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        default="_json", description="What Splunk reads it as."
    )


class Kind(HttpDestination[Settings]):
    """Taken once Splunk answers with code 0, which precedes indexing: search by `event_id` to drop copies."""

    settings_type = Settings
    known_by = "token"

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        if not (self._secret.isascii() and is_plain(self._secret)):
            raise UsageError(
                f"destination {receiver.name}: the token is no text of one line in ASCII; write the token alone there"
            )

    @property
    def limits(self) -> Limits:
        """Those of Splunk Cloud."""
        return Limits(_MOST, _BATCH_BYTES, _BATCH_BYTES, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Post these events, one object after the other."""
        body = b"\n".join(self._wrapped(due) for due in batch)
        headers = {"Authorization": f"Splunk {self._secret}", "Content-Type": "application/json"}
        answer = await self._poster.post(body, headers, _PATH)
        receipt = answer if isinstance(answer, Later) else self._receipt(answer)
        return [receipt] * len(batch)

    def _receipt(self, answer: Answer) -> Receipt:
        receipt = self._poster.receipt(answer)
        code = _code(answer.body)
        if isinstance(receipt, Taken):
            # Whatever stands before Splunk may answer 200 too.
            return receipt if code == _SUCCESS else Later(self._poster.told(answer))
        if answer.status == _BAD_REQUEST:
            why = self._poster.told(answer)
            return Refused(why) if code in _INVALID else Later(why)
        return receipt

    def _wrapped(self, due: Due) -> bytes:
        envelope: dict[str, Any] = {
            "source": self.settings.source,
            "sourcetype": self.settings.sourcetype,
            "fields": {"event_id": due.event.event_id, "kind": due.event.kind},
        }
        if self.settings.index is not None:
            envelope["index"] = self.settings.index
        if (time := told_of(due).time) is not None:
            envelope["time"] = time.timestamp()
        # The event's own bytes: they are escaped already.
        return orjson.dumps(envelope)[:-1] + b',"event":' + due.event.body + b"}"


def _code(body: bytes) -> int | None:
    """Return the code that Splunk answers with; None where the answer is not Splunk's."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None
