"""Whether a run's files are those that its manifest names, and which line of which was changed."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault
from auditor.evidence.chain import CHAINED_RESULTS, chained, digest_of, named_before
from auditor.evidence.layout import (
    CONFIGURATION,
    ENVIRONMENT,
    FOLDER,
    INDEX,
    LINES,
    LINES_SCHEMA,
    MANIFEST,
    POLICIES,
    SUMS,
)
from auditor.evidence.line_digests import LineDigests
from auditor.evidence.manifest import sums
from auditor.evidence.packed import unpacked_lines
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditor.evidence.reading import Evidence
    from auditor.evidence.signing import PublicKey

_NEEDED = (
    *(f"{FOLDER}/{name}" for name in (CONFIGURATION, ENVIRONMENT, INDEX, LINES, POLICIES)),
    *CHAINED_RESULTS,
    "run.json",
)
_CHUNK = 1024 * 1024
_MOST_LINES = 20_000_000
"""Lines of one file: more than any run writes."""
_MOST_NAMED = 20
"""Lines of one file that are named one by one."""


def signature_faults(evidence: Evidence, key: PublicKey | None, *, allow_unsigned: bool) -> Iterator[str]:
    """Yield what is wrong with the signature."""
    manifest = evidence.manifest
    if not manifest.signatures:
        if key is not None:
            yield "the signature: there is none to hold against --key"
        elif not allow_unsigned:
            yield "the signature: there is none; whoever changed this could make it look untouched"
    elif key is None:
        if not allow_unsigned:
            ids = ", ".join(f"{shown(each.keyid)[:16]}…" for each in manifest.signatures)
            yield f"the signature: is by {ids}, and not checked; name its public key by --key"
    else:
        try:
            key.check(manifest)
        except EvidenceFault as fault:
            yield str(fault)
        described = manifest.predicate.get("signed_with")
        if not isinstance(described, dict) or described.get("keyid") != key.keyid:
            yield f"{FOLDER}/{MANIFEST}: says that another key signed it"


def file_faults(evidence: Evidence) -> Iterator[str]:
    """Yield what is wrong with the files, held against their digests alone."""
    subjects, folder = evidence.manifest.subjects, evidence.folder
    for name in _NEEDED:
        if name not in subjects:
            yield f"{name}: is not named by the manifest"
    changed: set[str] = set()
    for name, digest in subjects.items():
        found = _digest(folder / name)
        if found != digest:
            changed.add(name)
        if found is None:
            yield f"{shown(name)}: is not there, or can't be read"
        elif found != digest and (name not in CHAINED_RESULTS or f"{FOLDER}/{LINES}" in changed):
            yield f"{shown(name)}: is not as it was sealed"
    for name in CHAINED_RESULTS:
        if name in changed and f"{FOLDER}/{LINES}" not in changed and (folder / name).is_file():
            yield from _changed_lines(folder, name)
    yield from _stray_faults(evidence)


def _stray_faults(evidence: Evidence) -> Iterator[str]:
    """Yield what stands beside the files that the manifest names."""
    subjects, folder = evidence.manifest.subjects, evidence.folder
    known = {*subjects, f"{FOLDER}/{MANIFEST}", f"{FOLDER}/{SUMS}"}
    for path in sorted((folder / FOLDER).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in known and not path.is_dir():
            yield f"{shown(name)}: was added; the manifest does not name it"
    written = _read(folder / FOLDER / SUMS)
    if written != sums(subjects, evidence.manifest.sha256):
        yield f"{FOLDER}/{SUMS}: is not there, or not what the manifest names"


def chain_faults(evidence: Evidence, after: Sequence[Path]) -> Iterator[str]:
    """Yield what is wrong with the order of the runs.

    :param after: the folders or manifests of the runs before, the latest first.
    :raises UsageError: where one of these can't be read.
    """
    manifest = evidence.manifest
    if manifest.predicate.get("digest") != digest_of(chained(manifest.subjects)):
        yield f"{FOLDER}/{MANIFEST}: does not say what its own files are known by"
    try:
        told = evidence.environment().get("previous")
        if told != manifest.predicate.get("previous"):
            yield f"{FOLDER}/{ENVIRONMENT}: names another run before than the manifest"
        run = evidence.run()
        for key in ("run_id", "started_at"):
            if run.get(key) != manifest.predicate.get(key):
                yield f"run.json: is of another run than the manifest ({key})"
    except EvidenceFault:
        pass  # told with the files
    named, by = manifest.predicate.get("previous"), manifest.run_id
    for path in after:
        before = named_before(path)
        digest = named.get("digest") if isinstance(named, dict) else None
        if digest is None:
            why = named.get("why") if isinstance(named, dict) else None
            yield f"the chain: run {shown(by)} names no run before it ({shown(str(why))})"
            return
        if before.digest != digest:
            its = shown(str(named.get("run_id"))) if isinstance(named, dict) else ""
            yield (
                f"the chain: run {shown(by)} follows run {its}, and not {shown(str(before.run_id))} as it is in "
                f"{shown(str(path))}: a run between is missing, or one was changed"
            )
            return
        named, by = before.before, str(before.run_id)


def _changed_lines(folder: Path, name: str) -> Iterator[str]:
    """Name the lines that were edited, added, or taken away."""
    try:
        promised = _promised(folder, name)
    except EvidenceFault as fault:
        yield f"{name}: is not as it was sealed; {fault}"
        return
    found = list(LineDigests(folder / name))
    faults: list[str] = []
    if len(found) == len(promised):
        pairs = enumerate(zip(found, promised, strict=True), 1)
        faults = [f"{name}:{number}: was edited" for number, (own, sealed) in pairs if own != sealed]
    else:
        lost, extra = Counter(promised) - Counter(found), Counter(found) - Counter(promised)
        for number, digest in enumerate(found, 1):
            if extra[digest]:
                extra[digest] -= 1
                faults.append(f"{name}:{number}: was edited or added")
        for number, digest in enumerate(promised, 1):
            if lost[digest]:
                lost[digest] -= 1
                faults.append(f"{name}: line {number} as it was sealed was edited or taken away")
    if not faults:
        faults = [f"{name}: is not as it was sealed"]
    yield from faults[:_MOST_NAMED]
    if len(faults) > _MOST_NAMED:
        yield f"{name}: {len(faults) - _MOST_NAMED} more lines are not as they were sealed"


def _promised(folder: Path, name: str) -> list[str]:
    digests: list[str] = []
    for raw in unpacked_lines(folder / FOLDER / LINES):
        try:
            told: Any = orjson.loads(raw)
            if told["schema"] == LINES_SCHEMA and told["file"] == name:
                digests += map(str, told["sha256"])
            if len(digests) > _MOST_LINES:
                raise EvidenceFault(f"{FOLDER}/{LINES}: tells of more lines than any run writes")
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise EvidenceFault(f"{FOLDER}/{LINES}: is damaged") from None
    return digests


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    digest = sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(64 * _CHUNK)
    except OSError:
        return None
