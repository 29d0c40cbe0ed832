"""OTLP over HTTP: a log record for each event, to an OpenTelemetry collector or whatever else takes logs from one."""

from __future__ import annotations

import gzip
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from urllib.parse import urlsplit

import structlog
from anyio import to_thread
from pydantic import Field

from auditor import __version__
from auditor.delivery.contract import Later, Limits, Refused, Taken
from auditor.delivery.forms import FreeForm
from auditor.delivery.http import HttpDestination, HttpSettings
from auditor.delivery.otlp_messages import Messages
from auditor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.delivery.http import Answer
    from auditor.history import Due

log = structlog.get_logger()

_PATH = "/v1/logs"
_MOST, _BATCH_BYTES, _EVENT_BYTES = 500, 1_000_000, 900_000
"""Far below the 20 MiB that the specification recommends to take; many a service takes 1 MB at once."""
_ENVELOPE = 768
"""Bytes of the attributes and what else a record has around its body."""
_SOON = frozenset({429, 502, 503, 504})
"""OTLP specification, "Retryable Response Codes": all others are not to be tried again."""
_LONG = 300.0
"""Seconds: no run's `drain` is commonly as long, so that it is the next run that tries again."""
_TOKEN = re.compile("[!-~]+(?: [!-~]+)*")


class Settings(FreeForm, HttpSettings):
    """The settings of a receiver of OTLP; where `url` has no path, /v1/logs is its path."""

    optional_secrets: ClassVar[frozenset[str]] = frozenset({"token"})

    token_env: str | None = Field(default=None, description="The environment variable that holds a token.")
    token_file: str | None = Field(default=None, description="Or the file that holds it.")
    header_name: Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,64}$")] | None = Field(
        default=None, description="The header that has the token alone; Authorization: Bearer, unless given."
    )
    compression: Literal["gzip", "none"] = Field(default="gzip", description="How requests are compressed.")


class Kind(HttpDestination[Settings]):
    """Taken once the receiver answers 200, and rejects no record in what it says."""

    settings_type = Settings
    known_by = "token"

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        token = self._secret or None
        if token is not None and not _TOKEN.fullmatch(token):
            raise UsageError(
                f"destination {receiver.name}: its token has something that no header can have, such as a line's end"
            )
        if settings.header_name is not None and token is None:
            raise UsageError(
                f"destination {receiver.name}: header_name stands without token_env or token_file; write one of these"
            )
        self._messages = Messages(receiver.name)
        self._path = _PATH if urlsplit(settings.url).path in {"", "/"} else ""
        self._headers = {"Content-Type": "application/x-protobuf"}
        if settings.compression == "gzip":
            self._headers["Content-Encoding"] = "gzip"
        if token is not None:
            self._headers[settings.header_name or "Authorization"] = (
                token if settings.header_name else f"Bearer {token}"
            )

    @property
    def limits(self) -> Limits:
        """What services take that take less than the specification recommends."""
        return Limits(_MOST, _BATCH_BYTES, _EVENT_BYTES, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Post these events as log records of one scope."""
        body = await to_thread.run_sync(self._body, batch)
        answer = await self._poster.post(body, self._headers, self._path)
        receipt = answer if isinstance(answer, Later) else self._receipt(answer)
        return [receipt] * len(batch)

    def _body(self, batch: Sequence[Due]) -> bytes:
        body = self._messages.request(batch, __version__, time.time_ns())
        return gzip.compress(body, 6, mtime=0) if self.settings.compression == "gzip" else body

    def _receipt(self, answer: Answer) -> Receipt:
        told = self._messages.status(answer.body)
        receipt = self._poster.receipt(answer if told is None else replace(answer, body=told.encode()))
        match receipt:
            case Taken():
                return self._accepted(answer)
            case Later(why) if answer.status not in _SOON:
                # Not to be tried again as it is; but what is wrong with a token or a path is mended, and loses nothing.
                return Later(why, _LONG)
        return receipt

    def _accepted(self, answer: Answer) -> Receipt:
        """Return what a success says.

        Which records were rejected is not said. All are told to be refused, and go in halves, until each is known: what
        was accepted before comes twice, and nothing is lost.
        """
        said = self._messages.response(answer.body)
        if said is None:  # whatever stands before the receiver may answer 200 too
            return Later(self._poster.told(answer), _LONG)
        rejected, why = said
        why = self._poster.hidden(why)
        if rejected:
            return Refused(f"{rejected} log record(s) rejected: {why or 'no reason given'}")
        if why:
            log.warning("the receiver says", destination=self.name, said=why)
        return Taken()
