"""The answers of a run, kept: recorded by its readers, written in a thread, and named by a manifest at its end."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from auditor.audit.kept import documents
from auditor.errors import SinkError
from auditor.evidence.layout import FOLDER, MANIFEST, SUMS
from auditor.evidence.manifest import envelope, payload_of, sums
from auditor.evidence.recording import Files, Recording
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.audit.preparing import Ready, Run
    from auditor.aws.hearing import Answer

log = structlog.get_logger()

_CHUNK = 1024 * 1024


class Keeper:
    """Keeps the answers of one run. After its first failure it keeps no more, and says why: the run goes on."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # Where an ExternalId is the account's id or name, as some write it, it tells nothing that is not told anyway.
        accounts = run.config.accounts
        self._recording = Recording(
            {account.id for account in accounts} | {account.name for account in accounts if account.name}
        )
        self._files: Files | None = None
        self._writing = anyio.Lock()
        self.error: str | None = None

    def record(self, answer: Answer) -> None:
        """Keep an answer."""
        if self.error is None:
            self._recording.take(answer)

    async def relieve(self) -> None:
        """Write what waits, where it is worth it; nothing is written before the run has its folder."""
        if self._recording.is_due and self._files is not None and self.error is None:
            async with self._writing:
                if self._recording.is_due:
                    await self._write()

    def ended(self, account_id: str, region: str) -> None:
        """Take note that nothing more is asked of an account and Region."""
        if self.error is None:
            self._recording.ended(account_id, region)

    def begin(self, ready: Ready) -> None:
        """Make the evidence's folder in the run's, and write there what the run is made by and with.

        :raises SinkError: where that can't be done.
        """
        folder = self._run.folder / FOLDER
        try:
            self._files = Files(folder)
            for name, written in documents(self._run, ready).items():
                self._files.add(name, written)
        except OSError as error:
            raise SinkError(f"{shown(str(folder))}: {error.strerror}") from error

    def discard(self) -> None:
        """Take away what `begin` has made, and nothing was added to."""
        if self._files is not None:
            self._files.discard()

    async def finish(self) -> None:
        """Write what still waits, and let go of the files."""
        if self._files is not None and self.error is None:
            async with self._writing:
                await self._write()
                await self._try(self._files.sync)
        if self._files is not None:
            self._files.close()

    async def seal(self) -> bool:
        """Write the manifest, which names all that the run's folder holds by now; say whether all is well."""
        if self.error is None:
            await self._try(self._seal)
        return self.error is None

    def _seal(self) -> None:
        folder = self._run.folder
        assert self._files is not None  # noqa: S101 -- for mypy: it is called after begin
        digests = {f"{FOLDER}/{name}": digest for name, digest in self._files.hexdigests().items()}
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix != ".part" and path.name not in _NOT_RESULTS:
                digests[path.name] = _digest(path)
        payload = payload_of(digests, self._predicate())
        manifest = envelope(payload)
        _write(folder / FOLDER / SUMS, sums(digests, sha256(manifest).hexdigest()))
        _write(folder / FOLDER / MANIFEST, manifest)

    def _predicate(self) -> dict[str, Any]:
        counted = self._recording.counted
        return {
            "run_id": self._run.id,
            "started_at": rfc3339(self._run.now),
            "sealed_at": rfc3339(datetime.now(UTC)),
            "counts": {
                "answers": counted.answers,
                "pages": counted.pages,
                "unanswered": counted.unanswered,
                "withheld": counted.withheld,
                "bytes": counted.bytes,
            },
            "previous": None,
            "signed_with": None,
        }

    async def _write(self) -> None:
        if self._files is not None:
            await self._try(self._files.write, self._recording.take_waiting())

    async def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            await to_thread.run_sync(act, *arguments)
        except OSError as error:
            self.error = f"{shown(str(self._run.folder / FOLDER))}: {error.strerror or error}"
            log.error("evidence failed; no more of it is kept", error=self.error)  # noqa: TRY400 -- a disk, no bug


_NOT_RESULTS = frozenset({"checkpoint.jsonl"})


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_bytes(data)
    aside.replace(path)
