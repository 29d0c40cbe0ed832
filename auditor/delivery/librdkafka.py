"""A producer of librdkafka's, which has threads of its own: asked from ours in short turns, so that one can stop waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from auditor.delivery.contract import Later, Refused, Taken
from auditor.errors import UsageError
from auditor.model import how_to_install, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.delivery.contract import Receipt

log = structlog.get_logger()

_TURN = 0.1
_TURN_TO_LOOK = 1.0
"""Seconds that a thread waits for librdkafka at once: so late is a cancellation noticed. The second has to be longer than
an answer's way."""
_LONGEST_END = 2.0
"""Seconds that it has to let go of its connections; what it is then still at ends by itself."""
_LONGEST_TEXT = 300
_FOR_GOOD = frozenset({"MSG_SIZE_TOO_LARGE", "INVALID_RECORD"})
"""What says that the message itself will never be taken."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is produced."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def library(name: str) -> Any:
    """Return the library.

    :raises UsageError: where it is not installed.
    """
    try:
        import confluent_kafka  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise UsageError(
            f"destination {name}: the library for Kafka is not installed; {how_to_install('kafka')}"
        ) from error
    return confluent_kafka


class Producer:
    """Produces to one topic, as long as nothing goes wrong; then another is made.

    What it still had to send is dropped with it: it would overtake what is sent again.
    """

    def __init__(self, library: Any, configuration: Mapping[str, Any], topic: str) -> None:
        """Make one, which begins to connect.

        :raises KafkaException: where librdkafka takes no such configuration.
        """
        self._error: type[Exception] = library.KafkaException
        self._topic = topic
        self._why: str | None = None
        """What librdkafka said last of its own accord, of a connection for example."""
        self._producer: Any = library.Producer(
            {**configuration, "error_cb": self._noted, "logger": _Log(), "log.connection.close": False}
        )

    async def brokers(self, within: float) -> list[str] | Later:
        """Return the hosts of the cluster's brokers, or why the topic can't be had there.

        :param within: seconds.
        """
        end = time.monotonic() + within
        while True:
            try:
                cluster = await to_thread.run_sync(
                    self._producer.list_topics, self._topic, min(_TURN_TO_LOOK, within)
                )
            except self._error as error:
                await to_thread.run_sync(self._producer.poll, 0)  # which tells why
                if time.monotonic() < end:
                    continue
                return self._later(error.args[0])
            topic = cluster.topics.get(self._topic)
            if topic is None or topic.error is not None:
                return self._later(topic.error if topic else "the cluster did not tell of the topic")
            return [str(broker.host) for broker in cluster.brokers.values()]

    async def produce(self, messages: Sequence[Message]) -> list[Receipt]:
        """Send these, and return what became of each, once that is known of all.

        What is too large in company may be taken alone: the limit is one of what is sent together.
        """
        receipts = await self._produced(messages)
        if len(messages) > 1:
            for number, receipt in enumerate(receipts):
                if isinstance(receipt, Refused):
                    (receipts[number],) = await self._produced([messages[number]])
        return receipts

    async def end(self) -> None:
        """Drop what is still to be sent, and let go of the connections."""
        with anyio.move_on_after(_LONGEST_END, shield=True):
            await to_thread.run_sync(self._let_go, abandon_on_cancel=True)

    async def _produced(self, messages: Sequence[Message]) -> list[Receipt]:
        receipts: dict[int, Receipt] = {}

        def queue() -> None:
            for number, each in enumerate(messages):

                def told(error: Any, _message: Any, number: int = number) -> None:
                    receipts[number] = Taken() if error is None else self._receipt(error)

                try:
                    self._producer.produce(
                        self._topic, each.value, each.key, on_delivery=told, headers=list(each.headers)
                    )
                except self._error as error:
                    receipts[number] = self._receipt(error.args[0])
                except BufferError as error:
                    receipts[number] = Later(f"librdkafka: {error}")

        await to_thread.run_sync(queue)
        while len(receipts) < len(messages):  # librdkafka tells of each, at its delivery.timeout.ms at last
            await to_thread.run_sync(self._producer.poll, _TURN)
        return [receipts[number] for number in range(len(messages))]

    def _receipt(self, error: Any) -> Receipt:
        later = self._later(error)
        return Refused(later.why) if error.name() in _FOR_GOOD else later

    def _later(self, error: Any) -> Later:
        name, text = (error.name(), error.str()) if hasattr(error, "name") else ("", str(error))
        # Its own errors say little, such as that time is over; what it said of its connections says why.
        told = f" ({self._why})" if name.startswith("_") and self._why else ""
        return Later(": ".join(filter(None, (name, text))) + told)

    def _noted(self, error: Any) -> None:
        if error.name() != "_ALL_BROKERS_DOWN" or self._why is None:
            self._why = shown(error.str()[:_LONGEST_TEXT])

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            del producer  # which waits for its threads


class _Log:
    """Where librdkafka logs to, which would be standard error: what it says of errors is told with each receipt."""

    @staticmethod
    def log(_level: int, text: str, *values: object) -> None:
        """Log what librdkafka says; called from `poll`."""
        log.debug("librdkafka", said=shown((text % values)[:_LONGEST_TEXT]))
