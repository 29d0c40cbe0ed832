"""Places begun one after the other, each when a request may be in flight for it.

A place that was begun holds its slot from page to page, so that what was begun ends before something new begins. One
that waits for a retry gives its slot up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from auditor.aws.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from auditor.model import Place

_OPEN_FOR_EACH = 8
"""Places begun at once for each request in flight: the others of them wait for a retry or a role."""
_OPEN_PLACES = 256
"""How many may be begun at once at the least, lest a throttled account hold up the others where few may be asked."""


async def audit_places(
    places: Iterable[Place],
    audit: Callable[[Place, Slot], Awaitable[None]],
    in_flight: anyio.Semaphore,
    concurrency: int,
) -> None:
    """Audit these places, in their order, and return once the last has ended.

    :param in_flight: a place for each request that may be in flight, `concurrency` of them.
    """
    opened = anyio.Semaphore(max(_OPEN_PLACES, _OPEN_FOR_EACH * concurrency), fast_acquire=True)

    async def one(place: Place, slot: Slot) -> None:
        try:
            await audit(place, slot)
        finally:
            slot.release()
            opened.release()

    async with anyio.create_task_group() as group:
        for place in places:
            await opened.acquire()
            slot = Slot(in_flight)
            await slot.acquire()
            group.start_soon(one, place, slot)
