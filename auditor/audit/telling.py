"""Findings on their way from the places to the outputs: their status told by the history, and counted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import anyio

from auditor.audit.place import PlaceEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream

    from auditor.audit.remembering import Memory
    from auditor.audit.tally import Tally
    from auditor.audit.writing import Writer
    from auditor.model import Finding

Told: TypeAlias = "list[Finding] | PlaceEnd"
"""What places tell: findings, and after its last that one has ended."""


class Teller:
    """Takes what places tell, in its order."""

    def __init__(self, writer: Writer, tally: Tally, memory: Memory | None) -> None:
        self._writer = writer
        self._tally = tally
        self._memory = memory

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
        if self._memory is not None:
            async for findings in self._memory.conclude():
                await self._tell(findings)

    async def _take(self, findings: list[Finding], ends: list[PlaceEnd]) -> None:
        if self._memory is None:
            await self._tell(findings)
            return
        # Places that have ended are settled after their last finding was seen.
        await self._tell(await self._memory.see(findings))
        if ends:
            await self._tell(await self._memory.settle(ends))

    async def _tell(self, findings: Sequence[Finding]) -> None:
        if findings:
            self._tally.found(findings)
            await self._writer.add(findings)


def _sort(told: Told, findings: list[Finding], ends: list[PlaceEnd]) -> None:
    if isinstance(told, PlaceEnd):
        ends.append(told)
    else:
        findings += told
