"""OTLP's messages: events as log records, and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.delivery.told import told_of
from auditor.errors import UsageError
from auditor.model import Severity, how_to_install

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from auditor.history import Due

_NAME = "auditor"
# OpenTelemetry, logs data model, appendix B: what syslog calls critical, error, warning, notice and informational.
_SEVERITIES = {
    Severity.CRITICAL: 18,
    Severity.HIGH: 17,
    Severity.MEDIUM: 13,
    Severity.LOW: 10,
    Severity.INFO: 9,
}
_NANOSECONDS = 1_000
"""In a microsecond."""


class Messages:
    """Writes and reads them."""

    def __init__(self, name: str) -> None:
        """Load the library.

        :raises UsageError: where it is not installed.
        """
        try:
            # An extra, and 0.1 s that only a run that writes it needs.
            from google.protobuf import json_format, message  # noqa: PLC0415
            from google.rpc import status_pb2  # type: ignore[import-untyped]  # noqa: PLC0415
            from opentelemetry.proto.collector.logs.v1 import logs_service_pb2  # noqa: PLC0415
            from opentelemetry.proto.common.v1 import common_pb2  # noqa: PLC0415
            from opentelemetry.proto.logs.v1 import logs_pb2  # noqa: PLC0415
            from opentelemetry.proto.resource.v1 import resource_pb2  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                f"destination {name}: the library for OTLP is not installed; {how_to_install('opentelemetry')}"
            ) from error
        self._service: Any = logs_service_pb2
        self._common: Any = common_pb2
        self._logs: Any = logs_pb2
        self._resource: Any = resource_pb2
        self._status: Any = status_pb2
        self._json: Any = json_format
        self._unreadable: type[Exception] = message.DecodeError

    def request(self, batch: Sequence[Due], version: str, now: int) -> bytes:
        """Return the request that brings these events.

        :param version: the auditor's.
        :param now: nanoseconds since the epoch.
        """
        scope = self._common.InstrumentationScope(name=_NAME, version=version)
        records = [self._record(due, now) for due in batch]
        resource = self._resource.Resource(
            attributes=self._attributes({"service.name": _NAME, "service.version": version})
        )
        logs = self._logs.ResourceLogs(
            resource=resource, scope_logs=[self._logs.ScopeLogs(scope=scope, log_records=records)]
        )
        request: bytes = self._service.ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
        return request

    def response(self, body: bytes) -> tuple[int, str] | None:
        """Return how many records were rejected, and what was said of it; None where this is no such answer."""
        answer = self._service.ExportLogsServiceResponse()
        try:
            answer.ParseFromString(body)
        except self._unreadable:
            if not body.startswith(b"{"):
                return None
            try:  # some answer in JSON, whatever they were asked in
                self._json.Parse(body, answer)
            except (self._json.ParseError, UnicodeDecodeError):
                return None
        partial = answer.partial_success
        return partial.rejected_log_records, partial.error_message

    def status(self, body: bytes) -> str | None:
        """Return what an answer that is no success says; None where it is not written as OTLP has it."""
        try:
            message: str = self._status.Status.FromString(body).message
        except self._unreadable:
            return None
        return message or None

    def _record(self, due: Due, now: int) -> Any:
        event, told = due.event, told_of(due)
        attributes = {
            "auditor.event_id": event.event_id,
            "auditor.kind": event.kind,
            "auditor.schema": told.schema,
            "auditor.run_id": due.run_id,
            "auditor.finding_id": event.finding_id,
            "auditor.gap_id": told.gap_id,
            "auditor.policy": told.policy,
            "auditor.status": told.status,
            # https://opentelemetry.io/docs/specs/semconv/registry/attributes/cloud/
            "cloud.provider": "aws",
            "cloud.account.id": told.account_id,
            "cloud.region": told.region,
        }
        return self._logs.LogRecord(
            time_unix_nano=_nanoseconds(told.time),
            observed_time_unix_nano=now,
            severity_number=_SEVERITIES[told.severity],
            severity_text=told.severity,
            event_name=f"{_NAME}.{event.kind}",
            # Text, which every receiver keeps: some drop a body that is a map, or flatten it. What is searched by
            # stands in the attributes.
            body=self._common.AnyValue(string_value=event.body.decode()),
            attributes=self._attributes(attributes),
        )

    def _attributes(self, told: Mapping[str, str | None]) -> Iterable[Any]:
        return [
            self._common.KeyValue(
                key=key,
                value=self._common.AnyValue(string_value=value.encode("utf-8", "replace").decode()),
            )
            for key, value in told.items()
            if value is not None
        ]


def _nanoseconds(time: datetime | None) -> int:
    """Return the nanoseconds since the epoch, which 0 is: unknown."""
    return 0 if time is None else int(time.timestamp() * 1_000_000) * _NANOSECONDS
