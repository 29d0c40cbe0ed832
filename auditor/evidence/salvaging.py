"""What a run that died has kept of its answers, as far as it is whole; it goes on with that, frame by frame."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault
from auditor.evidence.layout import ENVIRONMENT, FOLDER, INDEX, check_installed
from auditor.evidence.lines import Line, read_line
from auditor.evidence.packed import unpacked_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_NEW, _OLD = f"{FOLDER}.new", f"{FOLDER}.old"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The answers of a run that died."""

    folder: Path
    places: frozenset[tuple[str | None, str | None]]
    """The accounts and Regions of which every answer is there."""
    previous: Mapping[str, Any] | None
    """Which run's evidence it named before its own."""

    @property
    def made_anew(self) -> Path:
        """Where what is kept of it is to be written; `replace` puts that in its place."""
        return self.folder.with_name(_NEW)

    def frames(self, done: Collection[tuple[str, str]]) -> Iterator[tuple[bytes, list[Line]]]:
        """Yield the frames, with their lines, of accounts and Regions that are done, and of accounts as a whole."""
        for lines in _places(self.folder):
            if lines[0].place in done or lines[0].region is None:
                for (pack, frame, length), held in groupby(lines, key=_frame_of):
                    yield _bytes(self.folder, pack, frame, length), list(held)

    def replace(self) -> None:
        """Put what was made anew in its place."""
        aside = self.folder.with_name(_OLD)
        self.folder.rename(aside)
        self.made_anew.rename(self.folder)
        shutil.rmtree(aside)


def salvage(run_folder: Path) -> Salvaged | None:
    """Return what the run in this folder has kept; None where it was to keep nothing.

    :raises UsageError: where what reads it is not installed.
    """
    folder, new = run_folder / FOLDER, run_folder / _NEW
    if not folder.is_dir() and not new.is_dir():
        return None
    check_installed("--resume of a run with --evidence")
    if not folder.is_dir():
        new.rename(folder)  # it died between the two renames of `replace`: what was made anew is whole
    for leftover in (new, run_folder / _OLD):
        if leftover.is_dir():
            shutil.rmtree(leftover)
    whole = frozenset(lines[0].place for lines in _places(folder))
    return Salvaged(folder, whole, _previous(folder))


def _places(folder: Path) -> Iterator[list[Line]]:
    """Yield the lines of each place of which every answer is on the disk, up to where the index was cut short."""
    begun: dict[tuple[str | None, str | None], list[Line]] = {}
    sizes: dict[str, int] = {}
    try:
        for number, raw in enumerate(unpacked_lines(folder / INDEX), 1):
            line = read_line(raw, number)
            lines = begun.setdefault(line.place, [])
            lines.append(line)
            if line.place_ends:
                del begun[line.place]
                if all(_is_there(folder, each, sizes) for each in lines):
                    yield lines
    except EvidenceFault:
        return  # what it was about to write as it died


def _is_there(folder: Path, line: Line, sizes: dict[str, int]) -> bool:
    if line.pack is None or line.frame is None or line.frame_length is None:
        return True
    if line.pack not in sizes:
        path = folder / line.pack
        sizes[line.pack] = path.stat().st_size if path.is_file() else 0
    return line.frame + line.frame_length <= sizes[line.pack]


def _frame_of(line: Line) -> tuple[str | None, int | None, int | None]:
    return line.pack, line.frame, line.frame_length


def _bytes(folder: Path, pack: str | None, frame: int | None, length: int | None) -> bytes:
    if pack is None or frame is None or length is None:
        return b""
    with (folder / pack).open("rb") as file:
        file.seek(frame)
        return file.read(length)


def _previous(folder: Path) -> Mapping[str, Any] | None:
    try:
        told = orjson.loads((folder / ENVIRONMENT).read_bytes()).get("previous")
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return None
    return told if isinstance(told, dict) and set(told) == {"run_id", "digest", "why"} else None
