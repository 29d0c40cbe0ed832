"""Findings and the ledger in their formats, on their way to files and streams, in bounded memory."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from auditor.audit.asked import place_of
from auditor.audit.options import FormatRequest
from auditor.errors import SinkError
from auditor.formats import encoded_line, formats, open_output
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from auditor.coverage import Ledger
    from auditor.formats import Format, Output, RunStart
    from auditor.model import Finding

log = structlog.get_logger()

_CHUNK = 64 * 1024
"""Bytes gathered before they are written: a thread is too dear for a finding each."""
_A_SECOND = 1.0


class Patience:
    """How long an output may take what it is given: without limit, until the run is to end."""

    def __init__(self) -> None:
        self._until = math.inf
        self._waiting: set[anyio.CancelScope] = set()
        self.ran_out = False
        """Whether an output was given up on."""

    def ends_by(self, moment: float) -> None:
        """Wait for no output longer than until `moment`, on the event loop's clock, or a second if that is longer.

        The second is for those that come after one that has used the time up. What was said before is not put off.
        """
        self._until = min(self._until, moment)
        for scope in self._waiting:
            scope.deadline = self._until

    @contextmanager
    def wait(self) -> Iterator[anyio.CancelScope]:
        """Let the block wait for an output; the scope says afterwards whether that was cut off."""
        deadline = max(self._until, anyio.current_time() + _A_SECOND)
        with anyio.CancelScope(deadline=deadline) as scope:
            self._waiting.add(scope)
            try:
                yield scope
            finally:
                self._waiting.discard(scope)


class Sink:
    """One format on its way to one output. After its first failure it takes no more, and keeps why."""

    def __init__(self, output_format: Format, output: Output, patience: Patience) -> None:
        self._format = output_format
        self._output = output
        self._patience = patience
        self._pending = bytearray()
        self._ended = False
        self.error: str | None = None
        self.has_bug = False
        """Whether that was a bug of the auditor."""
        with self._own_bugs():
            self._pending += output_format.head()
        self.position = len(self._pending)
        """Bytes that stand before what comes next."""
        self.tells_of_delivery = output_format.tells_of_delivery

    async def add(self, findings: Sequence[Finding]) -> None:
        """Write these findings, now or with those that follow."""
        if self.error is not None:
            return
        with self._own_bugs():
            written = self._format.findings(findings)
            self.position += len(written)
            self._pending += written
        if len(self._pending) >= _CHUNK:
            await self._flush()

    async def end(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> None:
        """Write what stands after the last finding, and make the output visible."""
        for part in self._tail(coverage, run):
            self._pending += part
            if len(self._pending) >= _CHUNK:
                await self._flush()
        await self._flush()
        self._ended = True
        if self.error is None:
            await self._try(self._output.finish)
        else:
            await self._try(self._output.abandon)

    def _tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        with self._own_bugs():
            yield from self._format.tail(coverage, run)

    @contextmanager
    def _own_bugs(self) -> Iterator[None]:
        """Let a bug in this format end this output, and no other."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- it is told, and the run exits as one with a bug
            self.has_bug = True
            self._fail(_bug(self._output.name, error))

    def let_go(self) -> None:
        """Leave the output as it is, where it was not brought to its end."""
        if not self._ended:
            self._output.abandon()

    async def secure(self) -> bool:
        """Bring to the disk what was added so far; say whether it is there."""
        await self._flush()
        if self.error is None:
            await self._try(self._output.sync)
        return self.error is None

    async def _flush(self) -> None:
        data, self._pending = self._pending, bytearray()
        if data and self.error is None:
            await self._try(self._output.write, data)

    async def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        with self._patience.wait() as waiting:
            try:
                # Its thread is left alone when its time is over: one that waits for a reader can't be ended.
                await to_thread.run_sync(act, *arguments, abandon_on_cancel=True)
            except SinkError as error:
                self._fail(str(error))
        if waiting.cancelled_caught:
            self._patience.ran_out = True
            self._fail(f"{shown(self._output.name)}: did not take what was written, and the run had to end")

    def _fail(self, why: str) -> None:
        if self.error is None:
            self.error = why
            log.error("output failed", error=why)


class Writer:
    """Everything that a run writes."""

    def __init__(self, folder: Path, requests: Sequence[FormatRequest], start: RunStart) -> None:
        """Open the outputs.

        :raises SinkError: where one can't be opened; none is left behind then.
        """
        self.folder = folder
        self.patience = Patience()
        self._own: list[str] = []
        self._bugs: list[str] = []
        own = FormatRequest("jsonl", str(folder / formats()["jsonl"].file_name))
        with ExitStack() as undo:
            self.sinks = []
            for name, variant, path in dict.fromkeys(
                (request.name, request.variant, place_of(request, folder)) for request in (own, *requests)
            ):
                output = open_output(path)
                undo.callback(output.discard)
                self.sinks.append(Sink(formats()[name](start, variant), output, self.patience))
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every output that was not brought to its end, as where the run was cut off from outside."""
        for sink in self.sinks:
            sink.let_go()

    async def add(self, findings: Sequence[Finding]) -> None:
        """Give these findings to every output."""
        for sink in self.sinks:
            await sink.add(findings)

    @property
    def findings_end(self) -> int:
        """Bytes of findings.jsonl that stand before what comes next."""
        return self.sinks[0].position

    async def secure_findings(self) -> bool:
        """Bring to the disk what findings.jsonl has so far; say whether it is there."""
        return await self.sinks[0].secure()

    async def end(self, ledger: Ledger, run: Mapping[str, Any]) -> None:
        """Write the ledger, and end every format but those of delivery.

        They and run.json itself follow apart, since they say how this and the delivery went.
        """
        await self._whole("coverage.jsonl", map(encoded_line, ledger.lines()))
        for sink in self.sinks:
            if not sink.tells_of_delivery:
                await sink.end(ledger.lines(), run)

    async def end_after_delivery(self, ledger: Ledger, run: Mapping[str, Any]) -> None:
        """End the formats that tell of the delivery too."""
        for sink in self.sinks:
            if sink.tells_of_delivery:
                await sink.end(ledger.lines(), run)

    async def run_record(self, run: Mapping[str, Any]) -> None:
        """Write run.json."""
        await self._whole("run.json", map(encoded_line, [run]))

    @property
    def errors(self) -> list[str]:
        """Why what could not be written was not."""
        return self._own + [sink.error for sink in self.sinks if sink.error]

    @property
    def bugs(self) -> list[str]:
        """Those of them that were bugs of the auditor."""
        return self._bugs + [sink.error for sink in self.sinks if sink.error and sink.has_bug]

    def _failed(self, why: str) -> None:
        self._own.append(why)
        log.error("output failed", error=why)

    async def _whole(self, name: str, parts: Iterable[bytes]) -> None:
        def write() -> None:
            output = open_output(str(self.folder / name))
            try:
                for part in parts:
                    output.write(part)
            except Exception:  # whatever it is: nothing half is left, and it goes on to whoever tells of it
                output.abandon()
                raise
            output.finish()

        try:
            await to_thread.run_sync(write)
        except SinkError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 -- as a format's: it is told, and the others are written
            self._bugs.append(_bug(name, error))
            self._failed(self._bugs[-1])


def _bug(name: str, error: Exception) -> str:
    log.error("internal error: a bug of the auditor", output=name, exc_info=error)
    return f"{shown(name)}: a bug of the auditor: {type(error).__name__}"
