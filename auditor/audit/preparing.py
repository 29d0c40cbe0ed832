"""Before the first target: what can be looked at without a call, then the clients, the caller, the hub and the plan."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.audit.asked import check_formats
from auditor.audit.checkpoint_lines import Header
from auditor.audit.crew_asked import check_workers
from auditor.audit.folder import choose_folder, new_run_id
from auditor.audit.gating import Gates, check_fail_on, gates_of, read_gates
from auditor.audit.hub import assume_hub
from auditor.audit.keeping_asked import keys_and_chain, salvaged_of
from auditor.audit.options import FormatRequest
from auditor.audit.organization import find_accounts
from auditor.audit.resuming import check_resumed, read_checkpoint
from auditor.audit.start import judged_policies
from auditor.aws.clients import open_clients
from auditor.aws.identity import caller_arn
from auditor.aws.pacing import Paces
from auditor.aws.regions import lightsail_regions
from auditor.aws.roles import Roles
from auditor.aws.slots import Slot
from auditor.aws.sources import SOURCES
from auditor.config import SQLiteStore
from auditor.delivery import make_destinations
from auditor.formats import STDOUT
from auditor.history import judged_by
from auditor.inventory import Filters, check_filters, make_plan, policies_of
from auditor.model import rfc3339
from auditor.policies import actions_of, catalogue_of, sources_of
from auditor.telemetry import check_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AsyncExitStack
    from datetime import timedelta

    from auditor.audit.options import RunOptions
    from auditor.audit.resuming import Resumed
    from auditor.aws.clients import Clients
    from auditor.aws.hearing import Recorder
    from auditor.config import Config, PolicySettings
    from auditor.delivery import Destination
    from auditor.evidence.chain import Known
    from auditor.evidence.salvaging import Salvaged
    from auditor.evidence.signing import Signer
    from auditor.inventory import Plan
    from auditor.policies import Entry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as it stands before its first call."""

    id: str
    config: Config
    options: RunOptions
    now: datetime
    """When it began, in UTC, and the instant that it judges by."""
    began_at: float
    """The same on the event loop's clock, in seconds."""
    entries: Mapping[str, Entry]
    """Its own catalogue."""
    policies: Mapping[str, PolicySettings]
    """The policies judged by, with their settings."""
    folder: Path
    """Where it will write; it may not exist yet."""
    plan: Plan | None
    """None where an organisation has to be asked first which accounts there are."""
    gates: Gates = field(default_factory=Gates)
    """What decides whether it fails."""
    resumed: Resumed | None = None
    """How far it came before, where it goes on."""
    destinations: Sequence[Destination[Any]] = ()
    """Where findings are sent; nothing is sent yet."""
    resumed_at: tuple[str, ...] = ()
    """When it went on, each time, this one included."""
    signer: Signer | None = None
    """What signs the evidence, where a file holds its key."""
    evidence_after: Known | None = None
    """The run before, where its evidence was named."""
    salvaged: Salvaged | None = None
    """What it has kept of its answers before, where it goes on."""

    @property
    def concurrency(self) -> int:
        """How many requests may be in flight."""
        return self.options.concurrency or self.config.limits.concurrency

    @property
    def deadline(self) -> timedelta:
        """How long it may take, counted from its start."""
        return self.options.deadline or self.config.limits.deadline

    @property
    def ends_at(self) -> float:
        """When that is over, on the event loop's clock."""
        return self.began_at + self.deadline.total_seconds()

    @property
    def request_timeout(self) -> float:
        """Seconds that one request may take."""
        return self.config.limits.request_timeout.total_seconds()


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run audits, and with what."""

    plan: Plan
    clients: Clients
    roles: Roles
    in_flight: anyio.Semaphore
    """A place for each request that may be in flight."""
    caller: str | None
    """The ARN of the base credentials, where it is known."""
    paces: Paces = field(default_factory=Paces)
    """How soon requests may leave."""


def begin(config: Config, options: RunOptions) -> Run:
    """Look at all that can be looked at before the first call; where the list is all, that is the whole plan.

    :raises UsageError: where the run can't be begun as asked.
    """
    began_at, now = anyio.current_time(), datetime.now(UTC)
    run_id = new_run_id(now)
    entries = catalogue_of(config.policies)
    resumed: Resumed | None = None
    salvaged: Salvaged | None = None
    resumed_at: tuple[str, ...] = ()
    if options.resume is not None:
        resumed = read_checkpoint(options.resume)
        salvaged, options = salvaged_of(options.resume, options)
        if salvaged is not None:
            resumed = resumed.but_for(
                lambda key, done: key not in salvaged.places and done.was_asked  # its answers are lost
            )
        options = as_before(options, resumed.header)
        resumed_at = (*resumed.header.resumed_at, rfc3339(now))
        run_id, now = resumed.header.run_id, datetime.fromisoformat(resumed.header.started_at)
    plan = None
    if config.organization is None:
        plan = make_plan(config, options.filters, lightsail_regions(), partial(sources_of, entries))
    else:
        check_filters(config, options.filters, lightsail_regions())
    gates = gates_of(options, read_gates(resumed.header.gates) if resumed else None)
    check_fail_on(gates.fail_on, config)
    policies = policies_of(config, options.filters)
    if resumed is None:
        folder = choose_folder(options.folder, run_id)
    else:
        folder = resumed.folder
        check_resumed(
            resumed.header,
            folder,
            config_digest=config.digest,
            history=history_of(config),
            policies=digests_of(entries, policies),
        )
    check_workers(options)
    check_formats(options.formats, folder, config.path)
    if options.telemetry:
        check_environment(os.environ, allow_http=options.allow_http)
    signer, evidence_after = keys_and_chain(options)
    return Run(
        id=run_id,
        config=config,
        options=options,
        now=now,
        began_at=began_at,
        entries=entries,
        policies=policies,
        folder=folder,
        plan=plan,
        gates=gates,
        resumed=resumed,
        destinations=make_destinations(
            config.destinations,
            allow_http=options.allow_http,
            policies=judged_policies(config, entries, config.policies),
        ),
        resumed_at=resumed_at,
        signer=signer,
        evidence_after=evidence_after,
        salvaged=salvaged,
    )


def header_of(run: Run) -> Header:
    """Return what the run was asked, for its checkpoint."""
    filters = run.options.filters
    return Header(
        run_id=run.id,
        started_at=rfc3339(run.now),
        config_path=str(Path(run.config.path).absolute()),
        config_digest=run.config.digest,
        history=history_of(run.config),
        policies=digests_of(run.entries, run.policies),
        filters={
            "policies": list(filters.policies),
            "accounts": list(filters.accounts),
            "regions": list(filters.regions),
        },
        gates=run.gates.told(),
        formats=[(each.name, _absolute(each.path), each.variant) for each in run.options.formats],
        resumed_at=list(run.resumed_at),
    )


def as_before(options: RunOptions, header: Header) -> RunOptions:
    """Return the options with which a run goes on: what it reads and writes is as it was asked first."""
    return replace(
        options,
        filters=Filters(**{name: tuple(named) for name, named in header.filters.items()}),
        formats=tuple(FormatRequest(*each) for each in header.formats),
    )


def history_of(config: Config) -> str | None:
    """Return where the history is, from wherever the run goes on; None where there is none."""
    if config.history is None:
        return None
    store = config.history.store
    return str(store.path.absolute()) if isinstance(store, SQLiteStore) else store.name


def digests_of(entries: Mapping[str, Entry], policies: Mapping[str, PolicySettings]) -> dict[str, str]:
    """Return the digest of each policy's settings and code."""
    return {name: each.digest for name, each in judged_by(entries, policies).items()}


