"""What a run is measured by: the one list of its numbers, whoever writes them.

No label names an account, a Region or a resource, so that the number of series does not grow with what is audited.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from auditor.formats.text import one_line
from auditor.model import Reason, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.model import Finding

_MOST_POLICIES = 200
"""Policies that are told apart: a history may know many that are no more."""
_OTHERS = "(others)"
_LABEL = 200
"""Bytes of a label's value."""
_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_FALSE, _TRUE = "false", "true"

Samples: TypeAlias = "Mapping[tuple[str, ...], float]"
"""Numbers by the values of their labels."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One gauge: it stands for the run, and the next run's takes its place."""

    name: str
    text: str
    samples: Samples
    labels: tuple[str, ...] = ()


class Measuring:
    """Counts the findings of one run as they come, and tells all of its numbers at its end."""

    def __init__(self, start: RunStart) -> None:
        self._start = start
        self._policies = set(start.policies)
        self._found: Counter[tuple[str, ...]] = Counter()
        """By policy, severity, status, and whether it is waived."""

    def see(self, findings: Sequence[Finding]) -> None:
        """Count these findings."""
        for finding in findings:
            waived = _FALSE if finding.waiver is None else _TRUE
            self._found[self._policy(finding.policy), finding.severity, finding.status, waived] += 1

    def measures(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[Measure]:
        """Yield all numbers of the run.

        :param coverage: the coverage lines.
        :param run: run.json.
        """
        yield self._of_findings(run)
        yield from self._of_targets(coverage, run)
        yield from _of_delivery(run["deliveries"])
        yield from _of_run(self._start, run)

    def _policy(self, policy: str) -> str:
        name = one_line(policy, _LABEL)
        if name not in self._policies:
            if len(self._policies) >= _MOST_POLICIES:
                return _OTHERS
            self._policies.add(name)
        return name

    def _of_findings(self, run: Mapping[str, Any]) -> Measure:
        tracked = [status for status in Status if status is not Status.UNTRACKED]
        statuses = [Status.UNTRACKED] if run["history"] is None else tracked
        # Zeros too: a series that is not there answers no query, and sets off no alert.
        nothing: Samples = {
            (policy.id, policy.severity.value, status.value, _FALSE): 0
            for policy in self._start.policies.values()
            for status in statuses
        }
        return Measure(
            "auditor_findings",
            "Findings, those that are resolved included.",
            {**nothing, **self._found},
            ("policy", "severity", "status", "waived"),
        )

    def _of_targets(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[Measure]:
        gaps: Counter[tuple[str, ...]] = Counter()
        unjudged: Counter[tuple[str, ...]] = Counter()
        retries = throttles = throttled = 0
        for line in coverage:
            retries += line["retries"]
            throttles += line["throttles"]
            if line["verdict"] in _UNREAD:
                gaps[str(line["reason"]), _FALSE if line["accepted"] is None else _TRUE] += 1
                throttled += line["reason"] == Reason.THROTTLED
            for policy, records in line["unjudged"].items():
                unjudged[self._policy(policy),] += records
        totals = run["totals"]
        verdicts: Samples = {(verdict.value,): totals["targets"][verdict] for verdict in Verdict}
        yield Measure("auditor_targets", "Targets planned, by how they ended.", verdicts, ("verdict",))
        yield Measure(
            "auditor_gaps",
            "Targets that were not read to their end, by the reason.",
            {**dict.fromkeys(((reason.value, _FALSE) for reason in Reason), 0), **gaps},
            ("reason", "accepted"),
        )
        yield _one(
            "auditor_throttled_targets", "Targets that AWS throttled to the end of the retries.", throttled
        )
        yield _one("auditor_requests", "Calls to AWS for targets, retries included.", totals["requests"])
        yield _one("auditor_retries", "Calls to AWS that were made again.", retries)
        yield _one("auditor_throttles", "Calls to AWS that it answered by asking for fewer.", throttles)
        yield _one("auditor_records", "Export snapshot records read.", totals["records"])
        yield _one(
            "auditor_unjudged_records",
            "Records that at least one policy could not judge.",
            totals["unjudged"]["records"],
        )
        yield Measure(
            "auditor_policy_unjudged_records",
            "Records that a policy could not judge.",
            {**dict.fromkeys(((policy,) for policy in self._start.policies), 0), **unjudged},
            ("policy",),
        )


_OF_DESTINATIONS = {
    "taken": ("auditor_delivered_events", "Events that a destination has taken."),
    "refused": ("auditor_refused_events", "Events that a destination has refused for good."),
    "left": ("auditor_undelivered_events", "Events that wait for a destination."),
    "lag_max_s": (
        "auditor_delivery_lag_max_seconds",
        "The longest from the start of the run that told of an event to when it was taken.",
    ),
    "lag_mean_s": ("auditor_delivery_lag_mean_seconds", "The same, on the average."),
}


def _of_delivery(deliveries: Iterable[Mapping[str, Any]]) -> Iterator[Measure]:
    each_of = list(deliveries)
    for field, (name, text) in _OF_DESTINATIONS.items():
        # What is not known is no number: no lag where nothing was taken, say.
        told = {(one_line(each["destination"], _LABEL),): each[field] for each in each_of}
        yield Measure(
            name, text, {of: value for of, value in told.items() if value is not None}, ("destination",)
        )


def _of_run(start: RunStart, run: Mapping[str, Any]) -> Iterator[Measure]:
    began, ended = (datetime.fromisoformat(run[key]).timestamp() for key in ("started_at", "finished_at"))
    yield _one(
        "auditor_coverage_percent", "Targets complete of all but the skipped.", run["coverage_percent"]
    )
    yield _one(
        "auditor_coverage_after_accepted_percent",
        "The same, accepted gaps left out.",
        run["coverage_percent_after_accepted"],
    )
    yield _one("auditor_run_duration_seconds", "How long the run took.", ended - began)
    yield _one("auditor_run_finished_timestamp_seconds", "When the run ended.", ended)
    yield _one("auditor_run_exit_code", "The exit code as it stood when this was written.", run["exit_code"])
    yield _one(
        "auditor_run_subset",
        "1 where filters confined the run, and nothing is known of the rest.",
        int(start.is_subset),
    )
    version = (one_line(start.auditor_version, _LABEL),)
    yield Measure("auditor_info", "The auditor itself.", {version: 1}, ("version",))


def _one(name: str, text: str, value: float) -> Measure:
    return Measure(name, text, {(): value})
