"""Files of lines that are packed by zstd, frame after frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.errors import EvidenceFault
from auditor.evidence.layout import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_WINDOW = 128 * 1024 * 1024
"""Bytes: what zstd's own command takes at the most unless told otherwise."""
_LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; a request names 200 ids at the most."""
_CHUNK = 256 * 1024


def unpacked_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that is frames of zstd, one after the other.

    :raises EvidenceFault: where it is damaged, or cut short in a line.
    """
    import zstandard  # noqa: PLC0415 -- an extra

    name = f"{FOLDER}/{path.name}"
    rest = b""
    try:
        with path.open("rb") as file:
            unpacker = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW)
            with unpacker.stream_reader(file, read_across_frames=True) as stream:
                while chunk := stream.read(_CHUNK):
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from whole
                    if len(rest) > _LONGEST_LINE:
                        raise EvidenceFault(f"{name}: a line is longer than any answer needs")
    except OSError as error:
        raise EvidenceFault(f"{name}: {error.strerror}") from error
    except zstandard.ZstdError:
        raise EvidenceFault(f"{name}: is damaged") from None
    if rest:
        raise EvidenceFault(f"{name}: is cut short")
