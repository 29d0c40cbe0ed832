"""Evidence that was changed by somebody who knows how it is made: every digest is as it should be again."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import zstandard

from auditor.evidence.chain import chained, digest_of
from auditor.evidence.manifest import envelope, payload_of, read_manifest, sums
from tests.evidence.unpacking import unpacked_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Lines = list[dict[str, Any]]


def change_index(folder: Path, change: Callable[[Lines], Lines]) -> None:
    """Write the index as `change` makes it."""
    path = folder / "evidence" / "index.jsonl.zst"
    raw = unpacked_file(path)
    lines = change([json.loads(line) for line in raw.splitlines()])
    written = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(zstandard.ZstdCompressor().compress(written))


def change_lines(path: Path, change: Callable[[Lines], Lines]) -> None:
    """Write a file of lines as `change` makes it."""
    lines = change([json.loads(line) for line in path.read_text("utf-8").splitlines()])
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), "utf-8")


def seal_again(folder: Path, **changed: Any) -> None:
    """Write the manifest of what stands there now, unsigned."""
    path = folder / "evidence" / "manifest.dsse.json"
    before = read_manifest(path.read_bytes())
    subjects = {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in before.subjects
        if (folder / name).exists()
    }
    index = unpacked_file(folder / "evidence" / "index.jsonl.zst")
    predicate = {key: value for key, value in before.predicate.items() if key != "schema"}
    predicate["counts"] = {**predicate["counts"], "answers": index.count(b"\n")}
    predicate |= {"digest": digest_of(chained(subjects)), "signed_with": None, **changed}
    manifest = envelope(payload_of(subjects, predicate))
    path.write_bytes(manifest)
    (folder / "evidence" / "SHA256SUMS").write_bytes(sums(subjects, sha256(manifest).hexdigest()))