def _absolute(path: str | None) -> str | None:
    """Return a format's path from wherever the run goes on."""
    return path if path is None or path == STDOUT else str(Path(path).absolute())


async def prepare(run: Run, stack: AsyncExitStack, recorder: Recorder | None = None) -> Ready:
    """Open the clients, try what every account rests on, and make the plan where there is none yet.

    :param stack: closes the clients.
    :param recorder: keeps the answers, where they are to be kept.
    :raises UsageError: where no account could be audited, or none is left to audit.
    """
    config = run.config
    clients = await stack.enter_async_context(
        open_clients(
            concurrency=run.concurrency,
            services=_services(run),
            secrets=config.shared_external_ids,
            request_timeout=run.request_timeout,
            allow_http=run.options.allow_http,
            give_up_at=run.ends_at,
            recorder=recorder,
        )
    )
    in_flight = anyio.Semaphore(run.concurrency, fast_acquire=True)
    caller = await _caller(run, clients, in_flight)
    paces = Paces()
    roles = Roles(clients, run.request_timeout, actions_of(run.entries, run.policies), paces)
    with anyio.move_on_at(run.ends_at):
        async with Slot(in_flight) as slot:
            await assume_hub(config.hub, roles, slot)
    plan = run.plan
    if plan is None:
        inventory = await find_accounts(
            config,
            clients,
            roles,
            caller=caller,
            places=in_flight,
            request_timeout=run.request_timeout,
            give_up_at=run.ends_at,
        )
        plan = make_plan(
            config, run.options.filters, lightsail_regions(), partial(sources_of, run.entries), inventory
        )
    return Ready(plan, clients, roles, in_flight, caller, paces)


def _services(run: Run) -> set[str]:
    services = {SOURCES[source].service for source in sources_of(run.entries, run.policies)}
    return services if run.config.organization is None else services | {"organizations"}


async def _caller(run: Run, clients: Clients, in_flight: anyio.Semaphore) -> str | None:
    for service, url in clients.endpoint_overrides.items():
        log.warning("calls do not go to AWS", service=service, endpoint=url)
    with anyio.move_on_at(run.ends_at):
        async with Slot(in_flight) as slot:
            return await caller_arn(clients, slot, run.request_timeout)
    return None
