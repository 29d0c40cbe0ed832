"""The pipeline: the one module that starts tasks.

::

    plan ── a slot for each target ──> audit the target ── findings ──> writer
                                            └── verdict ──> ledger

Targets are started in the order of the plan, each when a slot is free, and hold their slot from page to page, so
that what was begun ends before something new begins. A target that waits for a retry gives its slot up.
"""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from botocore import __version__ as botocore_version

from auditor.audit.findings import FindingMaker
from auditor.audit.folder import choose_folder, made_folder, new_run_id
from auditor.audit.options import Observer, Progress, RunOptions
from auditor.audit.organization import find_accounts
from auditor.audit.record import Condition, Exit, Result, conditions, run_record
from auditor.audit.tally import Tally
from auditor.audit.target import TargetAudit
from auditor.audit.writing import Writer, check_formats
from auditor.aws.clients import open_clients
from auditor.aws.identity import caller_arn
from auditor.aws.regions import lightsail_regions
from auditor.aws.roles import Roles
from auditor.aws.slots import Slot
from auditor.coverage import Ledger
from auditor.errors import InterruptedRun, LedgerError
from auditor.inventory import check_filters, make_plan
from auditor.model import Failure, Outcome, Reason, rfc3339
from auditor.policies import Panel, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anyio.abc import TaskStatus
    from anyio.streams.memory import MemoryObjectSendStream

    from auditor.audit.writing import Patience
    from auditor.aws.clients import Clients
    from auditor.config import Config
    from auditor.inventory import Plan
    from auditor.model import Finding, Target

log = structlog.get_logger()

_OPEN_FOR_EACH = 8
"""Targets begun at once for each request in flight: the others of them wait for a retry or a role."""
_OPEN_TARGETS = 256
"""How many may be begun at once at the least, lest a throttled account hold up the others where few may be asked."""
_LAST_WORDS = 1.5
"""Seconds that outputs may take once the run is to end."""


async def audit(
    config: Config, options: RunOptions | None = None, observer: Observer | None = None
) -> Result:
    """Audit what the configuration names, and return what came of it; its files are written by then.

    :raises UsageError: where the run can't be begun as asked; nothing is written then.
    """
    with _one_exception():
        return await _Run(config, options or RunOptions(), observer or Observer()).run()


