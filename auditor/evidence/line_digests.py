"""A digest for each line of findings.jsonl and coverage.jsonl: so that the very line that was edited can be named."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from auditor.evidence.layout import LINE_DIGITS, LINES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AT_ONCE = 2000
"""Lines that are told of in one."""


class LineDigests:
    """Goes through a file, and keeps the digest of the whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = sha256()

    @property
    def whole(self) -> str:
        """The SHA-256 of what was gone through so far, in hex."""
        return self._whole.hexdigest()

    def __iter__(self) -> Iterator[str]:
        """Yield the digest of each line, its line feed included."""
        with self._path.open("rb") as file:
            for line in file:
                self._whole.update(line)
                yield sha256(line).hexdigest()[:LINE_DIGITS]


def written(name: str, digests: LineDigests) -> Iterator[bytes]:
    """Yield the lines that tell of the lines of a file."""
    batch: list[str] = []
    first = 1
    for digest in digests:
        batch.append(digest)
        if len(batch) == _AT_ONCE:
            yield _line(name, first, batch)
            first, batch = first + len(batch), []
    if batch:
        yield _line(name, first, batch)


def _line(name: str, first: int, batch: list[str]) -> bytes:
    told = {"schema": LINES_SCHEMA, "file": name, "first": first, "sha256": batch}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
