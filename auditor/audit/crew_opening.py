"""The crew of a run, opened where more than this process is to audit."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor import __version__
from auditor.audit.carrying import Job, Versions
from auditor.audit.crew_asked import is_shared_out, scheduler_of
from auditor.audit.worker_logs import level_of
from auditor.aws.sources import SOURCES
from auditor.errors import UsageError, WorkerLost
from auditor.history import judged_by
from auditor.policies import sources_of

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from auditor.audit.crew import Crew
    from auditor.audit.preparing import Run
    from auditor.audit.stopping import Stopping
    from auditor.inventory import Plan

log = structlog.get_logger()

_DISMISS = 1.0
"""Seconds that workers may take to let go of the run: it is over by then, whatever they do."""


async def open_crew(run: Run, plan: Plan, stopping: Stopping, stack: AsyncExitStack) -> Crew | None:
    """Make the workers ready that were asked for; None where this process audits.

    :param stack: lets them go.
    :raises UsageError: where they can't be had, or one of them would judge otherwise.
    """
    if not is_shared_out(run.options):
        return None
    is_first = "distributed" not in sys.modules
    from auditor.audit.crew import Crew  # noqa: PLC0415 -- what most runs do without
    from auditor.audit.dask_workers import quieten, remote_workers  # noqa: PLC0415 -- an extra
    from auditor.audit.local_workers import local_workers  # noqa: PLC0415 -- as above

    if is_first:
        quieten()  # else the program uses Dask itself, and says what it wants to hear of it
    # With fewer requests in flight than workers, some of them would have nothing to do.
    most = min(run.options.workers, run.concurrency)
    dask = run.options.dask
    opening = local_workers(most, run.id) if dask is None else remote_workers(scheduler_of(dask), run.id)
    workers = await stack.enter_async_context(opening)
    try:
        if dask is not None:
            most = max(1, min(len(await workers.present()), run.concurrency))
        crew = Crew(workers, _job(run, plan, stopping, most), _versions(run), most)
        stack.push_async_callback(_dismiss, crew)
        with anyio.move_on_at(run.ends_at):
            await crew.enlist()
    except WorkerLost as lost:
        raise UsageError(f"{workers.where}: {lost} any more") from lost
    return crew


async def _dismiss(crew: Crew) -> None:
    with anyio.move_on_after(_DISMISS, shield=True):
        await crew.dismiss()


def _job(run: Run, plan: Plan, stopping: Stopping, workers: int) -> Job:
    each = math.floor(run.concurrency / workers)
    return Job(
        run_id=run.id,
        now=run.now,
        policies=dict(plan.policies),
        own_accounts=plan.own_accounts,
        services=frozenset(SOURCES[source].service for source in sources_of(run.entries, run.policies)),
        concurrency=each,
        request_timeout=run.request_timeout,
        allow_http=run.options.allow_http,
        ends_in=run.ends_at - anyio.current_time(),
        deadline=stopping.over,
        log_level=level_of(log),
        wants_identities=run.config.history is not None,
        secrets=run.config.shared_external_ids,
    )


def _versions(run: Run) -> Versions:
    judged = judged_by(run.entries, run.policies)
    return Versions(__version__, {name: each.digest for name, each in judged.items()})
