"""What runs in a worker: shards audited by the pipeline's own place by place, with clients that stay open between them.

It runs in the event loop of Dask's worker. A worker keeps its clients and roles from shard to shard, so that
connections are used again and no role is assumed twice; it lets go of them as the run ends, or at its deadline.
"""

from __future__ import annotations

import asyncio
import gc
import traceback
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor import __version__
from auditor.audit.asking import AskingAWS
from auditor.audit.carrying import (
    Bug,
    Enlisted,
    NotEnlisted,
    PlaceTold,
    Sealed,
    ShardTold,
    Versions,
    finding_rows,
    outcome_row,
)
from auditor.audit.findings import FindingMaker
from auditor.audit.place import PlaceAudit, PlaceEnd
from auditor.audit.places import audit_places
from auditor.audit.reading import internal_error
from auditor.audit.tally import Counts
from auditor.audit.worker_logs import WorkerLogs
from auditor.aws.clients import open_clients
from auditor.aws.opt_in import EnabledRegions
from auditor.aws.pacing import Paces
from auditor.aws.paging import WasRead
from auditor.aws.roles import Roles
from auditor.coverage import verdict_of
from auditor.errors import UsageError
from auditor.history import judged_by
from auditor.policies import Panel, actions_of, catalogue_of
from auditor.telemetry import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.audit.carrying import Job
    from auditor.audit.shards import Shard
    from auditor.audit.telling import Told
    from auditor.aws.slots import Slot
    from auditor.model import Failure, Finding, Outcome, Place, Target, Verdict

    Answer = ShardTold | NotEnlisted | Bug
    """What comes of a shard."""

log = structlog.get_logger()

_COLLECT_AFTER = 200_000
"""Objects made before the garbage collector looks, as in `auditor run` itself."""

_LINGERS = 60.0
"""Seconds after the deadline in which a coordinator that is alive lets its workers go."""

_enlisted: dict[str, _Worker] = {}
"""What this process works at, by the run's id."""


def _versions_of(job: Job) -> Versions:
    """Return what this process would judge by."""
    settings = job.policies
    judged = judged_by(catalogue_of(settings), settings)
    return Versions(__version__, {name: each.digest for name, each in judged.items()})


async def enlist(sealed: Sealed[Job]) -> Enlisted:
    """Make ready for the shards of a run."""
    job = sealed.open()
    versions = _versions_of(job)
    worker = _Worker(job)
    try:
        await worker.open()
    except UsageError as error:
        return Enlisted(versions, refused=str(error))
    _enlisted[job.run_id] = worker
    return Enlisted(versions)


async def is_enlisted(run_id: str) -> bool:
    """Say whether this process is ready for the shards of a run."""
    return run_id in _enlisted


async def audit_shard(run_id: str, sealed: Sealed[Shard], ends_in: float) -> Sealed[Answer]:
    """Audit a shard of a run that this worker was enlisted for.

    :param ends_in: seconds to the run's deadline.
    """
    worker = _enlisted.get(run_id)
    if worker is None:
        return Sealed.of(NotEnlisted())
    try:
        return Sealed.of(await worker.audit(sealed.open(), ends_in))
    except Exception as error:  # noqa: BLE001 -- it is told to the coordinator, and Dask would show the arguments
        return Sealed.of(Bug(type(error).__name__, "".join(traceback.format_exception(error))))


async def stop(run_id: str, why: Sealed[Failure]) -> None:
    """End what is being audited for a run: its shards come back with what they have."""
    if worker := _enlisted.get(run_id):
        worker.stop(why.open())


async def dismiss(run_id: str) -> None:
    """Let go of all that was held for a run."""
    if worker := _enlisted.pop(run_id, None):
        await worker.close()


