"""A run's trace and numbers, through the SDK of OpenTelemetry, whose threads send them while the run goes on.

A span for the run; in it one for each account and Region that was audited, with an event for each of its targets that
is not complete; and one for each destination.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from auditor.errors import UsageError
from auditor.formats.measuring import Measuring
from auditor.model import Verdict, shown
from auditor.telemetry.environment import hidden, is_disabled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.util.types import AttributeValue

    from auditor.delivery import Report
    from auditor.formats import RunStart
    from auditor.model import Finding, Outcome, Place
    from auditor.telemetry.sending import Sender

log = structlog.get_logger()

_WITHIN = 2.0
"""Seconds that a run waits at its end for what is still to be sent."""
_LONGEST_TEXT = 300
"""Characters of AWS's own words."""
_NANO = 1_000_000_000
_GRAVEST = (Verdict.FAILED, Verdict.PARTIAL, Verdict.SKIPPED, Verdict.COMPLETE)
_GAPS = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_FAILED_FROM = 2
"""The exit code from which on a run is no success: findings, 1, are what it is for."""


def now() -> int:
    """Return the nanoseconds since the epoch, as spans have them."""
    return time.time_ns()


@contextmanager
def open_telemetry(start: RunStart, began: int) -> Iterator[Telemetry | None]:
    """Open what a run is told of by; None where the environment switches it off.

    :param began: when the run did, in nanoseconds since the epoch.
    :raises UsageError: where the SDK can't be set up as the environment says.
    """
    if is_disabled(os.environ):
        yield None
        return
    from auditor.telemetry.sending import Sender  # noqa: PLC0415 -- the SDK is an extra, and takes 0.2 s

    try:
        sender = Sender(start.run_id, began)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--otel: {shown(hidden(str(error), os.environ))}") from None
    try:
        yield Telemetry(start, sender)
    finally:
        sender.let_go()


class Telemetry:
    """Tells of one run. After a bug of its own it tells no more, and the run goes on."""

    def __init__(self, start: RunStart, sender: Sender) -> None:
        self._has_bug = False
        self._sender = sender
        self._measuring = Measuring(start)
        self._run_id = start.run_id

    def see(self, findings: Sequence[Finding]) -> None:
        """Count these findings."""
        self._safely(self._measuring.see, findings)

    def place(
        self, place: Place, began: int, outcomes: Mapping[str, Outcome], until: int | None = None
    ) -> None:
        """Tell of an account and Region that was audited.

        :param outcomes: of its targets, by source.
        :param until: when that ended; None is now.
        """
        if outcomes:  # or it was not planned: a breach that the ledger tells of
            self._safely(self._place, place, began, outcomes, now() if until is None else until)

    def _place(self, place: Place, began: int, outcomes: Mapping[str, Outcome], until: int) -> None:
        gravest = min(outcomes.values(), key=lambda each: _GRAVEST.index(each.verdict or Verdict.FAILED))
        attributes: dict[str, AttributeValue] = {
            "cloud.provider": "aws",
            "cloud.account.id": place.account.id,
            "cloud.region": place.region,
            "auditor.targets": len(outcomes),
            "auditor.verdict": str(gravest.verdict),
            **_why(gravest),
        }
        for name in ("pages", "records", "requests", "retries", "throttles"):
            attributes[f"auditor.{name}"] = sum(getattr(each, name) for each in outcomes.values())
        events = [
            {"auditor.source": source, "auditor.verdict": str(outcome.verdict), **_why(outcome)}
            for source, outcome in outcomes.items()
            if outcome.failure is not None
        ]
        failed = str(gravest.failure.reason) if gravest.verdict in _GAPS and gravest.failure else None
        self._sender.span("audit", attributes, began, until, failed=failed, events=events)

    def delivered(self, began: int, reports: Sequence[Report]) -> None:
        """Tell of what was sent to destinations, all of them from the same instant on."""
        self._safely(self._delivered, began, reports)

    def _delivered(self, began: int, reports: Sequence[Report]) -> None:
        for report in reports:
            told: dict[str, AttributeValue | None] = {
                "auditor.destination": report.destination,
                "auditor.events.taken": report.taken,
                "auditor.events.refused": report.refused,
                "auditor.events.left": report.left,
                "auditor.delivery.lag_max_s": report.lag_max_s,
            }
            attributes = {name: value for name, value in told.items() if value is not None}
            ended = began + int(report.duration_s * _NANO)
            failed = None if report.fault is None else "not all was delivered"
            self._sender.span("deliver", attributes, began, ended, failed=failed)

    def end(self, record: Mapping[str, Any], coverage: Iterable[Mapping[str, Any]]) -> None:
        """Tell of the run, and wait a short while until all was sent. It blocks.

        :param record: run.json.
        :param coverage: the coverage lines.
        """
        self._safely(self._end, record, coverage)

    def _end(self, record: Mapping[str, Any], coverage: Iterable[Mapping[str, Any]]) -> None:
        code = record["exit_code"]
        attributes: dict[str, AttributeValue] = {
            "auditor.run_id": self._run_id,
            "auditor.scope": record["scope"]["kind"],
            "auditor.exit_code": code,
            "auditor.coverage_percent": record["coverage_percent"],
            "auditor.targets": record["totals"]["targets"]["planned"],
            "auditor.findings": record["totals"]["findings"]["total"],
        }
        self._sender.run(attributes, now(), failed=f"exit {code}" if code >= _FAILED_FROM else None)
        self._sender.numbers(self._measuring.measures(coverage, record))
        lost = self._sender.end(_WITHIN)
        if lost.spans or lost.numbers:
            log.warning(
                "telemetry was not all taken; the run is whole all the same",
                lost_spans=lost.spans,
                metrics_lost=lost.numbers,
                why=shown(hidden(lost.why, os.environ))[:_LONGEST_TEXT],
            )

    def _safely(self, act: Callable[..., None], *arguments: Any) -> None:
        if self._has_bug:
            return
        try:
            act(*arguments)
        except Exception:  # a bug in what tells of a run must not end it; it is said, with its traceback
            self._has_bug = True
            log.exception("internal error: a bug of the auditor; telemetry tells no more of this run")


def _why(outcome: Outcome) -> dict[str, AttributeValue]:
    failure = outcome.failure
    if failure is None:
        return {}
    told = {
        "auditor.reason": str(failure.reason),
        "auditor.error_code": failure.error_code,
        "auditor.error_message": failure.error_message,
    }
    return {name: shown(value)[:_LONGEST_TEXT] for name, value in told.items() if value is not None}
