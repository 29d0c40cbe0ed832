"""The answers of one target, followed in their order: each is the one that comes after those before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.aws.bodies import is_known, page_of
from auditor.aws.failures import BadResponse
from auditor.aws.sources import SOURCES
from auditor.evidence.lines import token_digest
from auditor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.evidence.lines import Line


@dataclass(slots=True)
class Followed:
    """What the answers of a target come to so far."""

    requests: int = 0
    pages: int = 0
    records: int = 0
    """Distinct ones of each asking."""
    reason: str | None = None
    """What the last was taken for; None where it was a page."""
    why: tuple[str | None, str | None] = (None, None)
    """AWS's code and text of it."""
    expects: str | None = None
    """The digest of the token of the page that has to follow; None where none has."""
    loops: bool = False
    """Whether the last page names one that was read before."""
    is_damaged: bool = False
    request: Mapping[str, Any] | None = None
    """What is being asked for."""
    seen: set[str | bytes] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)


def follow(kept: Followed, line: Line, body: bytes | None) -> str | None:
    """Take the next answer; return what is wrong with it, or None where nothing is."""
    fault = _out_of_order(kept, line)
    kept.requests += 1
    kept.loops = False
    if line.page is None:
        kept.reason, kept.why = line.reason, (line.error_code, line.error_message)
        if line.reason is None:
            fault = fault or f"{line.named}: is no page, and says no reason why"
        return fault
    kept.pages += 1
    if line.page != kept.pages:
        fault = fault or f"{line.named}: is page {line.page}, where page {kept.pages} should come"
        kept.pages = line.page
    kept.reason, kept.why = None, (None, None)
    return _page(kept, line, body) or fault


def _out_of_order(kept: Followed, line: Line) -> str | None:
    if line.seq != kept.requests:
        expected, kept.requests = kept.requests, line.seq
        return f"{line.named}: stands where answer {expected} should"
    if line.token is None:
        begins = kept.request is None or line.request != kept.request
        if begins and kept.reason is None and kept.expects is not None:
            return f"{line.named}: begins, and the page after {kept.pages} is missing"
        restarts = not begins and kept.expects is not None
        if restarts and kept.reason != Reason.INVALID_REQUEST:
            return f"{line.named}: asks for the first page, and the page after {kept.pages} is missing"
        if line.attempt == 1 and not restarts:
            kept.seen = set()  # another asking, which may be given the same records
        kept.request, kept.expects, kept.tokens = line.request, None, set()
        return None
    if line.token != kept.expects or line.request != kept.request:
        return f"{line.named}: asks for another page than the one that page {kept.pages} names"
    return None


def _page(kept: Followed, line: Line, body: bytes | None) -> str | None:
    source = SOURCES.get(line.source)
    if source is None:
        return f"{line.named}: is of a source that this auditor does not know"
    if line.withheld or body is None:
        kept.is_damaged = True
        return f"{line.named}: is withheld, since it held a secret: what follows from it can't be verified"
    try:
        records, following = page_of(source, body)
    except BadResponse as error:
        return f"{line.named}: is told of as a page, and is none: {error}"
    kept.records += sum(not is_known(raw, source.identity, kept.seen) for raw in records)
    kept.expects = token_digest(following)
    if kept.expects is not None:
        kept.loops = kept.expects in kept.tokens
        kept.tokens.add(kept.expects)
    return None