class _Worker:
    """What one worker process holds for one run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stack = AsyncExitStack()
        self._logs = WorkerLogs(job.log_level)
        self._scopes: set[anyio.CancelScope] = set()
        self._why = job.deadline
        self._stopped = False
        self._in_flight = anyio.Semaphore(job.concurrency, fast_acquire=True)
        self._audit: Callable[[_Notes], PlaceAudit]
        self._closing: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the clients.

        :raises UsageError: where there are no base credentials, or the environment can't be used.
        """
        job, stack = self._job, self._stack
        entries = catalogue_of(job.policies)
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(_COLLECT_AFTER)
        stack.enter_context(self._logs)
        try:
            clients = await stack.enter_async_context(
                open_clients(
                    concurrency=job.concurrency,
                    services=job.services,
                    secrets=job.secrets,
                    request_timeout=job.request_timeout,
                    allow_http=job.allow_http,
                    give_up_at=anyio.current_time() + job.ends_in,
                )
            )
        except BaseException:  # a cancellation too: the loggers were set up, and nobody else undoes that
            await stack.aclose()
            raise
        # A coordinator that was killed lets nobody go: its credentials must not stay in memory for that.
        timer = asyncio.get_running_loop().call_later(job.ends_in + _LINGERS, self._expire)
        stack.callback(timer.cancel)
        paces = Paces()  # of this worker: an account is never with two at once, but after a worker was lost
        readers = AskingAWS(
            clients,
            Roles(clients, job.request_timeout, actions_of(entries, job.policies), paces),
            EnabledRegions(clients, job.request_timeout, paces),
            paces,
            job.request_timeout,
        )
        panel = Panel(entries, job.policies, job.now, job.own_accounts)
        gc.freeze()  # what is loaded by now stays as long as the run
        stack.callback(gc.unfreeze)
        maker = FindingMaker(job.run_id, job.now, entries, job.policies)
        self._audit = lambda notes: PlaceAudit(
            readers=readers,
            panel=panel,
            maker=maker,
            ledger=notes,
            tally=notes,
            tell=notes.tell,
            why_stopped=lambda: self._why,
        )

    async def audit(self, shard: Shard, ends_in: float) -> ShardTold:
        """Audit the places of a shard, as far as there is time for them."""
        places: list[PlaceTold] = []
        numbers = {id(place): at for at, place in enumerate(shard.places)}

        async def one(place: Place, slot: Slot) -> None:
            notes, began = _Notes(), now()
            try:
                await self._audit(notes).audit(place, slot)
            finally:
                places.append(notes.told(place, numbers[id(place)], began, self._job))

        with anyio.CancelScope(deadline=anyio.current_time() + ends_in) as scope:
            self._scopes.add(scope)
            if self._stopped:
                scope.cancel()
            try:
                await audit_places(shard.places, one, self._in_flight, self._job.concurrency)
            finally:
                self._scopes.discard(scope)
        return ShardTold(places, self._logs.taken())

    def stop(self, why: Failure) -> None:
        """End what is being audited."""
        self._why, self._stopped = why, True
        for scope in self._scopes:
            scope.cancel()

    async def close(self) -> None:
        """Close the clients."""
        await self._stack.aclose()

    def _expire(self) -> None:
        self._closing = asyncio.ensure_future(dismiss(self._job.run_id))


class _Notes:
    """What is noted of one place while it is audited, in place of the run's books."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._counts = Counts()
        self._findings: list[Finding] = []
        self._end: PlaceEnd | None = None

    def settle(self, target: Target, outcome: Outcome, failure: Failure | None) -> Verdict:
        """Note how a target ended."""
        outcome.failure = failure
        self._outcomes[target.source] = outcome
        return verdict_of(outcome, failure)

    def add(self, others: Counts) -> None:
        """Note what was counted."""
        self._counts.add(others)

    async def tell(self, told: Told) -> None:
        """Note findings, or that it has ended."""
        if isinstance(told, PlaceEnd):
            self._end = told
        else:
            self._findings += told

    def told(self, place: Place, at: int, began: int, job: Job) -> PlaceTold:
        """Return it as it travels."""
        try:
            findings = finding_rows(self._findings)
        except Exception as error:  # noqa: BLE001 -- what can't be told of one place must not hide the others
            findings = ()
            target, *_ = place.targets
            failure = internal_error(target, error)
            for outcome in self._outcomes.values():
                outcome.failure = failure
        was_read = self._end.was_read if self._end is not None and job.wants_identities else None
        return PlaceTold(
            at,
            tuple(outcome_row(self._outcomes[source]) for source in place.sources),
            self._counts,
            findings,
            self._end is not None,
            WasRead(frozenset(was_read.seen)) if isinstance(was_read, WasRead) else None,
            began,
            now(),
        )
