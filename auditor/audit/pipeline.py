"""The pipeline: the one module that starts tasks.

::

    plan ── a slot for each place ──> audit the place ── findings ──> writer
                                            └── verdicts ──> ledger

A place is an account and a Region, with its targets. Places are started in the order of the plan, each when a slot
is free, and hold their slot from page to page, so that what was begun ends before something new begins. A place that
waits for a retry gives its slot up.
"""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from botocore import __version__ as botocore_version

from auditor.audit.findings import FindingMaker
from auditor.audit.folder import choose_folder, made_folder, new_run_id
from auditor.audit.hub import assume_hub
from auditor.audit.options import Observer, Progress, RunOptions
from auditor.audit.organization import find_accounts
from auditor.audit.place import PlaceAudit
from auditor.audit.record import Condition, Exit, Result, conditions, run_record
from auditor.audit.start import run_start
from auditor.audit.tally import Tally
from auditor.audit.writing import Writer, check_formats
from auditor.aws.clients import open_clients
from auditor.aws.identity import caller_arn
from auditor.aws.opt_in import EnabledRegions, published_regions
from auditor.aws.regions import lightsail_regions
from auditor.aws.roles import Roles
from auditor.aws.slots import Slot
from auditor.aws.sources import SOURCES
from auditor.coverage import Ledger
from auditor.errors import CallFailed, InterruptedRun, LedgerError
from auditor.inventory import check_filters, compared, make_plan, policies_of
from auditor.model import Failure, Outcome, Reason, rfc3339
from auditor.policies import Panel, actions_of, catalogue_of, sources_of
from auditor.waivers import AcceptedGaps, Looked, Waivers, log_report, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anyio.abc import TaskStatus
    from anyio.streams.memory import MemoryObjectSendStream

    from auditor.audit.writing import Patience
    from auditor.aws.clients import Clients
    from auditor.config import Config
    from auditor.formats import RunStart
    from auditor.inventory import Inventory, Plan
    from auditor.model import Finding, Place

log = structlog.get_logger()

