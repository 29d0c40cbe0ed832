"""Spans and numbers on their way to a collector, by OTLP over HTTP, in the threads of OpenTelemetry's SDK.

Imported only where it is asked for: the SDK is an extra.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from auditor import __version__
from auditor.telemetry.environment import METRICS, TRACES, is_wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from auditor.formats.measuring import Measure

_A_DAY = 24 * 3600 * 1000.0
"""Milliseconds: the numbers are known at the run's end, and sent once, when the reader is shut down."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What the collector did not take."""

    spans: int
    numbers: bool
    why: str


class _Spans(OTLPSpanExporter):
    """Counts what was taken."""

    taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self.taken += len(spans)
        return result


class _Numbers(OTLPMetricExporter):
    """Takes note of whether they were taken."""

    taken = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self.taken = result is MetricExportResult.SUCCESS
        return result


class _Complaints(logging.Handler):
    """Takes the SDK's own words, of which a run tells the first: it says them again with each batch."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""
        self._logger = logging.getLogger("opentelemetry")
        self._propagated = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()

    def leave(self) -> None:
        """Let the SDK speak for itself again."""
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated


class Sender:
    """Sends what one run tells; the environment says where to, and with what."""

    def __init__(self, run_id: str, began: int) -> None:
        """Set the SDK up; nothing is sent yet.

        :param began: when the run did, in nanoseconds since the epoch.
        :raises ValueError: and ImportError, OSError, RuntimeError: where the environment can't be met.
        """
        self._complaints = _Complaints()
        self._spans: _Spans | None = None
        self._numbers: _Numbers | None = None
        self._made = 0
        """Spans that are to be sent."""
        self._waits: list[threading.Thread] = []
        try:
            self._set_up(run_id)
        except BaseException:
            self._complaints.leave()
            raise
        self._tracer = self._tracers.get_tracer("auditor", __version__)
        self._run = self._tracer.start_span("auditor run", start_time=began)
        self._in_run = set_span_in_context(self._run)
        self._meters: MeterProvider | None = None

    def _set_up(self, run_id: str) -> None:
        own = Resource.create(
            {"service.name": "auditor", "service.version": __version__, "service.instance.id": run_id}
        )
        self._resource = own.merge(OTELResourceDetector().detect())
        self._tracers = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        if is_wanted(os.environ, METRICS):
            self._numbers = _Numbers()
        if is_wanted(os.environ, TRACES):
            self._spans = _Spans()
        if self._complaints.first:
            # What the SDK does not understand it passes over, and sends otherwise than was meant.
            raise ValueError(self._complaints.first)
        if self._spans is not None:
            self._tracers.add_span_processor(BatchSpanProcessor(self._spans))

    def span(  # noqa: PLR0913 -- what a span is made of
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        began: int,
        ended: int,
        *,
        failed: str | None = None,
        events: Iterable[Mapping[str, AttributeValue]] = (),
    ) -> None:
        """Send a span of the run that is over."""
        kind = SpanKind.PRODUCER if name == "deliver" else SpanKind.INTERNAL
        span = self._tracer.start_span(
            name, context=self._in_run, kind=kind, attributes=attributes, start_time=began
        )
        for event in events:
            span.add_event("target", event, timestamp=ended)
        self._end(span, ended, failed)

    def run(self, attributes: Mapping[str, AttributeValue], ended: int, *, failed: str | None) -> None:
        """Send the span of the run itself."""
        self._run.set_attributes(attributes)
        self._end(self._run, ended, failed)

    def numbers(self, measures: Iterable[Measure]) -> None:
        """Send these numbers at the end."""
        if self._numbers is None:
            return
        reader = PeriodicExportingMetricReader(self._numbers, export_interval_millis=_A_DAY)
        self._meters = MeterProvider([reader], self._resource, shutdown_on_exit=False)
        meter = self._meters.get_meter("auditor", __version__)
        for measure in measures:
            gauge = meter.create_gauge(measure.name, description=measure.text)
            for of, value in measure.samples.items():
                gauge.set(value, dict(zip(measure.labels, of, strict=True)))

    def end(self, within: float) -> Lost:
        """Wait until all was sent, for so many seconds at the most; say what was not."""
        until = time.monotonic() + within
        # Threads of ours as well, since the SDK's own shutting down takes no bound; they end with the process.
        ending = [self._tracers.shutdown] + ([self._meters.shutdown] if self._meters else [])
        self._waits = [threading.Thread(target=each, daemon=True) for each in ending]
        for thread in self._waits:
            thread.start()
        for thread in self._waits:
            thread.join(max(until - time.monotonic(), 0))
        spans = self._made - (self._spans.taken if self._spans else self._made)
        numbers = self._numbers is not None and not self._numbers.taken
        return Lost(spans, numbers, self._complaints.first or f"no answer within {within:g} s")

    def let_go(self) -> None:
        """Send no more; whatever of the SDK is still at it ends by itself."""
        for exporter in (self._spans, self._numbers):
            if exporter is not None:
                exporter.shutdown()
        threading.Thread(target=self._close, daemon=True).start()

    def _close(self) -> None:
        self._tracers.shutdown()
        for thread in self._waits:
            thread.join()
        self._complaints.leave()

    def _end(self, span: Span, ended: int, failed: str | None) -> None:
        if failed is not None:
            span.set_status(Status(StatusCode.ERROR, failed))
        self._made += span.get_span_context().trace_flags.sampled
        span.end(ended)
