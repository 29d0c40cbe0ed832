"""What a run wrote beside its evidence, as its manifest names it: JSON lines, read one by one."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditor.evidence.reading import Evidence

_CHUNK = 1024 * 1024


class JSONLines:
    """A file of JSON lines in the run's folder."""

    def __init__(self, evidence: Evidence, name: str) -> None:
        """Hold it against its digest.

        :raises EvidenceFault: where it is not what the manifest names, or is not there.
        """
        self._name = name
        self._path: Path = evidence.folder / name
        digest = sha256()
        try:
            with self._path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise EvidenceFault(f"{name}: {error.strerror}") from error
        named = evidence.manifest.subjects.get(name)
        if named != digest.hexdigest():
            raise EvidenceFault(
                f"{name}: {'is not named by the manifest' if named is None else 'is not what the manifest names'}"
            )

    def __iter__(self) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """Yield where each line begins, the line with its line feed, and what it says.

        :raises EvidenceFault: where one is no JSON object.
        """
        at = 0
        with self._path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    told = orjson.loads(raw)
                except orjson.JSONDecodeError:
                    told = None
                if not isinstance(told, dict):
                    raise EvidenceFault(f"{self._name}: line {number} is no JSON object")
                yield at, raw, told
                at += len(raw)

    @contextmanager
    def parts(self) -> Iterator[Callable[[int, int], bytes]]:
        """Give what returns the bytes that stand at a place, by where they begin and how many they are."""
        with self._path.open("rb", buffering=_CHUNK) as file:

            def part(start: int, length: int) -> bytes:
                file.seek(start)
                return file.read(length)

            yield part
