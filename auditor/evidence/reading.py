"""Evidence, read again: place by place, in the order in which they ended, nothing trusted and nothing held whole.

::

    evidence = Evidence.open(Path("runs/20260101T000000Z-1a2b3c4d"))
    for place in evidence.places():
        for line, body in evidence.answers(place):
            ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault, UsageError
from auditor.evidence.layout import (
    CONFIGURATION,
    ENVIRONMENT,
    FOLDER,
    INDEX,
    MANIFEST,
    POLICIES,
    check_installed,
)
from auditor.evidence.lines import Line, read_line
from auditor.evidence.manifest import Manifest, read_manifest
from auditor.evidence.packed import MOST_WINDOW, unpacked_lines
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zstandard import ZstdDecompressor

_LARGEST_MANIFEST = 64 * 1024 * 1024
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes: no answer of AWS comes near, and what says that it is longer is refused before it is unpacked."""
_LARGEST_DOCUMENT = 256 * 1024 * 1024


@dataclass(slots=True)
class StoredPlace:
    """An account and Region, or what an account as a whole was asked, with the lines of its answers."""

    account_id: str | None
    region: str | None
    lines: list[Line] = field(default_factory=list)
    """In the order in which the answers came."""

    @property
    def is_whole(self) -> bool:
        """Whether its last answer is among them."""
        return bool(self.lines) and self.lines[-1].place_ends


