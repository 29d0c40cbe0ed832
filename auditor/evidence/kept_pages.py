"""Answers that were kept, as the pages of their target: what a replay reads in place of AWS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from auditor.aws.bodies import page_of
from auditor.aws.failures import BadResponse
from auditor.aws.paging import Paging
from auditor.errors import CallFailed
from auditor.evidence.lines import token_digest
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from auditor.aws.sources import Source
    from auditor.evidence.lines import Line
    from auditor.model import Outcome

NOT_RECORDED = Failure(Reason.NOT_RECORDED, None, "the evidence holds no answer to this")

_FILTERS = "Filters"
_CUT_OFF = frozenset({Reason.DEADLINE, Reason.INTERRUPTED})
"""Why a target was not read on that was not at fault: nothing else of its place was read on then either."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """One page that was asked for, as often as it took."""

    request: Mapping[str, Any]
    token: str | None
    """Its digest."""
    attempts: list[tuple[Line, bytes | None]]

    @property
    def last(self) -> Line:
        """The attempt that told how it ended."""
        return self.attempts[-1][0]


class KeptPages(Paging):
    """Reads one target from the answers that were kept of it, as they came."""

    def __init__(
        self,
        source: Source,
        outcome: Outcome,
        answers: Iterable[tuple[Line, bytes | None]],
        failure: Failure | None,
        cut_off: Callable[[], Awaitable[None]],
    ) -> None:
        """Read these.

        :param answers: the target's, in their order, each with its body.
        :param failure: why the ledger says that it was not read to its end; None where it was.
        :param cut_off: ends the whole place, as the run's end did, and does not come back.
        """
        super().__init__(source, outcome)
        self._cut_off = cut_off
        self._failure = failure
        self._askings = list(_askings(answers))
        self._by_request: dict[tuple[bytes, str | None], deque[_Asking]] = {}
        for asking in self._askings:
            key = (_canonical(asking.request), asking.token)
            self._by_request.setdefault(key, deque()).append(asking)

    async def _page(self, arguments: dict[str, Any], token: str | None) -> tuple[list[Any], str | None]:
        waiting = self._by_request.get((_canonical(arguments), token_digest(token)))
        if not waiting:
            covering = self._covering(arguments) if token is None else None
            if covering is None:
                await self._end_as_before()
                raise CallFailed(self._failure or NOT_RECORDED)
            return covering, None
        asking = waiting.popleft()
        self._outcome.requests += len(asking.attempts)
        line, body = asking.attempts[-1]
        if line.page is not None:
            return self._members(line, body)
        if token is not None and line.reason == Reason.INVALID_REQUEST:
            raise CallFailed(Failure(Reason.INVALID_REQUEST, line.error_code, line.error_message))
        await self._end_as_before()
        raise CallFailed(self._failure or _failure_of(line))

    async def _end_as_before(self) -> None:
        """End the place where the run's end did it: what else of it would be read was not read, nor judged."""
        if self._failure is not None and self._failure.reason in _CUT_OFF:
            await self._cut_off()

    def _covering(self, arguments: Mapping[str, Any]) -> list[Any] | None:
        """Return what was told of more ids than these, asked for in other parts; None where not all were.

        Another set of policies may ask for the same ids, but in other company.
        """
        wanted = _ids(arguments)
        if wanted is None:
            return None
        name, ids = wanted
        items: list[Any] = []
        asked: set[str] = set()
        for asking in self._askings:
            told = _ids(asking.request)
            if told is None or told[0] != name or asking.last.page is None or asking.token is not None:
                continue
            page, following = self._members(*asking.attempts[-1])
            if following is None:  # EC2 tells of so few in one page
                asked |= told[1]
                items += page
        return items if ids <= asked else None

    def _members(self, line: Line, body: bytes | None) -> tuple[list[Any], str | None]:
        try:
            return page_of(self._source, body or b"")
        except BadResponse as error:
            text = f"{line.named} is kept as a page, and is none: {error}"
            raise CallFailed(Failure(Reason.BAD_RESPONSE, None, text)) from error


def _askings(answers: Iterable[tuple[Line, bytes | None]]) -> Iterator[_Asking]:
    """Yield what was asked for, the attempts at one page together."""
    asking: _Asking | None = None
    for line, body in answers:
        request = line.request or {}
        if (
            asking is None
            or asking.last.page is not None
            or (asking.request, asking.token) != (request, line.token)
        ):
            if asking is not None:
                yield asking
            asking = _Asking(request, line.token, [])
        asking.attempts.append((line, body))
    if asking is not None:
        yield asking


def _failure_of(line: Line) -> Failure:
    try:
        reason = Reason(line.reason or "")
    except ValueError:
        reason = Reason.NOT_RECORDED
    return Failure(reason, line.error_code, line.error_message)


def _canonical(request: Mapping[str, Any]) -> bytes:
    return orjson.dumps(request, option=orjson.OPT_SORT_KEYS)


def _ids(request: Mapping[str, Any]) -> tuple[str, frozenset[str]] | None:
    """Return which ids a request filters by, and what they are ids of; None where it does something else."""
    filters: Sequence[Mapping[str, Any]] = request.get(_FILTERS) or ()
    if len(request) != 1 or len(filters) != 1:
        return None
    return filters[0]["Name"], frozenset(filters[0]["Values"])
