"""Prometheus: a run's numbers in the text exposition format, for the textfile collector of node_exporter.

All are gauges: a run's file stands for that run, and takes the place of the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.measuring import Measuring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from auditor.formats.measuring import Measure
    from auditor.formats.start import RunStart
    from auditor.model import Finding


class OutputFormat(Format):
    """A run's numbers for Prometheus, by the textfile collector of node_exporter."""

    file_name = "auditor.prom"
    tells_of_delivery = True

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._measuring = Measuring(start)

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Count them; the numbers are known at the end."""
        self._measuring.see(findings)
        return b""

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield all of it."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 -- it takes 40 ms
        from prometheus_client.registry import Collector  # noqa: PLC0415 -- as above

        metrics = [_gauge(each) for each in self._measuring.measures(coverage, run)]

        class Metrics(Collector):
            """What is given to the library to write."""

            def collect(self) -> Iterable[Metric]:
                return metrics

        registry = CollectorRegistry()
        registry.register(Metrics())
        yield generate_latest(registry)


def _gauge(measure: Measure) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 -- as above

    gauge = GaugeMetricFamily(measure.name, measure.text, labels=measure.labels)
    for of, number in measure.samples.items():
        gauge.add_metric(of, number)
    return gauge
