"""Whether every target of the ledger has its answers, no answer is without a target, and none was moved or left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault
from auditor.evidence.following import Followed, follow
from auditor.evidence.layout import FOLDER, PACK_NAMED
from auditor.evidence.reading import StoredPlace
from auditor.evidence.verdicts import target_faults
from auditor.model import ASKED_BESIDES, CALLER_IDENTITY, EXPORT_RECORDS, NOT_OF_AN_ACCOUNT, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.evidence.reading import Evidence

_BESIDES = frozenset({*ASKED_BESIDES, *NOT_OF_AN_ACCOUNT, CALLER_IDENTITY})
"""What is asked of no account and Region in particular."""


def completeness_faults(evidence: Evidence) -> Iterator[str]:
    """Yield what is wrong with the answers, held against the ledger."""
    try:
        ledger = _Ledger(evidence)
    except (EvidenceFault, OSError) as fault:
        yield f"coverage.jsonl: can't be held against the answers: {fault}"
        return
    packs = _Packs(evidence)
    besides = _Besides()
    try:
        for place in evidence.places():
            packs.see(place)
            if place.region is None:
                yield from besides.see(evidence, place)
            else:
                yield from _place_faults(evidence, place, ledger, besides)
    except EvidenceFault as fault:
        yield str(fault)
        return
    yield from packs.faults()
    yield from ledger.unseen(besides)


class _Ledger:
    """Where each account and Region stands in coverage.jsonl: its lines follow one another, as the plan has them."""

    def __init__(self, evidence: Evidence) -> None:
        """Go through the ledger.

        :raises EvidenceFault: where a line is none.
        """
        self._path = evidence.folder / "coverage.jsonl"
        self._at: dict[tuple[str, str], list[int]] = {}
        self._seen: set[tuple[str, str]] = set()
        at = 0
        with self._path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                told = _object(raw, number)
                self._at.setdefault((str(told.get("account_id")), str(told.get("region"))), []).append(at)
                at += len(raw)

    def targets(self, account_id: str | None, region: str | None) -> dict[str, dict[str, Any]] | None:
        """Return the lines of an account and Region by their source; None where there is none, or they were taken."""
        key = (str(account_id), str(region))
        if key in self._seen or key not in self._at:
            return None
        self._seen.add(key)
        return self._lines(key)

    def unseen(self, besides: _Besides) -> Iterator[str]:
        """Yield what is wrong with the targets of which no answer was kept."""
        for key in self._at:
            if key not in self._seen:
                targets = self._lines(key)
                for target in targets.values():
                    yield from target_faults(
                        target, Followed(), besides.refusals, targets.get(EXPORT_RECORDS)
                    )

    def _lines(self, key: tuple[str, str]) -> dict[str, dict[str, Any]]:
        lines: dict[str, dict[str, Any]] = {}
        with self._path.open("rb") as file:
            for at in self._at[key]:
                file.seek(at)
                told = _object(file.readline(), 0)
                lines[str(told.get("source"))] = told
        return lines


class _Packs:
    """Which bytes of the packs some line has told of: all of them, each once, in their order."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._frames: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)

    def see(self, place: StoredPlace) -> None:
        """Take note of a place's frames."""
        last: tuple[str | None, int | None] | None = None
        for line in place.lines:
            if line.pack is not None and (line.pack, line.frame) != last:
                self._frames[line.pack].append((line.frame or 0, line.frame_length or 0))
                last = (line.pack, line.frame)

    def faults(self) -> Iterator[str]:
        """Yield which packs hold what no line tells of, or tell of what they do not hold."""
        folder = self._evidence.folder / FOLDER
        held = {path.name for path in folder.iterdir() if PACK_NAMED.fullmatch(path.name)}
        for name in sorted(held | set(self._frames)):
            end = 0
            for frame, length in sorted(self._frames[name]):
                if frame != end:
                    what = "holds what no line of the index tells of" if frame > end else "is told of twice"
                    yield f"{FOLDER}/{shown(name)}: {what}, from byte {min(frame, end)} on"
                end = max(end, frame + length)
            size = (folder / name).stat().st_size if name in held else 0
            if size != end:
                yield f"{FOLDER}/{shown(name)}: is {size} bytes long, and the index tells of {end}"


class _Besides:
    """What was asked of an account as a whole: which role was refused, and which Regions are off."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str | None, str]] = Counter()
        self.refusals: set[tuple[str | None, str | None]] = set()
        """AWS's code and text, of each call that came to nothing."""

    def see(self, evidence: Evidence, place: StoredPlace) -> Iterator[str]:
        """Yield what is wrong with these answers."""
        for line in place.lines:
            key = (line.account_id, line.source)
            if line.source not in _BESIDES:
                yield f"{line.named}: belongs to no target of the ledger"
            elif line.seq != self._asked[key]:
                yield f"{line.named}: stands where answer {self._asked[key]} should"
            self._asked[key] = line.seq + 1
            if line.reason is not None:
                self.refusals.add((line.error_code, line.error_message))
        try:
            for _ in evidence.answers(place):
                pass
        except EvidenceFault as fault:
            yield str(fault)


def _place_faults(
    evidence: Evidence, place: StoredPlace, ledger: _Ledger, besides: _Besides
) -> Iterator[str]:
    name = shown(f"{place.account_id} {place.region}")
    targets = ledger.targets(place.account_id, place.region)
    if targets is None:
        yield f"{name}: has {len(place.lines)} answers, and is no place of the ledger, or came before"
        return
    if not place.is_whole:
        yield f"{name}: its last answer is missing"
    followed: dict[str, Followed] = {}
    yield from _follow_all(evidence, place, followed)
    for source in followed:
        if source not in targets:
            yield f"{name} {shown(source)}: has answers, and is no target of the ledger"
    for source, target in targets.items():
        kept = followed.get(source) or Followed()
        yield from target_faults(target, kept, besides.refusals, targets.get(EXPORT_RECORDS))


def _follow_all(evidence: Evidence, place: StoredPlace, followed: dict[str, Followed]) -> Iterator[str]:
    """Follow the answers of each of a place's targets; yield what is wrong on the way."""
    for frame in _frames(place):
        try:
            for line, body in evidence.answers(frame):
                fault = follow(followed.setdefault(line.source, Followed()), line, body)
                if fault is not None:
                    yield fault
        except EvidenceFault as damage:
            yield str(damage)
            for line in frame.lines:
                followed.setdefault(line.source, Followed()).is_damaged = True


def _frames(place: StoredPlace) -> Iterator[StoredPlace]:
    """Yield the place frame by frame: what is damaged in one leaves the others readable."""
    for _, lines in groupby(place.lines, key=lambda line: (line.pack, line.frame)):
        yield StoredPlace(place.account_id, place.region, list(lines))


def _object(raw: bytes, number: int) -> dict[str, Any]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise EvidenceFault(f"coverage.jsonl:{number}: is no JSON object")
    return told
