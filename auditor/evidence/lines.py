"""A line of the index: what was asked, what came of it, and where the body stands."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from auditor.errors import EvidenceFault
from auditor.evidence.layout import ANSWER_SCHEMA
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


class Line(NamedTuple):
    """One answer, or a call that got none; a tuple, which is made in half the time of other values."""

    account_id: str | None
    region: str | None
    """None where an account as a whole was asked, or for all accounts."""
    source: str
    seq: int
    """Counted from 0 within the target, without a gap."""
    request: Mapping[str, Any] | None
    """What was asked for, beside what every call of the source asks for."""
    token: str | None
    """SHA-256, in hex, of the page token that was sent, which stands in an earlier answer."""
    page: int | None
    """Which valid page of the target this is, counted from 1."""
    attempt: int
    at: str
    status: int | None
    """None where no whole answer came."""
    request_id: str | None
    reason: str | None
    """What it was taken for, where it is not what was asked for; then AWS's code, or the client's, and its text."""
    error_code: str | None
    error_message: str | None
    withheld: bool
    """Whether the body is not kept, since it holds a secret."""
    sha256: str
    length: int
    pack: str | None
    """The file of the body; None where there is no body."""
    frame: int | None
    """Where the body's frame begins in the pack; then how long the frame is."""
    frame_length: int | None
    at_in_frame: int | None
    """Where the body begins in what the frame holds."""
    place_ends: bool
    """Whether no other answer of this account and Region follows."""

    @property
    def place(self) -> tuple[str | None, str | None]:
        """The account and Region."""
        return self.account_id, self.region

    @property
    def named(self) -> str:
        """What a line is called where something is wrong with it."""
        where = " ".join(filter(None, (self.account_id, self.region, self.source)))
        return shown(f"{where} answer {self.seq}")


def token_digest(token: str | None) -> str | None:
    """Return what a page token is known by."""
    return None if token is None else sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read_line(raw: bytes, number: int) -> Line:
    """Return the line that was written.

    :param number: counted from 1, for the message.
    :raises EvidenceFault: where it is none.
    """
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise EvidenceFault(f"the index: line {number} is no JSON") from None
    if not isinstance(told, dict):
        raise EvidenceFault(f"the index: line {number} is no object")
    schema = told.pop("schema", None)
    if schema != ANSWER_SCHEMA:
        raise EvidenceFault(f"the index: line {number} is of {shown(str(schema))[:80]}, not {ANSWER_SCHEMA}")
    wrong = [
        name
        for name, kinds in _KINDS.items()
        # By its very type: a bool is no number here.
        if type(value := told.get(name, ...)) not in kinds or (type(value) is int and value < 0)
    ]
    if wrong:
        raise EvidenceFault(f"the index: line {number} has no {', '.join(wrong)}, or not of its type")
    return Line._make(map(told.get, Line._fields))


_TEXT, _NUMBER = (str,), (int,)
_MAYBE_TEXT, _MAYBE_NUMBER = (str, type(None)), (int, type(None))
_KINDS: Mapping[str, tuple[type, ...]] = {
    "account_id": _MAYBE_TEXT,
    "region": _MAYBE_TEXT,
    "source": _TEXT,
    "seq": _NUMBER,
    "request": (dict, type(None)),
    "token": _MAYBE_TEXT,
    "page": _MAYBE_NUMBER,
    "attempt": _NUMBER,
    "at": _TEXT,
    "status": _MAYBE_NUMBER,
    "request_id": _MAYBE_TEXT,
    "reason": _MAYBE_TEXT,
    "error_code": _MAYBE_TEXT,
    "error_message": _MAYBE_TEXT,
    "withheld": (bool,),
    "sha256": _TEXT,
    "length": _NUMBER,
    "pack": _MAYBE_TEXT,
    "frame": _MAYBE_NUMBER,
    "frame_length": _MAYBE_NUMBER,
    "at_in_frame": _MAYBE_NUMBER,
    "place_ends": (bool,),
}