class Evidence:
    """The evidence of one run; its files are looked at when they are asked for."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        """The run's."""
        self.manifest = manifest
        self._stored = folder / FOLDER

    @classmethod
    def open(cls, folder: Path) -> Evidence:
        """Open the evidence in a run's folder.

        :raises UsageError: where there is none, or what reads it is not installed.
        :raises EvidenceFault: where its manifest can't be used: damaged, of another version, or one whose paths leave
            the folder.
        """
        check_installed("evidence")
        named = shown(str(folder))
        if not (folder / FOLDER).is_dir():
            raise UsageError(
                f"{named}: holds no evidence; name the folder of a run that was given --evidence"
            )
        try:
            _check_kinds(folder, folder / FOLDER)
            raw = _whole(folder / FOLDER / MANIFEST, _LARGEST_MANIFEST)
        except FileNotFoundError:
            raise EvidenceFault(
                f"{FOLDER}/{MANIFEST}: is not there; the evidence is unfinished, or it was taken away"
            ) from None
        except OSError as error:
            raise EvidenceFault(f"{FOLDER}/{MANIFEST}: {error.strerror}") from error
        manifest = read_manifest(raw)
        for name in manifest.subjects:
            _check_path(folder, name)
        return cls(folder, manifest)

    def configuration(self) -> bytes:
        """Return the configuration as it was run, as accounts.yaml has it, without secrets.

        :raises EvidenceFault: where it is not what the manifest names. So for the others below.
        """
        return self.file(f"{FOLDER}/{CONFIGURATION}")

    def policies(self) -> Mapping[str, Any]:
        """Return the policies by their id."""
        return self._document(f"{FOLDER}/{POLICIES}")

    def environment(self) -> Mapping[str, Any]:
        """Return what the run was made by, and with."""
        return self._document(f"{FOLDER}/{ENVIRONMENT}")

    def run(self) -> Mapping[str, Any]:
        """Return run.json."""
        return self._document("run.json")

    def file(self, name: str) -> bytes:
        """Return a file that the manifest names, held against its digest."""
        digest = self.manifest.subjects.get(name)
        if digest is None:
            raise EvidenceFault(f"{name}: is not named by the manifest")
        try:
            raw = _whole(self.folder / name, _LARGEST_DOCUMENT)
        except OSError as error:
            raise EvidenceFault(f"{name}: {error.strerror}") from error
        if sha256(raw).hexdigest() != digest:
            raise EvidenceFault(f"{name}: is not what the manifest names")
        return raw

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the index.

        :raises EvidenceFault: where it is damaged.
        """
        told = self.manifest.predicate.get("counts")
        promised = told.get("answers") if isinstance(told, dict) else None
        if not isinstance(promised, int):
            raise EvidenceFault(f"{FOLDER}/{MANIFEST}: does not say how many answers there are")
        number = 0
        for number, raw in enumerate(unpacked_lines(self.folder / FOLDER / INDEX), 1):
            if number > promised:
                break
            yield read_line(raw, number)
        if number != promised:
            raise EvidenceFault(
                f"the index: has {'more' if number > promised else number} lines, not the {promised} that the manifest counts"
            )

    def places(self) -> Iterator[StoredPlace]:
        """Yield each place once its last line was read; those whose end never comes follow at the end.

        An account as a whole is a place without a Region, and comes again with each of its answers.

        :raises EvidenceFault: where the index is damaged.
        """
        begun: dict[tuple[str | None, str | None], StoredPlace] = {}
        for line in self.lines():
            place = begun.get(line.place)
            if place is None:
                place = begun[line.place] = StoredPlace(line.account_id, line.region)
            place.lines.append(line)
            if line.place_ends:
                yield begun.pop(line.place)
        yield from begun.values()

    def answers(self, place: StoredPlace) -> Iterator[tuple[Line, bytes | None]]:
        """Yield the place's answers, each with its body; None where that was withheld, or none came.

        :raises EvidenceFault: where a body is not what its line says.
        """
        for (pack, frame, length), lines in groupby(place.lines, key=_frame_of):
            held = list(lines)
            if pack is None or frame is None or length is None:
                for line in held:
                    if line.length:
                        raise EvidenceFault(f"{line.named}: has a body that stands in no pack")
                    yield line, None if line.withheld or line.status is None else b""
                continue
            bodies = self._unpacked(pack, frame, length, held)
            for line in held:
                start = line.at_in_frame or 0
                body = bodies[start : start + line.length]
                if sha256(body).hexdigest() != line.sha256:
                    raise EvidenceFault(f"{line.named}: its body is not what its line says")
                yield line, None if line.withheld or line.status is None else body

    def _unpacked(self, pack: str, frame: int, length: int, lines: list[Line]) -> bytes:
        import zstandard  # noqa: PLC0415 -- an extra

        named = f"{pack} at {frame}"
        if f"{FOLDER}/{pack}" not in self.manifest.subjects:
            raise EvidenceFault(
                f"{lines[0].named}: stands in {shown(pack)}, which the manifest does not name"
            )
        promised = sum(line.length for line in lines)
        if promised > LARGEST_ANSWER or length > LARGEST_ANSWER:
            raise EvidenceFault(f"{named}: would be {promised} bytes, more than any answers are")
        try:
            with (self._stored / pack).open("rb") as file:
                file.seek(frame)
                packed = file.read(length)
            # Its own word on its size comes first: what promises more than its lines do is not unpacked at all.
            if zstandard.frame_content_size(packed) != promised:
                raise EvidenceFault(f"{named}: does not hold the {promised} bytes that its lines say")
            unpacker = self._unpacker.decompressobj()
            bodies = unpacker.decompress(packed)
        except OSError as error:
            raise EvidenceFault(f"{named}: {error.strerror}") from error
        except (zstandard.ZstdError, ValueError):
            raise EvidenceFault(f"{named}: is damaged ({lines[0].named} and what follows in it)") from None
        if len(packed) != length or len(bodies) != promised or not unpacker.eof or unpacker.unused_data:
            raise EvidenceFault(f"{named}: does not hold the {promised} bytes that its lines say")
        at = 0
        for line in lines:
            if line.at_in_frame != at:
                raise EvidenceFault(f"{line.named}: does not stand in {named} where its line says")
            at += line.length
        return bodies

    @cached_property
    def _unpacker(self) -> ZstdDecompressor:
        """Made once: that takes longer than to unpack a frame."""
        import zstandard  # noqa: PLC0415 -- an extra

        return zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW)

    def _document(self, name: str) -> Mapping[str, Any]:
        try:
            told = orjson.loads(self.file(name))
        except orjson.JSONDecodeError:
            told = None
        if not isinstance(told, dict):
            raise EvidenceFault(f"{name}: is no JSON object")
        return told


def _frame_of(line: Line) -> tuple[str | None, int | None, int | None]:
    return line.pack, line.frame, line.frame_length


def _check_kinds(*folders: Path) -> None:
    """Let no pipe or device stand among the files: reading it would never end.

    :raises EvidenceFault: where there is one.
    """
    for path in (path for folder in folders for path in folder.iterdir()):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise EvidenceFault(f"{shown(path.name)[:200]}: is neither a file nor a folder")


def _check_path(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and name == str(path) and ".." not in path.parts and "\0" not in name
    if not inside or "\\" in name or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise EvidenceFault(
            f"{FOLDER}/{MANIFEST}: names {shown(name)[:200]}, which is not in the run's folder"
        )


def _whole(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    :raises EvidenceFault: where there are more than `most`.
    """
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise EvidenceFault(f"{shown(path.name)}: is longer than {most} bytes")
    return raw
