"""The answers of a run, kept: recorded by its readers, written in a thread, and named by a manifest at its end."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio import to_thread

from auditor.audit.kept import documents
from auditor.errors import SinkError
from auditor.evidence.chain import CHAINED_RESULTS, Previous, chained, digest_of
from auditor.evidence.layout import FOLDER, LINES, MANIFEST, SUMS
from auditor.evidence.line_digests import LineDigests, written
from auditor.evidence.manifest import envelope, payload_of, sums
from auditor.evidence.recording import Files, Recording
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.audit.preparing import Ready, Run
    from auditor.aws.hearing import Answer
    from auditor.evidence.salvaging import Salvaged
    from auditor.evidence.signing import Signer

log = structlog.get_logger()

_CHUNK = 1024 * 1024
_NO_RESULTS = frozenset({"checkpoint.jsonl"})
"""What stands in the run's folder, and goes when the run is done."""


class Keeper:
    """Keeps the answers of one run. After its first failure it keeps no more, and says why: the run goes on."""

    def __init__(self, run: Run, signer: Signer | None) -> None:
        self._run = run
        self._signer = signer
        # Where an ExternalId is the account's id or name, as some write it, it tells nothing that is not told anyway.
        accounts = run.config.accounts
        self._recording = Recording(
            {account.id for account in accounts} | {account.name for account in accounts if account.name}
        )
        self._files: Files | None = None
        self._early: list[Answer] = []
        """What came before the answers that a run goes on with, which stand first, were in their place."""
        self._previous = Previous(None, None)
        self._digests: dict[str, str] = {}
        self._writing = anyio.Lock()
        self.error: str | None = None

    def record(self, answer: Answer) -> None:
        """Keep an answer."""
        if self._run.salvaged is not None and self._files is None:
            self._early.append(answer)
        elif self.error is None:
            self._recording.take(answer)

    async def relieve(self) -> None:
        """Write what waits, where it is worth it; nothing is written before the run has its folder."""
        if self._recording.is_due and self._files is not None and self.error is None:
            async with self._writing:
                if self._recording.is_due:
                    await self._write(self._files)

    def ended(self, account_id: str, region: str) -> None:
        """Take note that nothing more is asked of an account and Region."""
        if self.error is None:
            self._recording.ended(account_id, region)

    def begin(self, ready: Ready, before: tuple[str, str] | None) -> None:
        """Make the evidence's folder in the run's, and write there what the run is made by and with.

        :param before: the run before that kept evidence, as the history knows it.
        :raises SinkError: where that can't be done.
        """
        self._previous = previous = _previous(self._run, before)
        salvaged = self._run.salvaged
        folder = self._run.folder / FOLDER if salvaged is None else salvaged.made_anew
        try:
            self._files = Files(folder)
            for name, document in documents(self._run, ready, previous).items():
                self._files.add(name, document)
            if salvaged is not None:
                self._go_on(self._files, salvaged)
        except OSError as error:
            raise SinkError(f"{shown(str(folder))}: {error.strerror}") from error

    def _go_on(self, files: Files, salvaged: Salvaged) -> None:
        """Keep what was kept of the places that are done; what is done again is kept as it is answered now."""
        done = self._run.resumed.places if self._run.resumed is not None else {}
        for frame, lines in salvaged.frames(done.keys()):
            self._recording.keep(frame, lines)
            if self._recording.is_due:
                files.write(self._recording.take_waiting())
        files.write(self._recording.take_waiting())
        files.sync()
        salvaged.replace()
        files.moved(salvaged.folder)
        for answer in self._early:
            self._recording.take(answer)
        self._early.clear()

    def discard(self) -> None:
        """Take away what `begin` has made, and nothing was added to."""
        if self._files is not None and self._run.salvaged is None:
            self._files.discard()

    async def secure(self) -> None:
        """Bring to the disk what was recorded so far."""
        if self._files is not None and self.error is None:
            async with self._writing:
                await self._write(self._files)
                await self._try(self._files.sync)

    async def finish(self) -> None:
        """Write what still waits."""
        if self._files is not None and self.error is None:
            async with self._writing:
                await self._write(self._files)

    async def digest(self) -> str | None:
        """Return what the evidence is known by, once findings and ledger are written; None where it is not whole."""
        if self._files is not None:
            await self._try(self._name_all, self._files)
        return digest_of(self._digests) if self.error is None else None

    async def seal(self) -> bool:
        """Write the manifest, which names all that the run's folder holds by now; say whether all is well."""
        if self.error is None:
            await self._try(self._name_results)
        if self.error is None:
            await self._seal()
        return self.error is None

    async def _seal(self) -> None:
        if withheld := self._recording.counted.withheld_pages:
            log.warning("pages withheld: an ExternalId or a key stands in them", pages=withheld)
        payload = payload_of(self._digests, self._predicate())
        try:
            signatures = (await self._signer.sign(payload),) if self._signer is not None else ()
        except SinkError as error:
            self._failed(str(error))
            return
        if not signatures:
            log.warning("the evidence is not signed: whoever changes it can make it look untouched")
        await self._try(self._write_manifest, envelope(payload, signatures))

    def _name_all(self, files: Files) -> None:
        for name in CHAINED_RESULTS:
            path = self._run.folder / name
            if path.is_file():
                lines = LineDigests(path)
                for part in written(name, lines):
                    files.add_packed(LINES, part)
                self._digests[name] = lines.whole
        files.sync()
        files.close()
        self._digests |= {f"{FOLDER}/{name}": digest for name, digest in files.hexdigests().items()}
        self._digests = chained(self._digests)

    def _name_results(self) -> None:
        for path in sorted(self._run.folder.iterdir()):
            left_out = path.suffix == ".part" or path.name in _NO_RESULTS or path.name in self._digests
            if path.is_file() and not left_out:
                self._digests[path.name] = _digest(path)

    def _predicate(self) -> dict[str, Any]:
        counted = self._recording.counted
        return {
            "run_id": self._run.id,
            "started_at": rfc3339(self._run.now),
            "sealed_at": rfc3339(datetime.now(UTC)),
            "digest": digest_of(chained(self._digests)),
            "previous": self._previous.told(),
            "counts": {
                "answers": counted.answers,
                "pages": counted.pages,
                "unanswered": counted.unanswered,
                "withheld": counted.withheld,
                "bytes": counted.bytes,
            },
            "signed_with": self._signer.described if self._signer else None,
        }

    def _write_manifest(self, manifest: bytes) -> None:
        folder = self._run.folder / FOLDER
        _write(folder / SUMS, sums(self._digests, sha256(manifest).hexdigest()))
        _write(folder / MANIFEST, manifest)

    async def _write(self, files: Files) -> None:
        await self._try(files.write, self._recording.take_waiting())

    async def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            await to_thread.run_sync(act, *arguments)
        except OSError as error:
            self._failed(f"{shown(str(self._run.folder / FOLDER))}: {error.strerror or error}")

    def _failed(self, why: str) -> None:
        self.error = why
        log.error("evidence failed; no more of it is kept", error=why)


def _previous(run: Run, in_history: tuple[str, str] | None) -> Previous:
    if run.salvaged is not None and run.salvaged.previous is not None:
        return Previous(**run.salvaged.previous)
    if run.evidence_after is not None:
        return Previous(run.evidence_after.run_id, run.evidence_after.digest)
    if in_history is not None:
        return Previous(*in_history)
    if run.config.history is not None:
        return Previous(None, None, "the first in its history that keeps evidence")
    return Previous(None, None, "there is no history, and --evidence-after named none")


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
