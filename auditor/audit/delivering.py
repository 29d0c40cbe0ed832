"""Delivery: every destination at once, so that a slow or dead one holds up no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from auditor.delivery import Delivery, Report, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from auditor.delivery import DeadLetters
    from auditor.delivery.contract import AnyDestination
    from auditor.history.outbox import Outbox


async def deliver(
    outbox: Outbox,
    destinations: Sequence[AnyDestination],
    dead_letters: DeadLetters,
    within: timedelta | None = None,
) -> list[Report]:
    """Send what is due to each of these, and return what became of it, in their order.

    It ends once nothing is left, or each destination's time is over; what is left stays in the outbox. Nobody else
    may ask the history meanwhile.

    :param within: how long each may take; None is its own `drain`.
    """
    store = Store(outbox, dead_letters)
    reports: dict[str, Report] = {}

    async def send(destination: AnyDestination) -> None:
        time = within or destination.settings.drain
        until = anyio.current_time() + time.total_seconds()
        reports[destination.name] = await Delivery(destination, store).run(until)

    async with anyio.create_task_group() as group:
        for destination in destinations:
            group.start_soon(send, destination)
    return [reports[destination.name] for destination in destinations]


def undelivered(reports: Sequence[Report]) -> list[str]:
    """Say what could not be sent, and what to do about it."""
    return [f"{report.fault}; `auditor deliver` sends what is left" for report in reports if report.fault]


def delivered(reports: Sequence[Report]) -> dict[str, dict[str, float | None]]:
    """Return what became of the events of each destination, as run.json tells it."""
    return {
        report.destination: {
            "taken": report.taken,
            "refused": report.refused,
            "left": report.left,
            "lag_max_s": None if report.lag_max_s is None else round(report.lag_max_s, 3),
            "lag_mean_s": None if report.lag_mean_s is None else round(report.lag_mean_s, 3),
        }
        for report in reports
    }


def unnamed(left: Mapping[str, int], destinations: Sequence[AnyDestination]) -> list[str]:
    """Say of each destination that the configuration no longer names what still waits for it.

    :param left: how many events wait for each destination.
    """
    named = {destination.name for destination in destinations}
    return [
        f"{name}: {count} event(s) left, and the configuration names no such destination; name it again"
        for name, count in sorted(left.items())
        if name not in named
    ]
