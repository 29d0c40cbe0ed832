"""Findings on their way to the formats, in bounded memory: a slow reader slows the requests down."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from auditor.audit.options import FormatRequest
from auditor.errors import SinkError
from auditor.formats import encoded, encoded_line, formats, open_output
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from anyio.streams.memory import MemoryObjectReceiveStream

    from auditor.coverage import Ledger
    from auditor.formats import Format, Output
    from auditor.model import Finding

log = structlog.get_logger()

_CHUNK = 64 * 1024
"""Bytes gathered before they are written: a thread is too dear for a finding each."""


class Sink:
    """One format on its way to one output. After its first failure it takes no more, and keeps why."""

    def __init__(self, output_format: Format, output: Output) -> None:
        self._format = output_format
        self._output = output
        self._pending = bytearray(output_format.head())
        self.error: str | None = None

    async def add(self, findings: Sequence[Finding]) -> None:
        """Write these findings, now or with those that follow."""
        if self.error is None:
            self._pending += self._format.findings(findings)
            if len(self._pending) >= _CHUNK:
                await self._flush()

    async def end(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> None:
        """Write what stands after the last finding, and make the output visible."""
        for part in self._format.tail(coverage, run):
            self._pending += part
            if len(self._pending) >= _CHUNK:
                await self._flush()
        await self._flush()
        await self._try(self._output.finish if self.error is None else self._output.abandon)

    async def _flush(self) -> None:
        data, self._pending = self._pending, bytearray()
        if data and self.error is None:
            await self._try(self._output.write, data)

    async def _try(self, act: Any, *arguments: Any) -> None:
        try:
            # Abandoned when cancelled, or a reader that has stopped reading would hold up the run's end.
            await to_thread.run_sync(act, *arguments, abandon_on_cancel=True)
        except SinkError as error:
            self.fail(str(error))
        except anyio.get_cancelled_exc_class():
            self.fail(f"{shown(self._output.name)}: cut off while it did not take what was written")
            raise

    def fail(self, why: str) -> None:
        """Take no more; the first reason stays."""
        if self.error is None:
            self.error = why
            log.error("output failed", error=why)


class Writer:
    """Everything that a run writes."""

    def __init__(self, folder: Path, requests: Sequence[FormatRequest]) -> None:
        """Open the outputs.

        :raises SinkError: where one can't be opened; none is left behind then.
        """
        self.folder = folder
        self._own: list[str] = []
        wanted = [FormatRequest("jsonl", str(folder / formats()["jsonl"].file_name))]
        for request in requests:
            path = request.path or str(folder / formats()[request.name].file_name)
            wanted.append(FormatRequest(request.name, path))
        with ExitStack() as undo:
            self.sinks = []
            for request in dict.fromkeys(wanted):  # jsonl without a path is what every folder holds anyway
                output = open_output(request.path or "")
                undo.callback(output.discard)
                self.sinks.append(Sink(formats()[request.name](), output))
            undo.pop_all()

    async def serve(self, receive: MemoryObjectReceiveStream[Sequence[Finding]]) -> None:
        """Write what arrives until the stream ends."""
        async with receive:
            async for findings in receive:
                for sink in self.sinks:
                    await sink.add(findings)

    async def end(self, ledger: Ledger, run: Mapping[str, Any]) -> None:
        """Write the ledger, and end every format. run.json itself follows apart, since it says how this went."""
        await self._whole("coverage.jsonl", map(encoded_line, ledger.lines()))
        for sink in self.sinks:
            await sink.end(ledger.lines(), run)

    async def run_record(self, run: Mapping[str, Any]) -> None:
        """Write run.json."""
        await self._whole("run.json", [encoded(run) + b"\n"])

    @property
    def errors(self) -> list[str]:
        """Why what could not be written was not."""
        return self._own + [sink.error for sink in self.sinks if sink.error]

    def fail(self, why: str) -> None:
        """Take note of a failure that is no one sink's."""
        self._own.append(why)
        log.error("output failed", error=why)

    async def _whole(self, name: str, parts: Iterable[bytes]) -> None:
        def write() -> None:
            output = open_output(str(self.folder / name))
            for part in parts:
                output.write(part)
            output.finish()

        try:
            await to_thread.run_sync(write)
        except SinkError as error:
            self.fail(str(error))
