"""What a replay came to: its findings, in the run's own order as far as the run had them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from auditor.audit.place import PlaceEnd
from auditor.errors import EvidenceFault
from auditor.formats import encoded_line
from auditor.model import Status, event_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Self

    from auditor.audit.tally import Tally
    from auditor.audit.telling import Told
    from auditor.coverage import Ledger
    from auditor.evidence.results import JSONLines
    from auditor.model import Finding

_CHUNK = 1024 * 1024
"""Bytes of findings that are written and read at once."""

OF_THE_HISTORY = frozenset({Status.NOT_SEEN, Status.RESOLVED})
"""What no page tells: the run knew it from its history alone."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A finding, as it is told now and as the run told it; None where it is not."""

    finding_id: str
    now: bytes | None
    before: bytes | None
    status_before: Status | None


class _Before(NamedTuple):
    """A finding as the run told it, one of very many: where its line stands, and what of it no page tells."""

    number: int
    start: int
    length: int
    status: Status
    first_seen: str | None


class FindingsBefore:
    """The findings of the run."""

    def __init__(self, lines: JSONLines) -> None:
        """Take note where each stands.

        :raises EvidenceFault: where one is none.
        """
        self._lines = lines
        self.by_id: dict[str, _Before] = {}
        for number, (start, raw, told) in enumerate(lines):
            try:
                status = Status(told["status"])
                self.by_id[told["finding_id"]] = _Before(number, start, len(raw), status, told["first_seen"])
            except (KeyError, ValueError, TypeError):
                raise EvidenceFault(f"findings.jsonl: line {number + 1} is no finding") from None

    def lines(self) -> Iterator[tuple[str, _Before, bytes]]:
        """Yield each finding's id, what is kept of it, and its line."""
        with self._lines.parts() as part:
            for own, before in self.by_id.items():
                yield own, before, part(before.start, before.length)


class Replayed:
    """The findings of a replay, kept on the disk until they are asked for; to be closed by whoever has it."""

    def __init__(self, ledger: Ledger, tally: Tally, before: FindingsBefore, *, is_own: bool) -> None:
        self.ledger = ledger
        self.tally = tally
        self.is_own = is_own
        """Whether it judged as the run did: by the same configuration, policies and instant."""
        self._before = before
        self._spool: IO[bytes] = tempfile.TemporaryFile(buffering=_CHUNK)  # noqa: SIM115 -- closed with this
        self._end = 0
        self._told: list[tuple[str, int, int]] = []
        """Each finding's id, where it begins in the spool, and how long it is there."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    async def tell(self, told: Told) -> None:
        """Take findings; where a place has ended does not matter."""
        if isinstance(told, PlaceEnd):
            return
        for finding in told:
            line = encoded_line(self._as_before(finding))
            self._told.append((finding.finding_id, self._end, len(line)))
            self._end += self._spool.write(line)
        self.tally.found(told)

    def lines(self) -> Iterator[bytes]:
        """Yield each finding as a line of JSON lines.

        What the history alone knew, that a finding is gone or was not seen, stands where the run told it, if the run
        is replayed as it was.
        """
        for pair in self.pairs():
            if pair.now is not None:
                yield pair.now
            elif pair.before is not None and self.is_own and pair.status_before in OF_THE_HISTORY:
                yield pair.before

    def pairs(self) -> Iterator[Pair]:
        """Yield what either has told, in the run's own order; what is new last."""
        by_id = self._before.by_id
        last = len(by_id)
        places = (by_id[own].number if own in by_id else last for own, *_ in self._told)
        ordered = iter(sorted(zip(places, range(len(self._told)), strict=True)))
        place, order = next(ordered, (last, None))
        for own, before, line in self._before.lines():
            if place != before.number:
                yield Pair(own, None, line, before.status)
            while place == before.number and order is not None:
                yield Pair(own, self._spooled(order), line, before.status)
                place, order = next(ordered, (last, None))
        while order is not None:
            yield Pair(self._told[order][0], self._spooled(order), None, None)
            place, order = next(ordered, (last, None))

    def _as_before(self, finding: Finding) -> Finding:
        before = self._before.by_id.get(finding.finding_id)
        if before is None or before.status in OF_THE_HISTORY or before.status is Status.UNTRACKED:
            return finding
        known_as = event_id(finding.finding_id, finding.run_id, before.status)
        return replace(finding, status=before.status, first_seen=before.first_seen, event_id=known_as)

    def _spooled(self, order: int) -> bytes:
        _, start, length = self._told[order]
        self._spool.seek(start)
        return self._spool.read(length)
