"""What a place has told counts as done only once all who are to keep it have it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from auditor.audit.place import PlaceEnd
from auditor.audit.tally import Counts
from auditor.audit.telling import Teller
from auditor.model import EXPORT_RECORDS, Place
from tests.history.conftest import REGION, account


class Seam:
    """The writer, the checkpoint and the history, as the teller sees them."""

    def __init__(self, fails_at: int | None) -> None:
        self.fails_at = fails_at
        self.error: str | None = None
        self.ledger = self.findings_end = None
        self.done: list[PlaceEnd] = []
        self.settled = 0

    async def see(self, findings: Any) -> Any:
        return findings

    async def settle(self, ends: list[PlaceEnd]) -> list[Any]:
        self.settled += len(ends)
        if self.settled == self.fails_at:
            self.error = "the disk is full"
        return []

    def ended(self, end: PlaceEnd, _ledger: Any, _findings_end: Any) -> None:
        self.done.append(end)

    async def advance(self, _writer: Any) -> None:
        return


@pytest.mark.parametrize(("fails_at", "done"), [(None, 3), (1, 0), (2, 1), (3, 2)])
async def test_places_that_a_failed_history_does_not_know_are_not_done(
    fails_at: int | None, done: int
) -> None:
    seam = Seam(fails_at)
    books: Any = SimpleNamespace(ledger=None)
    told: Any = seam
    teller = Teller(told, books, told, told)
    ends = [
        PlaceEnd(Place(account(f"{number:012}"), REGION, (EXPORT_RECORDS,)), Counts(), lambda _arn: True)
        for number in range(3)
    ]
    send, receive = anyio.create_memory_object_stream[Any]()
    async with anyio.create_task_group() as group:
        group.start_soon(teller.serve, receive)
        async with send:
            for end in ends:
                await send.send(end)
    assert seam.done == ends[:done]
