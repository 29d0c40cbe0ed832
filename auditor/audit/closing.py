"""The end of a run: its books closed, everything written, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore import __version__ as botocore_version

from auditor.audit.books import balance_of
from auditor.audit.delivering import undelivered
from auditor.audit.record import Condition, Result, conditions, run_record
from auditor.aws.regions import lightsail_regions
from auditor.delivery import DeadLetters, gap_events, run_event
from auditor.inventory import compared
from auditor.model import rfc3339
from auditor.telemetry import now
from auditor.waivers import Looked, log_report, report

if TYPE_CHECKING:
    from auditor.audit.books import Books
    from auditor.audit.keeping import Keeper
    from auditor.audit.preparing import Ready, Run
    from auditor.audit.remembering import Memory
    from auditor.audit.stopping import Stopping
    from auditor.audit.writing import Writer
    from auditor.delivery import Report
    from auditor.telemetry import Telemetry


_LAST_SENDING = timedelta(seconds=1)
"""How long each destination may take once the deadline is over; what is left waits in the history."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A run whose every target has its verdict."""

    run: Run
    ready: Ready
    books: Books
    published: frozenset[str] | None
    """The Regions that Lightsail says it has; None where it did not say."""


@dataclass(frozen=True, slots=True)
class Alongside:
    """What goes along with a run where it is asked for."""

    memory: Memory | None = None
    """The history."""
    telemetry: Telemetry | None = None
    keeper: Keeper | None = None
    """The evidence."""


NOTHING_ALONGSIDE = Alongside()


async def close(
    audited: Audited, writer: Writer, stopping: Stopping, alongside: Alongside = NOTHING_ALONGSIDE
) -> Result:
    """Write the ledger, the formats' ends and run.json, and return what came of the run.

    Each says how it went with those before it: an output may fail, or a signal come, while they are written. What
    the books come to stands by now, and is taken once.
    """
    run, ready, books = audited.run, audited.ready, audited.books
    memory, telemetry, keeper = alongside.memory, alongside.telemetry, alongside.keeper
    balance = balance_of(books.ledger)
    scope = {**ready.plan.scope, **compared(lightsail_regions(), audited.published)}
    accepted = report(
        books.waivers,
        books.accepted_gaps,
        Looked(books.ledger, run.options.filters, ready.plan.policies),
    )

    reports: list[Report] = []

    def as_it_stands() -> tuple[dict[str, Any], list[Condition]]:
        held = conditions(
            gates=run.gates,
            ledger=books.ledger,
            tally=books.tally,
            balance=balance,
            stopped_by=stopping.signal,
            write_errors=[
                *writer.errors,
                *([memory.error] if memory and memory.error else []),
                *([keeper.error] if keeper and keeper.error else []),
                *undelivered(reports),
            ],
            bugs=writer.bugs,
        )
        record = run_record(
            run_id=run.id,
            started_at=rfc3339(run.now),
            finished_at=rfc3339(datetime.now(UTC)),
            botocore_version=botocore_version,
            policies={policy_id: run.entries[policy_id].version for policy_id in ready.plan.policies},
            config_digest=run.config.digest,
            history=run.config.history.store.name if run.config.history else None,
            caller_arn=ready.caller,
            endpoint_overrides=ready.clients.endpoint_overrides,
            scope=scope,
            resumed_at=run.resumed_at,
            ledger=books.ledger,
            tally=books.tally,
            balance=balance,
            held=held,
            accepted=accepted,
        )
        return {**record, "deliveries": [asdict(each) for each in reports]}, held

    if keeper is not None:
        await keeper.finish()
    await writer.end(books.ledger, as_it_stands()[0])
    evidence = await keeper.digest() if keeper is not None else None
    if memory is not None:
        if not balance.is_cut_off:
            record = as_it_stands()[0]
            gaps = gap_events(run.id, rfc3339(run.now), books.ledger.lines_of_gaps())
            await memory.finish(record, books.ledger.lines(), [*gaps, run_event(record)], evidence)
        if not balance.is_cut_off or memory.stays:
            within = _LAST_SENDING if stopping.work.cancel_called else None
            began = now()
            reports += await memory.deliver(
                run.destinations, DeadLetters(writer.folder), within, stopping.delivering
            )
            if telemetry is not None:
                telemetry.delivered(began, reports)
        await memory.tell_unnamed(run.destinations)
        if not balance.is_cut_off:
            if undelivered(reports):
                await memory.exits_with(as_it_stands()[0]["exit_code"])
            await memory.let_go(writer.folder)
    await writer.end_after_delivery(books.ledger, as_it_stands()[0])
    await writer.run_record(as_it_stands()[0])
    if keeper is not None and not await keeper.seal():
        await writer.run_record(as_it_stands()[0])
    record, held = as_it_stands()
    log_report(record, run.config.path)
    return Result(
        writer.folder,
        record,
        held,
        books.tally.by_kind,
        books.ledger,
        writer.patience.ran_out,
        books.tally.waived,
        balance.is_cut_off,
        books.tally.new,
    )
