"""What a run has done so far, on the disk while it goes, so that one that dies can go on.

`checkpoint.jsonl` stands in the run's folder until the run is done. Its first line says what was asked; then follows a
line for each account and Region that has ended, once its findings are on the disk.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

import structlog
from anyio import to_thread

from auditor.audit.checkpoint_lines import header_line, place_line
from auditor.audit.folder import CHECKPOINT
from auditor.errors import UsageError
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Self

    from auditor.audit.checkpoint_lines import Header
    from auditor.audit.place import PlaceEnd
    from auditor.audit.writing import Writer
    from auditor.coverage import Ledger

log = structlog.get_logger()

_A_SECOND = 1.0
"""Between two flushes to the disk: so much is done again at the most, beside what was in flight."""


class Checkpoint:
    """Written by one run, which holds its lock: the kernel lets go of it when the process dies."""

    def __init__(
        self,
        folder: Path,
        header: Header,
        *,
        aside: bool = False,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Begin it.

        :param before: brings to the disk what has to be there before it, beside the findings.
        :param aside: whether the one that stands there counts until `replace`.
        :raises UsageError: where it can't be written, or a run that goes on is at it.
        """
        self._path = folder / CHECKPOINT
        self._written_to = self._path.with_name(f"{CHECKPOINT}.part")
        self._before = before
        self._waiting: list[bytes] = []
        self._flushed_at = time.monotonic()
        try:
            self._file = os.open(self._written_to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._file, header_line(header))
            if not aside:
                self.replace()
        except OSError as error:
            raise UsageError(f"{shown(str(self._written_to))}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def ended(self, end: PlaceEnd, ledger: Ledger, findings_end: int) -> None:
        """Take note that an account and Region has ended.

        :param findings_end: how many bytes of findings.jsonl stand before whatever follows its findings.
        """
        outcomes = ledger.outcomes(end.place.account.id, end.place.region) or {}
        self._waiting.append(place_line(end, outcomes, findings_end))

    async def advance(self, writer: Writer, *, now: bool = False) -> None:
        """Bring to the disk what has ended, once a second or where it is to be now: the findings first."""
        if not self._waiting or not (now or time.monotonic() - self._flushed_at >= _A_SECOND):
            return
        lines, self._waiting = self._waiting, []
        if self._before is not None:
            await self._before()
        if not await writer.secure_findings():
            return  # those lines would count findings that are lost; that they are is told by the output
        try:
            await to_thread.run_sync(self._append, b"".join(lines))
        except OSError as error:
            log.warning("the checkpoint could not be written; the run goes on", error=error.strerror)
        self._flushed_at = time.monotonic()

    def replace(self) -> None:
        """Let it count in the place of the one before."""
        self._written_to.replace(self._path)
        self._written_to = self._path

    def remove(self) -> None:
        """Take it away: the run is done."""
        self._written_to.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)
