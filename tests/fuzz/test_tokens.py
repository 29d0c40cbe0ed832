"""Whatever tokens and refusals AWS answers, a target ends, its counts are true, and it is whole only where that was said."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import strategies as st

from auditor.aws.pages import PageReader
from auditor.aws.sources import SOURCES
from auditor.errors import CallFailed
from auditor.model import EXPORT_RECORDS, Account, Outcome, Reason, Target
from tests.fuzz.campaign import campaign, limited
from tests.fuzz.mutating import ODD

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

pytestmark = limited

SOURCE = SOURCES[EXPORT_RECORDS]
ACCOUNT = Account("111122223333", "a", "arn:r", "an-external-id", "s", 900, ("us-east-1",))
TRIES = 6


@dataclass(frozen=True)
class Page:
    """An answer with status 200."""

    answer: dict[str, Any]

    @property
    def records(self) -> list[Any] | None:
        """Its records; None where it is no page."""
        found = self.answer.get("exportSnapshotRecords")
        token = self.answer.get("nextPageToken")
        return found if isinstance(found, list) and isinstance(token, str | None) else None

    @property
    def token(self) -> str | None:
        return self.answer.get("nextPageToken") or None


@dataclass(frozen=True)
class Refusal:
    """Any other."""

    code: str
    status: int


@dataclass
class Script:
    """What is answered, one after the other, whatever is asked for; then a last page."""

    answers: list[Page | Refusal]
    asked: list[str | None] = field(default_factory=list)
    given: list[Page | Refusal] = field(default_factory=list)

    async def get_export_snapshot_records(self, **asked: Any) -> dict[str, Any]:
        assert isinstance(asked.get("pageToken"), str | None)
        self.asked.append(asked.get("pageToken"))
        at = len(self.given)
        answer = self.answers[at] if at < len(self.answers) else Page({"exportSnapshotRecords": []})
        self.given.append(answer)
        if isinstance(answer, Page):
            return answer.answer
        if not answer.code:
            raise ReadTimeoutError(endpoint_url="https://x")
        told: Any = {
            "Error": {"Code": answer.code, "Message": "m"},
            "ResponseMetadata": {"HTTPStatusCode": answer.status},
        }
        raise ClientError(told, "GetExportSnapshotRecords")


class Clients:
    """A run's clients, of which the script is Lightsail's."""

    base_secrets = ()
    recorder = None

    def __init__(self, script: Script) -> None:
        self.lightsail = script


class Credentials:
    """Of no role."""

    secrets = ("a-secret",)


class Roles:
    """Gives new credentials whenever it is asked."""

    async def credentials(self, *_: object) -> Credentials:
        return Credentials()

    async def renew(self, *_: object, **__: object) -> Credentials:
        return Credentials()

    def accepted(self, *_: object) -> None:
        pass


class Slot:
    """Waits for nothing."""

    async def pause(self, _seconds: float) -> None:
        pass


class Pace:
    """Holds nothing up, whatever is throttled."""

    binds = False

    def throttled(self, _took: float) -> None:
        pass


_RECORDS = st.lists(
    st.one_of(
        st.integers(0, 6).map(lambda number: {"arn": f"arn:{number}"}),
        st.integers(0, 2).map(lambda number: {"name": f"without an ARN {number}"}),
        st.sampled_from([None, 1, "text", {"arn": ""}, {"arn": 5}]),
    ),
    max_size=4,
)
_TOKENS = st.one_of(
    st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "", None]), st.integers(0, 10**6).map(str), ODD
)
_GOOD = st.builds(
    lambda records, token: Page({"exportSnapshotRecords": records, "nextPageToken": token}),
    _RECORDS,
    st.integers(0, 10**6).map(str),
)
_ANY = st.builds(
    lambda records, token: Page({"exportSnapshotRecords": records, "nextPageToken": token}), _RECORDS, _TOKENS
)
_BAD = st.sampled_from([Page({}), Page({"exportSnapshotRecords": None}), Page({"exportSnapshotRecords": {}})])
REJECTION = Refusal("InvalidInputException", 400)
_REFUSALS = st.sampled_from(
    [
        *[REJECTION] * 3,
        Refusal("ThrottlingException", 400),
        Refusal("ServiceException", 500),
        Refusal("AccessDeniedException", 400),
        Refusal("ExpiredTokenException", 400),
        Refusal("Nobody knows", 400),
        Refusal("", 0),
    ]
)
_ANSWERS = st.one_of(_GOOD, _GOOD, _ANY, _REFUSALS, _BAD)
_BLOCKS = st.one_of(
    _ANSWERS.map(lambda answer: [answer]),
    # So often that it is given up.
    st.one_of(_REFUSALS, _BAD).map(lambda answer: [answer] * TRIES),
)
SCRIPTS: SearchStrategy[list[Any]] = st.one_of(
    st.lists(_BLOCKS, min_size=1, max_size=12).map(lambda parts: [*itertools.chain.from_iterable(parts)]),
    st.lists(st.one_of(_GOOD, _ANY, st.just(REJECTION)), min_size=1, max_size=14),
)


async def read(answers: list[Page | Refusal]) -> str:
    """Read a target of which this is answered; return how it ended."""
    script, outcome = Script(answers), Outcome()
    parts: Any = (Clients(script), Roles(), None, SOURCE, Target(EXPORT_RECORDS, ACCOUNT, "us-east-1"))
    slot: Any = Slot()
    pace: Any = Pace()
    reader = PageReader(*parts, outcome=outcome, slot=slot, pace=pace, request_timeout=60.0)
    yielded: list[Any] = []
    failed: list[CallFailed] = []

    try:
        async with aclosing(reader.pages()) as pages:
            async for page in pages:
                yielded.extend(page)
    except CallFailed as error:
        failed.append(error)
    _counts_are_true(script, outcome, yielded)
    _tokens_are_those_given(script)
    return _ended(script, failed)


def _counts_are_true(script: Script, outcome: Outcome, yielded: list[Any]) -> None:
    pages = [answer for answer in script.given if isinstance(answer, Page) and answer.records is not None]
    served = [repr(record) for page in pages for record in page.records or ()]
    own = [
        record["arn"] if isinstance(record, dict) and record.get("arn") else repr(record)
        for record in map(_told, yielded)
    ]
    assert outcome.requests == len(script.given) == len(script.asked)
    assert outcome.pages == len(pages)
    assert outcome.records == len(yielded) == len(set(own))
    assert {repr(record) for record in yielded} <= set(served)
    assert len(set(own)) == len({_identity(record) for page in pages for record in page.records or ()})


def _told(record: Any) -> Any:
    return record if not isinstance(record, dict) or isinstance(record.get("arn"), str) else repr(record)


def _identity(record: Any) -> str:
    arn = record.get("arn") if isinstance(record, dict) else None
    return arn if isinstance(arn, str) and arn else repr(record)


def _tokens_are_those_given(script: Script) -> None:
    """Each request carries the token of the page before it, or begins again after one that was refused; once."""
    token: str | None = None
    restarts = tries = 0
    for asked, answer in zip(script.asked, script.given, strict=True):
        if asked != token:
            assert asked is None
            restarts += 1
            token = None
        tries += 1
        assert tries <= 2 * TRIES  # once more with new credentials
        if isinstance(answer, Page) and answer.records is not None:
            token, tries = answer.token, 0
    assert restarts <= 1


def _ended(script: Script, failed: list[CallFailed]) -> str:
    last = script.given[-1]
    if not failed:
        # The promise: never whole but by a last page that says so.
        assert isinstance(last, Page)
        assert last.records is not None
        assert last.token is None
        return "whole"
    reason = failed[0].failure.reason
    if reason is Reason.PAGE_TOKEN_LOOP:
        assert isinstance(last, Page)
        assert last.token in script.asked
    elif reason is Reason.PAGE_TOKEN_REJECTED:
        assert isinstance(last, Refusal)
        assert None in script.asked[1:]
    else:
        assert isinstance(last, Refusal) or last.records is None
    return reason.value


def test_a_target_ends_with_true_counts_and_is_whole_only_where_that_was_said() -> None:
    outcomes = {"whole", "page-token-loop", "page-token-rejected", "bad-response", "throttled", "timeout"}
    with closing(asyncio.new_event_loop()) as loop:
        campaign(
            SCRIPTS,
            lambda answers: loop.run_until_complete(read(answers)),
            patience=2.0,
            outcomes=outcomes,
        )
