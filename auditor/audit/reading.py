"""One source of facts in one account and Region, while it is read: what it told, and why it told no more."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import structlog

from auditor.errors import CallFailed
from auditor.model import Failure, Outcome, Reason, Target, Unknown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from auditor.aws.paging import Paging

log = structlog.get_logger()


def where(target: Target) -> dict[str, str]:
    """Return what a log line names a target by."""
    return {"account": target.account.id, "region": target.region, "source": target.source}


def internal_error(target: Target, error: Exception) -> Failure:
    """Say loudly that a bug of ours ended this target, and return that as its failure."""
    log.error(
        "internal error: a bug of the auditor", **where(target), error=type(error).__name__, exc_info=error
    )
    return Failure(Reason.INTERNAL_ERROR, type(error).__name__)


def say_failed(target: Target, failed: CallFailed) -> None:
    """Log why a target was not read to its end."""
    failure = failed.failure
    say = log.info if failure.reason is Reason.REGION_NOT_ENABLED else log.warning
    say(
        "target not read to its end",
        **where(target),
        reason=failure.reason,
        error_code=failure.error_code,
        error_message=failure.error_message,
        request_id=failed.request_id,
    )


class Reading:
    """A target that is read for facts. Its first failure is its last: it is asked nothing more then."""

    __slots__ = ("_reader", "_reader_of", "failure", "outcome", "target")

    def __init__(self, target: Target, reader_of: Callable[[Target, Outcome], Paging]) -> None:
        self.target = target
        self.outcome = Outcome()
        self.failure: Failure | None = None
        self._reader_of = reader_of
        self._reader: Paging | None = None  # most sources of most places are never asked

    @property
    def unknown(self) -> Unknown | None:
        """What a fact is that this did not tell; None where it told all it was asked."""
        return Unknown(self.target.source, self.failure.reason) if self.failure else None

    async def pages(self, **arguments: Any) -> AsyncGenerator[list[Any], None]:
        """Yield what AWS gave, page by page; end early with `failure` set where it could not be read on."""
        if self.failure is not None:
            return
        if self._reader is None:
            self._reader = self._reader_of(self.target, self.outcome)
        try:
            async with aclosing(self._reader.pages(**arguments)) as pages:
                async for page in pages:
                    yield page
        except CallFailed as failed:
            say_failed(self.target, failed)
            self.failure = failed.failure
