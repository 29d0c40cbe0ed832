"""Delivery: every destination at once, so that a slow or dead one holds up no other."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio

from auditor.audit.grouping import one_exception
from auditor.delivery import Delivery, Report, Store
from auditor.errors import UsageError
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from auditor.delivery import DeadLetters
    from auditor.delivery.contract import AnyDestination
    from auditor.delivery.sending import Job
    from auditor.history.outbox import Outbox

_AT_ONCE = 500
_BY_HAND = "dropped by hand"
"""The reason of a dead letter that no receiver has refused."""


async def deliver(
    outbox: Outbox,
    destinations: Sequence[AnyDestination],
    dead_letters: DeadLetters,
    within: timedelta | None = None,
    interrupted: anyio.CancelScope | None = None,
) -> list[Report]:
    """Send what is due to each of these, and return what became of it, in their order.

    It ends once nothing is left, or each destination's time is over; what is left stays in the outbox. Nobody else
    may ask the history meanwhile.

    :param within: how long each may take; None is its own `drain`.
    :param interrupted: its cancellation ends the sending, or lets none begin; what is left is not known then.
    """
    store = Store(outbox, dead_letters)
    deliveries = {
        destination.name: Delivery(destination, store, together=partial(_together, destination.lanes_at_once))
        for destination in destinations
    }
    reports = {name: delivery.so_far("the run was interrupted") for name, delivery in deliveries.items()}

    async def send(destination: AnyDestination) -> None:
        time = within or destination.settings.drain
        until = anyio.current_time() + time.total_seconds()
        delivery = deliveries[destination.name]
        try:
            reports[destination.name] = await delivery.run(until)
        except anyio.get_cancelled_exc_class():
            reports[destination.name] = delivery.so_far("the run was interrupted")
            raise

    with interrupted or anyio.CancelScope() as scope:
        if not scope.cancel_called:
            async with anyio.create_task_group() as group:
                for destination in destinations:
                    group.start_soon(send, destination)
    return list(reports.values())


def undelivered(reports: Sequence[Report]) -> list[str]:
    """Say what could not be sent, and what to do about it."""
    return [f"{report.fault}; `auditor deliver` sends what is left" for report in reports if report.fault]


async def _together(at_once: int, jobs: Sequence[Job]) -> None:
    """Do these, so many of them at once."""
    places = anyio.Semaphore(at_once)

    async def one(job: Job) -> None:
        async with places:
            await job()

    with one_exception():
        async with anyio.create_task_group() as group:
            for job in jobs:
                group.start_soon(one, job)


def unnamed(left: Mapping[str, int], destinations: Sequence[AnyDestination]) -> list[str]:
    """Say of each destination that the configuration no longer names what still waits for it.

    :param left: how many events wait for each destination.
    """
    named = {destination.name for destination in destinations}
    return [
        f"{name}: {count} event(s) left, and the configuration names no such destination; name it again, or let go of "
        f"them: auditor deliver --drop {name}"
        for name, count in sorted(left.items())
        if name not in named
    ]


def check_drop(names: Sequence[str], left: Mapping[str, int], destinations: Sequence[AnyDestination]) -> None:
    """Look whether what waits for these may be let go of.

    :param left: how many events wait for each destination.
    :raises UsageError: where nothing waits for one, or the configuration names it.
    """
    for name in names:
        if name in {destination.name for destination in destinations}:
            raise UsageError(
                f"--drop {shown(name)}: the configuration names it, and its events are sent; take it out there first"
            )
        if name not in left:
            others = (
                ", ".join(f"{other} ({count})" for other, count in sorted(left.items())) or "nothing at all"
            )
            raise UsageError(f"--drop {shown(name)}: no event waits for it; there waits: {others}")


def drop(name: str, outbox: Outbox, dead_letters: DeadLetters) -> int:
    """Let go of all that waits for a destination, each written down as a dead letter; return how many there were.

    :raises SinkError: where it can't be written down, or the history fails; the rest stays where it is.
    """
    count = 0
    at = rfc3339(datetime.now(UTC))
    while due := outbox.pending(name, _AT_ONCE, now=math.inf):
        dead_letters.write(name, [(each, _BY_HAND) for each in due], at)
        outbox.refuse(name, [each.position for each in due])
        count += len(due)
    return count
