"""Prometheus: a run's numbers in the text exposition format, for the textfile collector of node_exporter.

All are gauges: a run's file stands for that run, and takes the place of the one before. No label names an account,
a Region or a resource, so that the number of series does not grow with what is audited.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from auditor.formats.contract import Format
from auditor.formats.text import one_line
from auditor.model import Reason, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from auditor.formats.start import RunStart
    from auditor.model import Finding

_MOST_POLICIES = 200
"""Policies that are told apart: a history may know many that are no more."""
_OTHERS = "(others)"
_LABEL = 200
"""Bytes of a label's value."""
_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_FALSE, _TRUE = "false", "true"

_Samples: TypeAlias = "Mapping[tuple[str, ...], float]"
"""Numbers by the values of their labels."""


class OutputFormat(Format):
    """A run's numbers for Prometheus, by the textfile collector of node_exporter."""

    file_name = "auditor.prom"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._policies = set(start.policies)
        self._found: Counter[tuple[str, ...]] = Counter()
        """By policy, severity, status, and whether it is waived."""

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Count them; the numbers are known at the end."""
        for finding in findings:
            waived = _FALSE if finding.waiver is None else _TRUE
            self._found[self._policy(finding.policy), finding.severity, finding.status, waived] += 1
        return b""

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield all of it."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 -- it takes 40 ms
        from prometheus_client.registry import Collector  # noqa: PLC0415 -- as above

        metrics = [*self._of_findings(run), *self._of_targets(coverage, run), *_of_run(self.start, run)]

        class Metrics(Collector):
            """What is given to the library to write."""

            def collect(self) -> Iterable[Metric]:
                return metrics

        registry = CollectorRegistry()
        registry.register(Metrics())
        yield generate_latest(registry)

    def _policy(self, policy: str) -> str:
        name = one_line(policy, _LABEL)
        if name not in self._policies:
            if len(self._policies) >= _MOST_POLICIES:
                return _OTHERS
            self._policies.add(name)
        return name

    def _of_findings(self, run: Mapping[str, Any]) -> Iterator[Metric]:
        tracked = [status for status in Status if status is not Status.UNTRACKED]
        statuses = [Status.UNTRACKED] if run["history"] is None else tracked
        # Zeros too: a series that is not there answers no query, and sets off no alert.
        nothing: _Samples = {
            (policy.id, policy.severity.value, status.value, _FALSE): 0
            for policy in self.start.policies.values()
            for status in statuses
        }
        yield _gauge(
            "auditor_findings",
            "Findings, those that are resolved included.",
            {**nothing, **self._found},
            ("policy", "severity", "status", "waived"),
        )

    def _of_targets(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[Metric]:
        gaps: Counter[tuple[str, ...]] = Counter()
        unjudged: Counter[tuple[str, ...]] = Counter()
        retries = throttled = 0
        for line in coverage:
            retries += line["retries"]
            if line["verdict"] in _UNREAD:
                gaps[str(line["reason"]), _FALSE if line["accepted"] is None else _TRUE] += 1
                throttled += line["reason"] == Reason.THROTTLED
            for policy, records in line["unjudged"].items():
                unjudged[self._policy(policy),] += records
        totals = run["totals"]
        verdicts: _Samples = {(verdict.value,): totals["targets"][verdict] for verdict in Verdict}
        yield _gauge("auditor_targets", "Targets planned, by how they ended.", verdicts, ("verdict",))
        yield _gauge(
            "auditor_gaps",
            "Targets that were not read to their end, by the reason.",
            {**dict.fromkeys(((reason.value, _FALSE) for reason in Reason), 0), **gaps},
            ("reason", "accepted"),
        )
        yield _gauge(
            "auditor_throttled_targets", "Targets that AWS throttled to the end of the retries.", throttled
        )
        yield _gauge("auditor_requests", "Calls to AWS for targets, retries included.", totals["requests"])
        yield _gauge("auditor_retries", "Calls to AWS that were made again.", retries)
        yield _gauge("auditor_records", "Export snapshot records read.", totals["records"])
        yield _gauge(
            "auditor_unjudged_records",
            "Records that at least one policy could not judge.",
            totals["unjudged"]["records"],
        )
        yield _gauge(
            "auditor_policy_unjudged_records",
            "Records that a policy could not judge.",
            {**dict.fromkeys(((policy,) for policy in self.start.policies), 0), **unjudged},
            ("policy",),
        )


def _of_run(start: RunStart, run: Mapping[str, Any]) -> Iterator[Metric]:
    began, ended = (datetime.fromisoformat(run[key]).timestamp() for key in ("started_at", "finished_at"))
    yield _gauge(
        "auditor_coverage_percent", "Targets complete of all but the skipped.", run["coverage_percent"]
    )
    yield _gauge(
        "auditor_coverage_after_accepted_percent",
        "The same, accepted gaps left out.",
        run["coverage_percent_after_accepted"],
    )
    yield _gauge("auditor_run_duration_seconds", "How long the run took.", ended - began)
    yield _gauge("auditor_run_finished_timestamp_seconds", "When the run ended.", ended)
    yield _gauge(
        "auditor_run_exit_code", "The exit code as it stood when this was written.", run["exit_code"]
    )
    yield _gauge(
        "auditor_run_subset",
        "1 where filters confined the run, and nothing is known of the rest.",
        start.is_subset,
    )
    version = (one_line(start.auditor_version, _LABEL),)
    yield _gauge("auditor_info", "The auditor itself.", {version: 1}, ("version",))


def _gauge(name: str, text: str, value: float | _Samples, labels: Sequence[str] = ()) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 -- as above

    gauge = GaugeMetricFamily(name, text, labels=labels)
    samples = {(): value} if isinstance(value, (int, float)) else value
    for of, number in samples.items():
        gauge.add_metric(of, number)
    return gauge
