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
from auditor.model import ASKED_BESIDES, CALLER_IDENTITY, EXPORT_RECORDS, NOT_OF_AN_ACCOUNT, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.evidence.reading import Evidence

_BESIDES = frozenset({*ASKED_BESIDES, *NOT_OF_AN_ACCOUNT, CALLER_IDENTITY})
"""What is asked of no account and Region in particular."""
_CUT_OFF = frozenset({Reason.DEADLINE, Reason.INTERRUPTED, Reason.INTERNAL_ERROR})
"""Reasons that the run itself gave, whatever was answered last."""


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
                    yield from _target_faults(target, Followed(), besides, targets.get(EXPORT_RECORDS))

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
        yield from _target_faults(target, kept, besides, targets.get(EXPORT_RECORDS))


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


def _target_faults(
    target: dict[str, Any], kept: Followed, besides: _Besides, records: dict[str, Any] | None
) -> Iterator[str]:
    """Hold one target of the ledger against its answers.

    :param records: the target of the records of its account and Region.
    """
    name = shown(f"{target.get('account_id')} {target.get('region')} {target.get('source')}")
    if kept.is_damaged:
        return  # what can't be read can't be counted; it was named
    for what, found in (
        ("requests", kept.requests),
        ("pages", kept.pages),
        ("records", kept.records),
    ):
        if target.get(what) != found:
            yield f"{name}: the ledger says {target.get(what)} {what}, and the answers are {found}"
    verdict, reason = target.get("verdict"), target.get("reason")
    if (verdict == "complete") != (reason is None):
        yield f"{name}: the ledger says {verdict} for {reason}"
    if verdict in ("failed", "skipped") and kept.pages:
        yield f"{name}: the ledger says {verdict}, and pages of it were read"
    if verdict == "partial" and not kept.pages:
        yield f"{name}: the ledger says partial, and no page of it was read"
    if verdict == "complete" and (kept.reason is not None or kept.expects is not None):
        yield f"{name}: the ledger says complete, and the last page is missing"
    if verdict == "complete" and target is records and not kept.pages:
        yield f"{name}: the ledger says complete, and no page of it was kept"
    if verdict != "complete" and not (_as_records(target, records) and kept.reason is None):
        yield from _reason_faults(name, target, kept, besides)


def _as_records(target: dict[str, Any], records: dict[str, Any] | None) -> bool:
    """Say whether a source of facts ended as the records did, which kept it from being asked."""
    if records is None or target is records:
        return False
    return all(target.get(what) == records.get(what) for what in ("reason", "error_code", "error_message"))


def _reason_faults(name: str, target: dict[str, Any], kept: Followed, besides: _Besides) -> Iterator[str]:
    reason, why = target.get("reason"), (target.get("error_code"), target.get("error_message"))
    if reason in _CUT_OFF or target.get("source") in NOT_OF_AN_ACCOUNT:
        return
    if reason in (Reason.DEPENDENCY_FAILED, Reason.ACCOUNT_SUSPENDED):
        if kept.reason is not None:
            yield f"{name}: the ledger says {reason}, and the last answer was taken for {kept.reason}"
    elif reason == Reason.PAGE_TOKEN_LOOP:
        if not kept.loops:
            yield f"{name}: the ledger says {reason}, and no page names one that was read before"
    elif (
        (kept.reason == reason and kept.why == why)
        or (reason == Reason.REGION_NOT_ENABLED and kept.why == why and kept.reason == Reason.ACCESS_DENIED)
        or (
            reason == Reason.PAGE_TOKEN_REJECTED and kept.why == why and kept.reason == Reason.INVALID_REQUEST
        )
    ):
        return
    elif reason == Reason.WRONG_ACCOUNT or why in besides.refusals:
        return  # its role: told by STS, of which the answers that hold credentials are not kept
    else:
        said = f"{reason} ({shown(str(why[0]))})"
        last = f"{kept.reason} ({shown(str(kept.why[0]))})"
        yield f"{name}: the ledger says {said}, and the last answer was {last}"


def _object(raw: bytes, number: int) -> dict[str, Any]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise EvidenceFault(f"coverage.jsonl:{number}: is no JSON object")
    return told
