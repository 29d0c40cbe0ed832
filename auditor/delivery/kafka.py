"""Kafka: a message for each event, in the order of its finding, taken once all in-sync replicas have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from auditor.delivery.contract import Destination, Later, Limits
from auditor.delivery.forms import FreeForm
from auditor.delivery.librdkafka import Message, Producer, library
from auditor.delivery.tls import tls_context
from auditor.delivery.told import told_of
from auditor.errors import UsageError
from auditor.model import is_loopback, is_plain, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.history import Due

_MOST, _BATCH_BYTES = 500, 4_000_000
_ENVELOPE = 512
"""The key, the headers and Kafka's own bytes around a message."""
_SHARE_TO_FIND, _SHARE_TO_SEND = 0.25, 0.6
"""Of `timeout`: how long the brokers are looked for, and a message is tried; the rest is for what was too large."""
_LONGEST_SHOWN = 300
_LARGEST_PORT = 65_535


def _broker(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if (
        not (host and colon and port.isascii() and port.isdigit() and 1 <= int(port) <= _LARGEST_PORT)
        or not is_plain(text)
        or not set(text).isdisjoint(" ,/@")
    ):
        why = "is no broker; write its host and port, such as kafka.example.com:9093"
        raise PydanticCustomError("broker", "{why}", {"why": why})
    return text


class Settings(FreeForm):
    """The settings of a topic."""

    optional_secrets: ClassVar[frozenset[str]] = frozenset({"password"})

    brokers: Annotated[list[Annotated[str, AfterValidator(_broker)]], Field(min_length=1, max_length=64)] = (
        Field(description="Brokers to begin with, HOST:PORT each.")
    )
    topic: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,249}$")] = Field(description="The topic.")
    security_protocol: Literal["ssl", "sasl_ssl", "plaintext"] = Field(
        default="ssl", description="ssl, sasl_ssl, or plaintext, which is for this machine alone."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="With sasl_ssl: how the password is shown."
    )
    username: Annotated[str, Field(min_length=1, max_length=1_024)] | None = Field(
        default=None, description="With sasl_ssl: who sends."
    )
    password_env: str | None = Field(default=None, description="The environment variable with the password.")
    password_file: str | None = Field(default=None, description="Or the file that holds it.")
    ca_file: str | None = Field(
        default=None,
        description="A file of the certificate authorities to trust, in PEM, in place of the system's.",
    )
    cert_file: str | None = Field(
        default=None, description="Our own certificate, in PEM, where the brokers ask for one."
    )
    key_file: str | None = Field(default=None, description="Its key, where it does not stand in cert_file.")
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="zstd", description="How messages are compressed."
    )
    max_bytes: Annotated[int, Field(ge=10_000, le=10_000_000)] = Field(
        default=1_000_000,
        description="Bytes of a message at most, as the topic takes them: 10000 to 10000000.",
    )


class Kind(Destination[Settings]):
    """Taken once the leader and all in-sync replicas have it; the key is the finding, so that its order is kept."""

    settings_type = Settings

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        name = receiver.name
        if settings.security_protocol == "plaintext":
            if elsewhere := self._elsewhere(broker.rpartition(":")[0] for broker in settings.brokers):
                raise UsageError(
                    f"destination {name} would be sent to in plain text to {shown(elsewhere)}: set security_protocol "
                    "to ssl or sasl_ssl, or pass --allow-http if nobody else can read that network"
                )
        else:
            tls_context(name, settings.ca_file, settings.cert_file, settings.key_file)
        self._password = receiver.secrets.get("password")
        is_sasl = settings.security_protocol == "sasl_ssl"
        if is_sasl != bool(settings.username and self._password) or is_sasl != bool(
            settings.username or self._password
        ):
            raise UsageError(
                f"destination {name}: username and password stand with security_protocol: sasl_ssl, and it with "
                "them; write all three, or none"
            )
        self._library = library(name)
        self._producer: Producer | None = None

    @property
    def limits(self) -> Limits:
        """As large as the topic's messages may be."""
        return Limits(_MOST, max(_BATCH_BYTES, self.settings.max_bytes), self.settings.max_bytes, _ENVELOPE)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Produce a message for each of these, and wait until it is known what became of each."""
        if self._producer is None:
            try:
                self._producer = Producer(self._library, self._configuration(), self.settings.topic)
            except self._library.KafkaException as error:
                return [self._hidden(Later(f"librdkafka: {error}"))] * len(batch)
        receipts: list[Receipt] = []
        try:
            receipts = await self._sent(self._producer, batch)
        finally:
            if not receipts or any(isinstance(each, Later) for each in receipts):
                await self._end()
        return [self._hidden(each) if isinstance(each, Later) else each for each in receipts]

    async def _sent(self, producer: Producer, batch: Sequence[Due]) -> list[Receipt]:
        brokers = await producer.brokers(self.settings.timeout.total_seconds() * _SHARE_TO_FIND)
        if isinstance(brokers, Later):
            return [brokers] * len(batch)
        # It is the cluster that says where its brokers are.
        if self.settings.security_protocol == "plaintext" and (elsewhere := self._elsewhere(brokers)):
            why = f"the cluster's broker {elsewhere} is another machine, which is not sent to in plain text"
            return [Later(why)] * len(batch)
        return await producer.produce([_message(due) for due in batch])

    def _elsewhere(self, hosts: Iterable[str]) -> str | None:
        """Return the first of these hosts that may not be sent to in plain text."""
        if self.allow_http:
            return None
        return next((host for host in hosts if not is_loopback(host.strip("[]"))), None)

    def _configuration(self) -> dict[str, Any]:
        """Return what librdkafka is told (its CONFIGURATION.md)."""
        settings = self.settings
        told = {
            "bootstrap.servers": ",".join(settings.brokers),
            "client.id": "auditor",
            "security.protocol": settings.security_protocol,
            "ssl.ca.location": settings.ca_file,
            "ssl.certificate.location": settings.cert_file,
            "ssl.key.location": settings.key_file or settings.cert_file,
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": int(settings.timeout.total_seconds() * _SHARE_TO_SEND * 1_000),
            "compression.type": settings.compression,
            "message.max.bytes": settings.max_bytes,
            # As clients in Java do it, so that what joins by the finding finds it in the same partition.
            "partitioner": "murmur2_random",
        }
        if self._password is not None:
            told["sasl.mechanism"] = settings.sasl_mechanism
            told["sasl.username"] = settings.username
            told["sasl.password"] = self._password
        return {key: value for key, value in told.items() if value is not None}

    def _hidden(self, later: Later) -> Later:
        why = later.why.replace(self._password, "***") if self._password else later.why
        return Later(shown(why[:_LONGEST_SHOWN]))

    async def _end(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.end()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the connections."""
        await self._end()


def _message(due: Due) -> Message:
    event, told = due.event, told_of(due)
    headers = {"event_id": event.event_id, "kind": event.kind, "schema": told.schema, "run_id": due.run_id}
    return Message(
        (event.finding_id or told.gap_id or event.kind).encode(),
        event.body,
        [(name, value.encode("utf-8", "replace")) for name, value in headers.items() if value],
    )
