"""A Kafka cluster in this process: librdkafka's own mock, led by the C interface that rdkafka_mock.h describes."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confluent_kafka
from confluent_kafka import Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRODUCER, _PRODUCE_REQUEST = 0, 0
_PARTITIONS = 3


@dataclass(frozen=True)
class Cluster:
    """One broker, 1, with a topic."""

    library: Any
    handle: ctypes.c_void_p
    bootstrap: str
    topic: str = "audit"

    def down(self) -> None:
        """Close the broker's connections, and take no new ones."""
        assert self.library.rd_kafka_mock_broker_set_down(self.handle, 1) == 0

    def up(self) -> None:
        """Take connections again."""
        assert self.library.rd_kafka_mock_broker_set_up(self.handle, 1) == 0

    def slow(self, milliseconds: int) -> None:
        """Let each answer take so long."""
        assert self.library.rd_kafka_mock_broker_set_rtt(self.handle, 1, milliseconds) == 0

    def lead_to(self, host: str, port: int) -> None:
        """Say that the broker is elsewhere."""
        self.library.rd_kafka_mock_broker_set_host_port(self.handle, 1, host.encode(), port)

    def refuse_topic(self, code: int) -> None:
        """Answer what asks for the topic with an error of Kafka's protocol."""
        self.library.rd_kafka_mock_topic_set_error(self.handle, self.topic.encode(), code)

    def refuse_messages(self, *codes: int) -> None:
        """Answer the next requests that bring messages with these errors, one each."""
        errors = (ctypes.c_int * len(codes))(*codes)
        self.library.rd_kafka_mock_push_request_errors_array(
            self.handle, _PRODUCE_REQUEST, ctypes.c_size_t(len(codes)), errors
        )

    def refuse_no_more(self) -> None:
        """Forget the errors that have not been answered with."""
        self.library.rd_kafka_mock_clear_request_errors(self.handle, _PRODUCE_REQUEST)

    def messages(self, count: int, then: float = 0.1) -> list[Any]:
        """Return what the topic holds, partition by partition, once there are so many messages.

        :param then: seconds in which what is too many is waited for.
        """
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "test", "log_level": 0})
        try:
            consumer.assign([TopicPartition(self.topic, each, 0) for each in range(_PARTITIONS)])
            found = consumer.consume(count, timeout=20)
            found += consumer.consume(1, timeout=then)
        finally:
            consumer.close()
        assert [each.error() for each in found if each.error()] == []
        return sorted(found, key=lambda each: (each.partition(), each.offset()))


@contextmanager
def cluster() -> Iterator[Cluster]:
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, function).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    client = ctypes.c_void_p(
        library.rd_kafka_new(_PRODUCER, ctypes.c_void_p(library.rd_kafka_conf_new()), None, 0)
    )
    handle = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 1))
    made = Cluster(library, handle, library.rd_kafka_mock_cluster_bootstraps(handle).decode())
    assert library.rd_kafka_mock_topic_create(handle, made.topic.encode(), _PARTITIONS, 1) == 0
    try:
        yield made
    finally:
        library.rd_kafka_mock_cluster_destroy(handle)
        library.rd_kafka_destroy(client)