@contextmanager
def _one_exception() -> Iterator[None]:
    """Let no ExceptionGroup out: the first of its exceptions stands for it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


class _Run:
    """One run, from its plan to its record."""

    def __init__(self, config: Config, options: RunOptions, observer: Observer) -> None:
        self._config = config
        self._options = options
        self._observer = observer
        self._concurrency = options.concurrency or config.limits.concurrency
        self._deadline = options.deadline or config.limits.deadline
        self._timeout = config.limits.request_timeout.total_seconds()
        self._now = datetime.now(UTC)
        self._run_id = new_run_id(self._now)
        self._work = anyio.CancelScope()
        self._preparing = anyio.CancelScope()
        self._patience: Patience | None = None
        self._places = anyio.Semaphore(self._concurrency, fast_acquire=True)
        self._tally = Tally()
        self._stopped_by: Exit | None = None

    async def run(self) -> Result:
        self._started = anyio.current_time()
        self._work.deadline = self._started + self._deadline.total_seconds()
        # Where an organisation says which accounts there are, the rest is looked at all the same before the first call.
        of_organization = self._config.organization is not None
        (check_filters if of_organization else make_plan)(
            self._config, self._options.filters, lightsail_regions()
        )
        folder = choose_folder(self._options.folder, self._run_id)
        check_formats(self._options.formats, folder, self._config.path)
        async with anyio.create_task_group() as around:
            if self._options.handle_signals:
                await around.start(self._watch_signals)
            async with AsyncExitStack() as stack:
                with self._preparing:
                    clients = await stack.enter_async_context(
                        open_clients(
                            concurrency=self._concurrency,
                            request_timeout=self._timeout,
                            allow_http=self._options.allow_http,
                            give_up_at=self._work.deadline,
                            organization=of_organization,
                        )
                    )
                    caller = await self._caller(clients)
                    plan = await self._plan(clients, caller)
                if self._stopped_by is not None:
                    raise InterruptedRun(int(self._stopped_by))
                self._ledger = Ledger(plan.targets)
                with made_folder(folder):
                    writer = stack.enter_context(Writer(folder, self._options.formats))
                self._patience = writer.patience
                self._patience.ends_by(self._work.deadline + _LAST_WORDS)
                if self._observer.interval is not None:
                    around.start_soon(self._tell_progress, self._observer.interval)
                await self._audit_all(plan, clients, writer)
                result = await self._finish(plan, writer, caller, clients.endpoint_overrides)
            around.cancel_scope.cancel()
        return result

    async def _caller(self, clients: Clients) -> str | None:
        for service, url in clients.endpoint_overrides.items():
            log.warning("calls do not go to AWS", service=service, endpoint=url)
        with anyio.move_on_at(self._work.deadline):
            async with Slot(self._places) as slot:
                return await caller_arn(clients, slot, self._timeout)
        return None

    async def _plan(self, clients: Clients, caller: str | None) -> Plan:
        inventory = await find_accounts(
            self._config,
            clients,
            caller=caller,
            places=self._places,
            request_timeout=self._timeout,
            give_up_at=self._work.deadline,
        )
        return make_plan(self._config, self._options.filters, lightsail_regions(), inventory)

    async def _audit_all(self, plan: Plan, clients: Clients, writer: Writer) -> None:
        send, receive = anyio.create_memory_object_stream[list["Finding"]](self._concurrency)
        entries = catalogue()
        audit = TargetAudit(
            clients=clients,
            roles=Roles(clients, self._timeout),
            panel=Panel(entries, plan.policies, self._now, plan.own_accounts),
            maker=FindingMaker(self._run_id, self._now, entries, plan.policies),
            ledger=self._ledger,
            tally=self._tally,
            request_timeout=self._timeout,
            emit=lambda findings: _emit(send, findings),
            why_stopped=self._why_stopped,
        )
        for target, failure in plan.settled.items():
            self._ledger.settle(target, Outcome(), failure)
        to_read = [target for target in plan.targets if target not in plan.settled]
        self._observer.ready()
        async with anyio.create_task_group() as writing:
            writing.start_soon(writer.serve, receive)
            async with send:
                await self._start_targets(to_read, audit)
        if self._work.cancel_called:
            self._ledger.settle_the_rest(self._why_stopped())

    async def _start_targets(self, targets: Sequence[Target], audit: TargetAudit) -> None:
        most = max(_OPEN_TARGETS, _OPEN_FOR_EACH * self._concurrency)
        opened = anyio.Semaphore(most, fast_acquire=True)

        async def one(target: Target, slot: Slot) -> None:
            try:
                await audit.audit(target, slot)
            finally:
                slot.release()
                opened.release()

        with self._work:
            async with anyio.create_task_group() as group:
                for target in targets:
                    await opened.acquire()
                    slot = Slot(self._places)
                    await slot.acquire()
                    group.start_soon(one, target, slot)

    async def _watch_signals(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                self._stopped_by = Exit.SIGINT if number == signal.SIGINT else Exit.SIGTERM
                log.warning("interrupted; keeping what was done", signal=self._stopped_by.name)
                self._preparing.cancel()
                self._work.cancel()
                if self._patience is not None:
                    self._patience.ends_by(anyio.current_time() + _LAST_WORDS)

    async def _tell_progress(self, interval: float) -> None:
        while True:
            self._observer.progress(self._progress())
            await anyio.sleep(interval)

    def _progress(self) -> Progress:
        return Progress(
            done=self._ledger.settled,
            planned=self._ledger.planned,
            findings=self._tally.findings,
            requests=self._ledger.requests,
            elapsed_s=anyio.current_time() - self._started,
        )

    def _why_stopped(self) -> Failure:
        if self._stopped_by is not None:
            return Failure(Reason.INTERRUPTED, None, f"the run was ended by {self._stopped_by.name}")
        return Failure(Reason.DEADLINE, None, f"the run's deadline of {self._deadline} was over")

    async def _finish(
        self, plan: Plan, writer: Writer, caller: str | None, endpoint_overrides: dict[str, str]
    ) -> Result:
        await writer.end(self._ledger, self._record(plan, writer, caller, endpoint_overrides)[0])
        record, held = self._record(plan, writer, caller, endpoint_overrides)
        await writer.run_record(record)
        record, held = self._record(plan, writer, caller, endpoint_overrides)
        return Result(writer.folder, record, held, self._tally.by_kind, self._ledger, writer.patience.ran_out)

    def _record(
        self, plan: Plan, writer: Writer, caller: str | None, endpoint_overrides: dict[str, str]
    ) -> tuple[dict[str, Any], list[Condition]]:
        """Return run.json, and what decides the exit, as they stand now."""
        ledger_error: str | None = None
        try:
            self._ledger.check()
        except LedgerError as error:
            ledger_error = str(error)
        held = conditions(
            options=self._options,
            ledger=self._ledger,
            tally=self._tally,
            ledger_error=ledger_error,
            stopped_by=self._stopped_by,
            write_errors=writer.errors,
        )
        record = run_record(
            run_id=self._run_id,
            started_at=rfc3339(self._now),
            finished_at=rfc3339(datetime.now(UTC)),
            botocore_version=botocore_version,
            policies={policy_id: catalogue()[policy_id].version for policy_id in plan.policies},
            config_digest=self._config.digest,
            caller_arn=caller,
            endpoint_overrides=endpoint_overrides,
            scope=plan.scope,
            ledger=self._ledger,
            tally=self._tally,
            held=held,
        )
        return record, held


async def _emit(send: MemoryObjectSendStream[list[Finding]], findings: list[Finding]) -> None:
    """Hand findings to the writer, even as the run is cut off: what was found in time is found.

    The writer takes them soon: it gives up on an output that does not.
    """
    try:
        send.send_nowait(findings)  # which costs no turn of the event loop, as send does
    except anyio.WouldBlock:
        with anyio.CancelScope(shield=True):
            await send.send(findings)
