"""Findings on their way from the places to the outputs: their status told by the history, and counted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import anyio

from auditor.audit.place import PlaceEnd
from auditor.audit.resuming import ends_before, forget, told_before
from auditor.errors import UsageError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.streams.memory import MemoryObjectReceiveStream

    from auditor.audit.books import Books
    from auditor.audit.checkpoint import Checkpoint
    from auditor.audit.remembering import Memory
    from auditor.audit.resuming import Resumed
    from auditor.audit.writing import Writer
    from auditor.model import Finding
    from auditor.telemetry import Telemetry

Told: TypeAlias = "list[Finding] | PlaceEnd"
"""What places tell: findings, and after its last that one has ended."""


class Teller:
    """Takes what places tell, in its order."""

    def __init__(
        self,
        writer: Writer,
        books: Books,
        memory: Memory | None,
        checkpoint: Checkpoint,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._writer = writer
        self._books = books
        self._memory = memory
        self._checkpoint = checkpoint

    async def tell_again(self, resumed: Resumed, findings: Path, again: frozenset[tuple[str, str]]) -> None:
        """Tell what the run told before it died, and let it count.

        :param findings: where that was set aside.
        :param again: the places that are audited again, and tell it themselves.
        :raises UsageError: where it can't be told again; the run can go on later all the same.
        """
        async for batch in told_before(resumed, findings, self._memory, again):
            for each in batch:
                # Counted as matched, as it was when it was made.
                self._books.waivers.waive(each.policy, each.account_id, each.region, each.resource_arn)
            await self._tell(batch)
        for end in ends_before(resumed):
            self._checkpoint.ended(end, self._books.ledger, self._writer.findings_end)
        await self._checkpoint.advance(self._writer, now=True)
        failed = [
            *self._writer.errors,
            *([self._memory.error] if self._memory and self._memory.error else []),
        ]
        if failed:
            # What was told before is not all told again: the checkpoint and the findings that stand stay what counts.
            raise UsageError(
                f"--resume {shown(str(resumed.folder))}: {failed[0]}; mend that, and resume again"
            )
        self._checkpoint.replace()
        forget(findings)

    async def serve(self, receive: MemoryObjectReceiveStream[Told]) -> None:
        """Take what arrives until the stream ends."""
        async with receive:
            async for first in receive:
                findings: list[Finding] = []
                ends: list[PlaceEnd] = []
                _sort(first, findings, ends)
                with suppress(anyio.WouldBlock, anyio.EndOfStream):
                    while True:
                        _sort(receive.receive_nowait(), findings, ends)
                await self._take(findings, ends)

    async def conclude(self) -> None:
        """Tell of what no place has told of."""
        await self._checkpoint.advance(self._writer, now=True)
        if self._memory is not None:
            async for findings in self._memory.conclude():
                await self._tell(findings)

    async def _take(self, findings: list[Finding], ends: list[PlaceEnd]) -> None:
        if self._memory is None:
            await self._tell(findings)
        else:
            # Places that have ended are settled after their last finding was seen.
            await self._tell(await self._memory.see(findings))
            await self._tell(await self._memory.settle(ends) if ends else [])
        if self._memory is None or self._memory.error is None:
            # What a history that has failed was not told of is audited again where the run goes on.
            for end in ends:
                self._checkpoint.ended(end, self._books.ledger, self._writer.findings_end)
        await self._checkpoint.advance(self._writer)

    async def _tell(self, findings: Sequence[Finding]) -> None:
        if findings:
            self._books.tally.found(findings)
            if self._telemetry is not None:
                self._telemetry.see(findings)
            await self._writer.add(findings)


def _sort(told: Told, findings: list[Finding], ends: list[PlaceEnd]) -> None:
    if isinstance(told, PlaceEnd):
        ends.append(told)
    else:
        findings += told
