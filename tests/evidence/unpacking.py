"""All bytes that a folder holds, unpacked without the auditor's own reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(folder: Path) -> dict[str, bytes]:
    """Return what stands in each file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): _plain(path.read_bytes(), packed=path.suffix == ".zst")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def unpacked_file(path: Path) -> bytes:
    """Return what stands in one packed file."""
    return _plain(path.read_bytes(), packed=True)


def _plain(raw: bytes, *, packed: bool) -> bytes:
    if not packed:
        return raw
    plain = b""
    while raw:
        frame = zstandard.ZstdDecompressor().decompressobj()
        plain += frame.decompress(raw)
        raw = frame.unused_data
    return plain
