"""The least that a worker can be told of a run."""

from __future__ import annotations

from datetime import UTC, datetime

from auditor.audit.carrying import Job
from auditor.model import Failure, Reason


def job(ends_in: float) -> Job:
    """A run of no policies that ends in so many seconds."""
    return Job(
        run_id="run",
        now=datetime.now(UTC),
        policies={},
        own_accounts=frozenset(),
        services=frozenset(),
        concurrency=1,
        request_timeout=1,
        allow_http=False,
        ends_in=ends_in,
        deadline=Failure(Reason.DEADLINE),
        log_level=20,
        wants_identities=False,
        secrets=(),
    )
