"""What a run's evidence is known by, and which run's came before it: a night that was taken away is missed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from auditor.errors import EvidenceFault, UsageError
from auditor.evidence.layout import FOLDER, MANIFEST, SUMS
from auditor.evidence.manifest import digest_lines, read_manifest
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHAINED_RESULTS = ("findings.jsonl", "coverage.jsonl")
"""What is written before a run's digest is taken, beside the evidence: run.json says how all went, and comes last."""
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Previous:
    """The run before, as a run's evidence names it."""

    run_id: str | None
    """None where none is named; then `why`."""
    digest: str | None
    why: str | None = None

    def told(self) -> dict[str, Any]:
        """Return what stands in the environment and the manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Known:
    """A run before, as its own manifest tells of it."""

    run_id: str
    digest: str
    before: Mapping[str, Any] | None
    """The run that it names before itself."""


def chained(digests: Mapping[str, str]) -> dict[str, str]:
    """Return the files that a run's digest is of, in its order."""
    own = (f"{FOLDER}/{MANIFEST}", f"{FOLDER}/{SUMS}")
    inner = [name for name in sorted(digests) if name.startswith(f"{FOLDER}/") and name not in own]
    return {name: digests[name] for name in (*inner, *CHAINED_RESULTS) if name in digests}


def digest_of(digests: Mapping[str, str]) -> str:
    """Return what the evidence is known by: the SHA-256, in hex, of the first lines of SHA256SUMS.

    :param digests: those that are chained.
    """
    return sha256(digest_lines(digests)).hexdigest()


def named_before(path: Path) -> Known:
    """Return the run whose folder or manifest is named.

    :raises UsageError: where no manifest can be read there.
    """
    manifest = path / FOLDER / MANIFEST if path.is_dir() else path
    try:
        with manifest.open("rb") as file:
            read = read_manifest(file.read(_LARGEST))
    except OSError as error:
        raise UsageError(f"--evidence-after {shown(str(manifest))}: {error.strerror}") from error
    except EvidenceFault as fault:
        raise UsageError(f"--evidence-after {shown(str(path))}: {fault}") from fault
    before = read.predicate.get("previous")
    return Known(read.run_id, digest_of(chained(read.subjects)), before if isinstance(before, dict) else None)
