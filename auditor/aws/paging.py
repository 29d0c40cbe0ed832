"""The order of a target's pages: the first, then what each names, to the last; whoever they are had from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.aws.bodies import is_known
from auditor.errors import CallFailed
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from auditor.aws.sources import Source
    from auditor.model import Outcome


@dataclass(frozen=True, slots=True)
class WasRead:
    """Says whether a record was read, by the identities of those that were."""

    seen: Collection[str | bytes]
    """Of one that came without, a digest."""

    def __call__(self, identity: str) -> bool:
        """Say whether a record of this identity was read, or may have been: one that came without may be any."""
        return identity in self.seen or any(isinstance(key, bytes) for key in self.seen)


class Paging(ABC):
    """Reads one target page by page, counting pages and records in its outcome."""

    def __init__(self, source: Source, outcome: Outcome) -> None:
        self._source = source
        self._outcome = outcome
        self._seen: set[str | bytes] = set()

    @property
    def was_read(self) -> WasRead:
        """What says whether a record was read."""
        return WasRead(self._seen)

    async def pages(self, **arguments: Any) -> AsyncGenerator[list[Any], None]:
        """Yield the records of each page, as AWS gave them, that were not on an earlier one.

        An empty page with a token goes on. A rejected token begins with the first page again, once.

        :param arguments: what is asked for, beside what every call of the source asks for.
        :raises CallFailed: with the reason why it can't be read on.
        """
        token: str | None = None
        tokens: set[str] = set()
        # Of this asking alone: another may ask for the same records.
        seen = self._seen = set()
        restarted = False
        while True:
            try:
                records, following = await self._page(arguments, token)
            except CallFailed as failed:
                if token is None or failed.failure.reason is not Reason.INVALID_REQUEST:
                    raise
                if restarted:
                    raise because(Reason.PAGE_TOKEN_REJECTED, failed) from failed
                self._begun_again(failed)
                token, restarted = None, True
                tokens.clear()
                continue
            self._outcome.pages += 1
            fresh = [raw for raw in records if not is_known(raw, self._source.identity, seen)]
            self._outcome.records += len(fresh)
            yield fresh
            # Let go of before the next page is awaited: held on to, the pages of all targets in flight would be
            # 20 MB that is cold whenever the next of them is parsed.
            del records, fresh
            if following is None:
                return
            if following in tokens:
                text = f"page {self._outcome.pages} names a page that was read before"
                raise CallFailed(Failure(Reason.PAGE_TOKEN_LOOP, None, text))
            tokens.add(following)
            token = following

    @abstractmethod
    async def _page(self, arguments: dict[str, Any], token: str | None) -> tuple[list[Any], str | None]:
        """Return the records of a page, and the token of the next one where there is one.

        :param token: None asks for the first page.
        :raises CallFailed: with the reason why it can't be had.
        """

    def _begun_again(self, failed: CallFailed) -> None:  # noqa: B027 -- who has nothing to say need not
        """Take note that a token was rejected, and the first page is asked for again."""


def because(reason: Reason, failed: CallFailed) -> CallFailed:
    """Return the failure as one of this reason."""
    failure = Failure(reason, failed.failure.error_code, failed.failure.error_message)
    return CallFailed(failure, request_id=failed.request_id)
