"""Answers on their way to the disk while the audit runs, in bounded memory.

The answers of an account and Region are gathered until they are worth a frame, or the place has ended. Frames and the
lines that tell of them wait until they are worth a write. Nothing here waits or starts a thread: `take` is called
where time matters, `write` from wherever blocking does not.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from auditor.evidence.canaries import holds_secret
from auditor.evidence.layout import ANSWER_SCHEMA, GATHERED, INDEX, PACK_ENDS_AT, pack_name
from auditor.evidence.lines import token_digest
from auditor.model import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from auditor.aws.hearing import Answer
    from auditor.evidence.lines import Line

_LEVEL = 3
"""zstd's own default."""
_WORTH_A_WRITE = 256 * 1024
"""Bytes of frames and lines."""
_NOTHING = sha256(b"").hexdigest()


@dataclass(slots=True)
class _Gathered:
    """Answers of one account and Region that are no frame yet."""

    bodies: list[bytes] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class Waiting:
    """What is to be written: parts of packs, by the pack's number, and lines of the index.

    Each gathered in one place: frames that lie about between the bodies that come and go would leave holes that no
    other body fits in, and cost ten times their size.
    """

    packs: dict[int, bytearray] = field(default_factory=dict)
    lines: bytearray = field(default_factory=bytearray)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.lines) + sum(map(len, self.packs.values()))


@dataclass(slots=True)
class Counted:
    """How much was recorded."""

    answers: int = 0
    pages: int = 0
    withheld: int = 0
    withheld_pages: int = 0
    """Of these: what follows from them can't be verified."""
    unanswered: int = 0
    """Calls that no whole answer came of."""
    bytes: int = 0
    """Of all bodies, as they were received."""


class Recording:
    """The answers of one run."""

    def __init__(
        self, public: Collection[str] = (), *, gathered: int = GATHERED, pack_ends_at: int = PACK_ENDS_AT
    ) -> None:
        """Begin.

        :param public: texts that are no secret, whatever else they are: an account's id as its ExternalId, say.
        :param gathered: bytes of answers of one account and Region that become a frame.
        :param pack_ends_at: bytes from which on the next frame begins another pack.
        """
        self._most_gathered = gathered
        self._pack_ends_at = pack_ends_at
        self._public = frozenset(public)
        self._places: dict[tuple[str | None, str | None], _Gathered] = {}
        self._asked_besides: Counter[tuple[str | None, str]] = Counter()
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._pack = 1
        self._position = 0
        self.waiting = Waiting()
        self.counted = Counted()

    @property
    def is_due(self) -> bool:
        """Whether enough waits to be written."""
        return self.waiting.size >= _WORTH_A_WRITE

    def take(self, answer: Answer) -> None:
        """Gather an answer."""
        asked = answer.asked
        place = (asked.account_id, asked.region)
        body, line = self._checked(answer)
        if asked.seq is None:
            line["seq"] = self._asked_besides[place[0], asked.source]
            self._asked_besides[place[0], asked.source] += 1
        gathered = self._places.get(place)
        if gathered is None:
            gathered = self._places[place] = _Gathered()
        elif gathered.size + len(body) > self._most_gathered:
            # Before it is added, so that there is always an answer left to say that the place ends.
            self._frame(gathered, ends=False)
        gathered.lines.append(line)
        if body:
            gathered.bodies.append(body)
            gathered.size += len(body)
        if asked.region is None:
            self.ended(*place)

    def ended(self, account_id: str | None, region: str | None) -> None:
        """Take note that no answer of this account and Region follows."""
        gathered = self._places.pop((account_id, region), None)
        if gathered is not None:
            self._frame(gathered, ends=True)

    def take_waiting(self) -> dict[str, bytes | bytearray]:
        """Return what is to be written, by the name of its file, and waits no more then; answers before their lines."""
        taken, self.waiting = self.waiting, Waiting()
        parts: dict[str, bytes | bytearray] = {
            pack_name(number): frames for number, frames in taken.packs.items()
        }
        if taken.lines:
            parts[INDEX] = self._compressor.compress(taken.lines)
        return parts

    def _checked(self, answer: Answer) -> tuple[bytes, dict[str, Any]]:
        asked, failure, body = answer.asked, answer.failure, answer.body
        secrets = [each for each in answer.secrets if each not in self._public]
        is_page = answer.page is not None
        if body is not None and holds_secret(body, secrets, is_page=is_page):
            body = None
        withheld = body is None
        body = body or b""
        line: dict[str, Any] = {
            "schema": ANSWER_SCHEMA,
            "account_id": asked.account_id,
            "region": asked.region,
            "source": asked.source,
            "seq": asked.seq,
            "request": asked.request,
            "token": token_digest(asked.token),
            "page": answer.page,
            "attempt": asked.attempt,
            "at": rfc3339(datetime.fromtimestamp(answer.at, UTC)),
            "status": answer.status,
            "request_id": answer.request_id,
            "reason": failure and failure.reason,
            "error_code": failure and failure.error_code,
            "error_message": failure and failure.error_message,
            "withheld": withheld,
            "sha256": sha256(body).hexdigest() if body else _NOTHING,
            "length": len(body),
        }
        if holds_secret(_written(line), secrets, is_page=is_page):
            line |= dict.fromkeys(("request", "request_id", "error_code", "error_message"))
        self._count(is_page, withheld, answer.status is None, len(body))
        return body, line

    def keep(self, frame: bytes, lines: Sequence[Line]) -> None:
        """Take a frame that was written before, with its lines."""
        where = self._put(frame)
        for line in lines:
            key = line.account_id, line.source
            if line.region is None:
                self._asked_besides[key] = max(self._asked_besides[key], line.seq + 1)
            self._count(line.page is not None, line.withheld, line.status is None, line.length)
            self._add({"schema": ANSWER_SCHEMA, **line._asdict(), **where})

    def _count(self, is_page: bool, withheld: bool, unanswered: bool, length: int) -> None:  # noqa: FBT001
        counted = self.counted
        counted.answers += 1
        counted.pages += is_page
        counted.withheld += withheld
        counted.withheld_pages += withheld and is_page
        counted.unanswered += unanswered
        counted.bytes += length

    def _frame(self, gathered: _Gathered, *, ends: bool) -> None:
        frame = self._compressor.compress(b"".join(gathered.bodies)) if gathered.size else b""
        where = self._put(frame)
        at, last = 0, len(gathered.lines) - 1
        for number, line in enumerate(gathered.lines):
            line.update(where, at_in_frame=at if frame else None, place_ends=ends and number == last)
            at += line["length"]
            self._add(line)
        gathered.bodies, gathered.lines, gathered.size = [], [], 0

    def _put(self, frame: bytes) -> dict[str, Any]:
        """Put a frame after those before it, and return where that is; an empty one is nowhere."""
        if not frame:
            return {"pack": None, "frame": None, "frame_length": None}
        if self._position >= self._pack_ends_at:
            self._pack, self._position = self._pack + 1, 0
        self.waiting.packs.setdefault(self._pack, bytearray()).extend(frame)
        at, self._position = self._position, self._position + len(frame)
        return {"pack": pack_name(self._pack), "frame": at, "frame_length": len(frame)}

    def _add(self, line: dict[str, Any]) -> None:
        self.waiting.lines += _written(line)
        self.waiting.lines += b"\n"