_OPEN_FOR_EACH = 8
"""Places begun at once for each request in flight: the others of them wait for a retry or a role."""
_OPEN_PLACES = 256
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
        self._entries = catalogue_of(config.policies)
        self._policies = policies_of(config, options.filters)
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
        self._waivers = Waivers(config.waivers, self._now.date())
        self._accepted_gaps = AcceptedGaps(config.accepted_gaps, self._now.date())
        self._stopped_by: Exit | None = None
        self._published: frozenset[str] | None = None
        """The Regions that Lightsail says it has, where it was asked and answered."""

    async def run(self) -> Result:
        self._started = anyio.current_time()
        self._work.deadline = self._started + self._deadline.total_seconds()
        plan_of_list = self._checked()
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
                            services=self._services(),
                            secrets=self._config.shared_external_ids,
                            request_timeout=self._timeout,
                            allow_http=self._options.allow_http,
                            give_up_at=self._work.deadline,
                        )
                    )
                    caller = await self._caller(clients)
                    roles = Roles(clients, self._timeout, actions_of(self._entries, self._policies))
                    await self._hub(roles)
                    plan = plan_of_list or await self._plan(clients, roles, caller)
                if self._stopped_by is not None:
                    raise InterruptedRun(int(self._stopped_by))
                self._ledger = Ledger(plan.targets, self._accepted_gaps.accept)
                with made_folder(folder):
                    writer = stack.enter_context(Writer(folder, self._options.formats, self._start(plan)))
                self._patience = writer.patience
                self._patience.ends_by(self._work.deadline + _LAST_WORDS)
                if self._observer.interval is not None:
                    around.start_soon(self._tell_progress, self._observer.interval)
                await self._audit_all(plan, clients, roles, writer)
                result = await self._finish(plan, writer, caller, clients.endpoint_overrides)
            around.cancel_scope.cancel()
        return result

    def _start(self, plan: Plan) -> RunStart:
        return run_start(self._run_id, self._now, self._config, self._options.filters, plan.policies)

    async def _caller(self, clients: Clients) -> str | None:
        for service, url in clients.endpoint_overrides.items():
            log.warning("calls do not go to AWS", service=service, endpoint=url)
        with anyio.move_on_at(self._work.deadline):
            async with Slot(self._places) as slot:
                return await caller_arn(clients, slot, self._timeout)
        return None

    def _checked(self) -> Plan | None:
        """Look at all that can be looked at before the first call; where the list is all, that is the whole plan."""
        if self._config.organization is None:
            return self._planned()
        check_filters(self._config, self._options.filters, lightsail_regions())
        return None

    def _services(self) -> set[str]:
        services = {SOURCES[source].service for source in sources_of(self._entries, self._policies)}
        return services if self._config.organization is None else services | {"organizations"}

    def _planned(self, inventory: Inventory | None = None) -> Plan:
        return make_plan(
            self._config,
            self._options.filters,
            lightsail_regions(),
            partial(sources_of, self._entries),
            inventory,
        )

    async def _hub(self, roles: Roles) -> None:
        with anyio.move_on_at(self._work.deadline):
            async with Slot(self._places) as slot:
                await assume_hub(self._config.hub, roles, slot)

    async def _plan(self, clients: Clients, roles: Roles, caller: str | None) -> Plan:
        inventory = await find_accounts(
            self._config,
            clients,
            roles,
            caller=caller,
            places=self._places,
            request_timeout=self._timeout,
            give_up_at=self._work.deadline,
        )
        return self._planned(inventory)

    async def _audit_all(self, plan: Plan, clients: Clients, roles: Roles, writer: Writer) -> None:
        send, receive = anyio.create_memory_object_stream[list["Finding"]](self._concurrency)
        entries = catalogue_of(plan.policies)
        audit = PlaceAudit(
            clients=clients,
            roles=roles,
            enabled=EnabledRegions(clients, self._timeout),
            # Where the organisation could not be read, its accounts are not among one's own: public-export with
            # sharing: true, which alone looks at these, tells of them too, beside the gap that says why.
            panel=Panel(entries, plan.policies, self._now, plan.own_accounts),
            maker=FindingMaker(self._run_id, self._now, entries, plan.policies, self._waivers),
            ledger=self._ledger,
            tally=self._tally,
            request_timeout=self._timeout,
            emit=lambda findings: _emit(send, findings),
            why_stopped=self._why_stopped,
        )
        for target, failure in plan.settled.items():
            self._ledger.settle(target, Outcome(), failure)
        self._observer.ready()
        async with anyio.create_task_group() as writing:
            writing.start_soon(writer.serve, receive)
            async with send:
                with self._work:
                    await self._start_places(plan.places, audit)
                    self._published = await self._lightsails_word(clients, roles)
        if self._work.cancel_called:
            self._ledger.settle_the_rest(self._why_stopped())

    async def _lightsails_word(self, clients: Clients, roles: Roles) -> frozenset[str] | None:
        """Return the Regions that Lightsail says it has, asked as the first account that could be read."""
        account = next(
            (target.account for target, outcome in self._ledger.settled_lines() if outcome.pages), None
        )
        if account is None:
            return None
        try:
            async with Slot(self._places) as slot:
                credentials = await roles.credentials(account, slot)
                return await published_regions(clients, credentials, self._timeout)
        except CallFailed as failed:
            log.warning("Lightsail did not say which Regions it has", error=str(failed))
        except Exception as error:  # a bug of ours in what no target rests on must not end the run
            log.exception("internal error: the Regions are not compared", error=type(error).__name__)
        return None

    async def _start_places(self, places: Sequence[Place], audit: PlaceAudit) -> None:
        most = max(_OPEN_PLACES, _OPEN_FOR_EACH * self._concurrency)
        opened = anyio.Semaphore(most, fast_acquire=True)

        async def one(place: Place, slot: Slot) -> None:
            try:
                await audit.audit(place, slot)
            finally:
                slot.release()
                opened.release()

        async with anyio.create_task_group() as group:
            for place in places:
                await opened.acquire()
                slot = Slot(self._places)
                await slot.acquire()
                group.start_soon(one, place, slot)

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
        log_report(record, self._config.path)
        return Result(
            writer.folder,
            record,
            held,
            self._tally.by_kind,
            self._ledger,
            writer.patience.ran_out,
            self._tally.waived,
        )

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
        entries = catalogue_of(plan.policies)
        record = run_record(
            run_id=self._run_id,
            started_at=rfc3339(self._now),
            finished_at=rfc3339(datetime.now(UTC)),
            botocore_version=botocore_version,
            policies={policy_id: entries[policy_id].version for policy_id in plan.policies},
            config_digest=self._config.digest,
            caller_arn=caller,
            endpoint_overrides=endpoint_overrides,
            scope={**plan.scope, **compared(lightsail_regions(), self._published)},
            ledger=self._ledger,
            tally=self._tally,
            held=held,
            accepted=report(
                self._waivers,
                self._accepted_gaps,
                Looked(self._ledger, self._options.filters, plan.policies),
            ),
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
