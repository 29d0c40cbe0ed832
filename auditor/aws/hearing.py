"""Answers as they were received, for whoever keeps them: the bytes of each body, before anything is made of it.

The parsers are where bodies are seen, and the readers know what was asked; a `Hearing` around a call brings the two
together. Where nobody keeps answers there is none, and the parsers find nothing to tell.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from auditor.errors import CallFailed
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

_ERRORS_FROM = 300
"""Statuses from here on are no success: such an answer holds no credentials."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: of what, where, and which one."""

    source: str
    """The operation, as IAM names it."""
    account_id: str | None
    """None for what is asked of no member: who is asking, and which accounts there are."""
    region: str | None
    """None for what is asked of an account, or of all: its role, and which Regions it has enabled."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, beside what every call of the source asks for; no secret."""
    token: str | None = None
    """The page token that was sent."""
    attempt: int = 1
    """Counted from 1 for each page."""
    seq: int | None = None
    """Counted from 0 within the target; None where the recorder is to count."""
    holds_credentials: bool = False
    """Whether a success holds credentials: its body is kept by nobody then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call."""

    asked: Asked
    at: float
    """When it came, or was given up; seconds since the epoch."""
    status: int | None
    """The HTTP status; None where no whole answer came."""
    request_id: str | None
    body: bytes | None
    """None where it is not to be kept."""
    page: int | None
    """Which valid page of the target this is, counted from 1; None where it is none."""
    failure: Failure | None
    """What that was taken for, where it is not what was asked for."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not stand in it."""


class Recorder(Protocol):
    """Keeps answers."""

    def record(self, answer: Answer) -> None:
        """Keep an answer; at once, and without waiting."""

    def ended(self, account_id: str, region: str) -> None:
        """Take note that nothing more is asked of an account and Region."""

    async def relieve(self) -> None:
        """Wait, where too much was recorded that could not be written yet. To be called before asking again."""


class Hearing:
    """Around one call: hears what is answered, and has it recorded however the call ends."""

    __slots__ = ("_asked", "_before", "_recorder", "_response", "_secrets", "_taken_for", "page")

    def __init__(
        self,
        recorder: Recorder,
        asked: Asked,
        secrets: Iterable[str | None],
        taken_for: Callable[[BaseException], Failure] | None = None,
    ) -> None:
        """Hear a call.

        :param taken_for: what an error means, where it is not a `CallFailed` yet as it comes by here.
        """
        self._taken_for = taken_for or _taken_for
        self._recorder = recorder
        self._asked = asked
        self._secrets = secrets
        self._response: Mapping[str, Any] | None = None
        self._before: Token[Hearing | None] | None = None
        self.page: int | None = None
        """To be set once the answer is proved to be a page."""

    def hear(self, response: Mapping[str, Any]) -> None:
        """Take what the parser is given: of an error it is given the same twice."""
        self._response = response

    def __enter__(self) -> Self:
        self._before = _HEARING.set(self)
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._before is not None:
            _HEARING.reset(self._before)
        # Let go of: a connection that was opened meanwhile holds on to the context that it was opened in.
        response, self._response = self._response, None
        status = request_id = None
        body: bytes | None = b""
        if response is not None:
            status, body = response["status_code"], response["body"]
            request_id = response["headers"].get("x-amzn-requestid")
            if self._asked.holds_credentials and status < _ERRORS_FROM:
                body = None
        self._recorder.record(
            Answer(
                asked=self._asked,
                at=time.time(),
                status=status,
                request_id=request_id,
                body=body,
                page=self.page,
                failure=None if error is None else self._taken_for(error),
                secrets=tuple(filter(None, self._secrets)),
            )
        )


def heard(
    recorder: Recorder | None,
    asked: Asked,
    secrets: Iterable[str | None],
    taken_for: Callable[[BaseException], Failure] | None = None,
) -> AbstractContextManager[object]:
    """Return what hears a call, where answers are kept."""
    return nullcontext() if recorder is None else Hearing(recorder, asked, secrets, taken_for)


def hear(response: Mapping[str, Any]) -> None:
    """Tell whoever hears this call what was answered."""
    hearing = _HEARING.get()
    if hearing is not None:
        hearing.hear(response)


def _taken_for(error: BaseException) -> Failure:
    if isinstance(error, CallFailed):
        return error.failure
    # Cut off at the deadline or by a signal, or a bug of ours: the ledger tells which.
    return Failure(Reason.INTERRUPTED, type(error).__name__)


# A call runs in one task from its beginning to its parser, and no task makes two at once.
_HEARING: ContextVar[Hearing | None] = ContextVar("hearing", default=None)