class Files:
    """The packs and the index, written as they grow; every method may raise `OSError`."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, which must not be there."""
        folder.mkdir()
        self._folder = folder
        self._open: dict[str, Any] = {}
        self._digests: dict[str, Any] = {}
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._file(INDEX)

    def write(self, parts: Mapping[str, bytes | bytearray]) -> None:
        """Write what waits."""
        for name, part in parts.items():
            self.add(name, part)

    def add_packed(self, name: str, data: bytes) -> None:
        """Add to a file, as a frame of its own."""
        self.add(name, self._compressor.compress(data))

    def moved(self, folder: Path) -> None:
        """Take note that the folder is another: packs that are begun go there."""
        self._folder = folder

    def sync(self) -> None:
        """Bring to the disk what was written."""
        for file in self._open.values():
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Take the files away, and the folder."""
        names = list(self._open)
        self.close()
        for name in names:
            (self._folder / name).unlink()
        self._folder.rmdir()

    def close(self) -> None:
        """Let go of the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def hexdigests(self) -> dict[str, str]:
        """Return the SHA-256 of what each file holds, in hex, by its name."""
        return {name: digest.hexdigest() for name, digest in sorted(self._digests.items())}

    def add(self, name: str, data: bytes | bytearray) -> None:
        """Add to a file."""
        file = self._file(name)
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        self._digests[name].update(data)

    def _file(self, name: str) -> Any:
        if name not in self._open:
            self._open[name] = (self._folder / name).open("xb", buffering=0)
            self._digests[name] = sha256()
        return self._open[name]


def _written(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line)
    except orjson.JSONEncodeError:
        # What AWS or the client said may hold half of a surrogate pair, which no JSON can.
        told = {name: _plain(value) for name, value in line.items()}
        return orjson.dumps(told)


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
