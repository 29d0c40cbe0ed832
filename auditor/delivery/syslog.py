"""Syslog: RFC 5424 over TLS (RFC 5425), or over TCP (RFC 6587), a connection for each batch."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from auditor.delivery.contract import Destination, Limits, Refused
from auditor.delivery.fitting import fitted
from auditor.delivery.forms import FreeForm
from auditor.delivery.rfc5424 import ascii_json, framed, head, structured
from auditor.delivery.tls import tls_context
from auditor.delivery.told import told_of
from auditor.delivery.until_closed import Address, send_until_closed
from auditor.errors import UsageError
from auditor.model import Severity, is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.history import Due

_TLS_PORT, _TCP_PORT = 6514, 514
"""RFC 5425, 4.1; over TCP there is no standard one, and RFC 6587, 3.3, says that most take this."""
_MOST, _BATCH_BYTES = 500, 2_000_000
_ENVELOPE = 512
"""Bytes that commonly stand before the text, and the count; where there are more, the text is cut to what is left."""
_APP_NAME = "auditor"
_SEVERITIES = {
    Severity.CRITICAL: 2,
    Severity.HIGH: 3,
    Severity.MEDIUM: 4,
    Severity.LOW: 5,
    Severity.INFO: 6,
}
"""crit, err, warning, notice and info, as syslog calls them."""
_OF_TLS = ("ca_file", "cert_file", "key_file", "close_notify")
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 253
_SD_ID = re.compile(r"[!#-<>-\\^-~]+@[0-9]+")
_LONGEST_ID = 32
"""RFC 5424, 6: an SD-NAME has printable ASCII but `=`, `]`, `"` and blanks."""


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        if not _NAME.fullmatch(text) or len(text) > _LONGEST_NAME:
            why = "is no name of a machine, and no address; write one such as siem.example.com"
            raise PydanticCustomError("host", "{why}", {"why": why}) from None
    return text


def _sd_id(text: str) -> str:
    if not _SD_ID.fullmatch(text):
        why = "is no id of structured data; write a name and an enterprise's number, such as auditor@32473"
        raise PydanticCustomError("sd_id", "{why}", {"why": why})
    return text


class Settings(FreeForm):
    """The settings of a receiver of syslog."""

    host: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME), AfterValidator(_host)] = Field(
        description="The receiver's name or address."
    )
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        default=None, description="Its port: 6514, or 514 without TLS, unless given."
    )
    tls: bool = Field(default=True, description="false is plain TCP, which is for this machine alone.")
    ca_file: str | None = Field(
        default=None,
        description="A file of the certificate authorities to trust, in PEM, in place of the system's.",
    )
    cert_file: str | None = Field(
        default=None, description="Our own certificate, in PEM, where the receiver asks for one."
    )
    key_file: str | None = Field(default=None, description="Its key, where it does not stand in cert_file.")
    close_notify: bool = Field(
        default=False,
        description="Whether a batch counts as taken only if TLS itself says that the receiver is done.",
    )
    facility: Literal[
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
        "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
        "local7",
    ] = Field(default="local0", description="The facility of every message.")  # fmt: skip
    sd_id: Annotated[str, Field(max_length=_LONGEST_ID), AfterValidator(_sd_id)] = Field(
        default="auditor@32473",
        description="The id of the structured data: a name, and an enterprise's number (32473 is for examples).",
    )
    max_bytes: Annotated[int, Field(ge=2_048, le=1_000_000)] = Field(
        default=8_192, description="Bytes of a message at most, as the receiver takes them: 2048 to 1000000."
    )


class Kind(Destination[Settings]):
    """Taken once the receiver closes its side of the connection, after it has read all of the batch."""

    settings_type = Settings

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        name, host = receiver.name, settings.host
        tls: SSLContext | None = None
        if settings.tls:
            tls = tls_context(name, settings.ca_file, settings.cert_file, settings.key_file)
        else:
            if not allow_http and not is_loopback(host):
                raise UsageError(
                    f"destination {name} would be sent to over plain TCP to {shown(host)}: "
                    "remove tls: false, or pass --allow-http if nobody else can read that network"
                )
            if of_tls := [key for key in _OF_TLS if getattr(settings, key)]:
                raise UsageError(
                    f"destination {name}: {of_tls[0]} stands with tls: false; remove one of the two"
                )
        port = settings.port or (_TLS_PORT if settings.tls else _TCP_PORT)
        self._to = Address(host, port, tls, settings.close_notify)
        self._machine = socket.gethostname()

    @property
    def limits(self) -> Limits:
        """As many as are sent over one connection, each of the size that is set."""
        return Limits(_MOST, _BATCH_BYTES, self.settings.max_bytes, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Send these events, one after the other, and wait until the receiver has read them."""
        messages = [self._message(due) for due in batch]
        receipt: Receipt = Refused(f"it is larger than max_bytes, {self.settings.max_bytes}, even when cut")
        too_large = receipt
        if fit := [framed(each) for each in messages if each is not None]:
            receipt = await send_until_closed(self._to, fit)
        return [too_large if each is None else receipt for each in messages]

    def _message(self, due: Due) -> bytes | None:
        """Return an event as a message within its size; None where that can't be done."""
        before = self._head(due)
        most = self.settings.max_bytes - len(before)
        text, aim = ascii_json(due.event.body), most
        while len(text) > most:
            # Escaped it is longer than when it was cut.
            aim -= len(text) - most
            body = fitted(due.event.body, aim)
            if body is None:
                return None
            text = ascii_json(body)
        return before + text

    def _head(self, due: Due) -> bytes:
        event, told = due.event, told_of(due)
        return head(
            facility=self.settings.facility,
            severity=_SEVERITIES[told.severity],
            time=told.time,
            host=self._machine,
            app_name=_APP_NAME,
            process=due.run_id,  # which tells a run's messages from another's, as a process id would
            message_id=event.kind,
            data=structured(
                self.settings.sd_id,
                {
                    "event_id": event.event_id,
                    "kind": event.kind,
                    "finding_id": event.finding_id,
                    "gap_id": told.gap_id,
                    "severity": told.severity,
                    "account": told.account_id,
                    "region": told.region,
                    "policy": told.policy,
                    "status": told.status,
                },
            ),
        )
