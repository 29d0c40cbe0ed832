"""Security Hub: each finding imported into its own account and Region, and what else is told into an account at home.

A notice, which is a gap or the run, has no Region of its own: it goes to the home Region, a gap of an account in that
account and all else in the account at home. Where a gap's own account can't take it, the account at home does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
from pydantic import Field

from auditor.aws.importing import AT_ONCE, ImportAs, Importer
from auditor.config import DestinationSettings
from auditor.delivery.amazon import REGION, TOO_LARGE
from auditor.delivery.contract import Destination, Later, Limits, Refused, Taken, Undeliverable
from auditor.delivery.entries import receipt_of
from auditor.delivery.events import RUN
from auditor.delivery.hub_notices import gap_notice, run_notice
from auditor.errors import CallFailed
from auditor.formats.asff_finding import finding_of, notice_of
from auditor.history.documents import finding_of_document
from auditor.history.events import FINDING
from auditor.model import Reason, rfc3339
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.history import Due, Event

# Security Hub API reference, BatchImportFindings: a hundred findings. They may have 240 KB each and 6 MB together
# (partner guide, "Guidelines for using the BatchImportFindings API"): ASFF's own limits keep each far below that, and
# a call stays below the 1 MiB that aiohttp sends without holding up everything else.
_MOST, _MOST_BYTES = 100, 900_000
_LONGEST_EVENT = 8 * 1024 * 1024
"""Bytes: of an event as it waits, of which ASFF takes what it has room for."""

_FOR_GOOD = frozenset({"InvalidInput"})
_NOT_ENABLED = frozenset({"InvalidAccess", "InvalidAccessException"})
"""What is answered where Security Hub is not enabled, of a finding and of a call."""
_SPOILED = TOO_LARGE | {"InvalidInputException"}
"""What is answered to a whole call for the sake of one finding, or of its size."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
"""What is answered where the role can't be assumed, or may not import."""


class Settings(DestinationSettings):
    """The settings of Security Hub."""

    account: Annotated[str, Field(pattern="^[0-9]{12}$")] = Field(
        description="The account at home: it gets the run's event, gaps of no account, and gaps that their own "
        "account can't take."
    )
    region: Annotated[str, Field(pattern=REGION)] = Field(
        description="The Region where gaps and the run's event go; findings go to their own."
    )
    role_name: Annotated[
        str, Field(pattern="^(?:[!-.0-~][!-~]{0,509}/)?[A-Za-z0-9_+=,.@-]{1,64}$", max_length=574)
    ] = Field(
        default="LightsailExportAuditDelivery",
        description="The role to import with, in every account; a path may stand before its name.",
    )
    external_id: Annotated[str, Field(pattern="^[A-Za-z0-9_+=,.@:/-]{2,1224}$")] | None = Field(
        default=None, repr=False, description="The ExternalId that these roles' trust policies ask for."
    )


def import_as(receiver: Receiver, settings: Settings, *, allow_http: bool = False) -> ImportAs:
    """Return as whom this destination imports."""
    timeout = settings.timeout.total_seconds()
    return ImportAs(settings.role_name, settings.external_id, receiver.hub, timeout, allow_http)


class _Place(NamedTuple):
    """Where a finding is imported."""

    account_id: str
    region: str


class _Shut(NamedTuple):
    """This place does not take anything, whatever it is."""

    why: str
    is_enabled: bool
    """Whether Security Hub is: if not, there is nothing there to keep up to date."""


class Kind(Destination[Settings]):
    """Every account and Region is a lane of its own, and another for the notices there."""

    settings_type = Settings
    lanes_at_once = AT_ONCE

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        self._home = _Place(settings.account, settings.region)
        self._importer = Importer(import_as(receiver, settings, allow_http=allow_http))

    @property
    def limits(self) -> Limits:
        """As many as the service takes at once; how many bytes these have in ASFF is looked at there."""
        return Limits(_MOST, _MOST * _LONGEST_EVENT, _LONGEST_EVENT)

    def lane(self, event: Event) -> str:
        """Return the account and Region that it is imported into, and whether it is a notice.

        What findings wait for there, such as a role, no notice is to wait for.
        """
        return " ".join((*self._place_of(event), "finding" if event.kind == FINDING else "notice"))

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Import these, and look at what became of each."""
        place = self._place_of(batch[0].event)
        said = await self._imported(place, batch)
        notices = [
            due for due in batch if due.event.kind != FINDING and isinstance(said[due.position], _Shut)
        ]
        if notices and place != self._home:
            at_home = await self._imported(self._home, notices)
            said |= {position: _also(said[position], receipt) for position, receipt in at_home.items()}
        return [_receipt(due, said[due.position]) for due in batch]

    def _place_of(self, event: Event) -> _Place:
        told = orjson.loads(event.body)
        if event.kind == FINDING:
            return _Place(told["account_id"], told["region"])
        account_id = told.get("account_id")
        known = isinstance(account_id, str) and len(account_id) == len(self._home.account_id)
        return _Place(account_id, self._home.region) if known and account_id.isdecimal() else self._home

    async def _imported(self, place: _Place, batch: Sequence[Due]) -> dict[int, Receipt | _Shut]:
        """Import these into one place; return what became of each by its position."""
        said: dict[int, Receipt | _Shut] = {}
        for part in _parts([(due, self._told(due, place)) for due in batch]):
            said |= await self._call(place, part)
        return said

    async def _call(self, place: _Place, part: Mapping[int, dict[str, Any]]) -> dict[int, Receipt | _Shut]:
        """Import these by one call, or by two where one of them may have spoiled it."""
        try:
            answer = await self._importer.call(*place, list(part.values()))
        except CallFailed as failed:
            failure = failed.failure
            code = failure.error_code or failure.reason
            why = f"{' '.join(place)}: {': '.join(filter(None, (code, failure.error_message)))}"
            if code in _NOT_ENABLED:
                return dict.fromkeys(part, _Shut(why, is_enabled=False))
            if code in _DENIED or failure.reason is Reason.WRONG_ACCOUNT:
                return dict.fromkeys(part, _Shut(why, is_enabled=True))
            if code not in _SPOILED:
                return dict.fromkeys(part, Later(why))
            if len(part) == 1:
                return dict.fromkeys(part, Refused(why, perhaps_spoiled=False))
            both = list(part.items())
            middle = len(both) // 2
            return await self._call(place, dict(both[:middle])) | await self._call(place, dict(both[middle:]))
        ids = {each["Id"]: position for position, each in part.items()}
        receipts = _receipts(answer, list(ids), " ".join(place))
        return {ids[known_as]: receipt for known_as, receipt in receipts.items()}

    def _told(self, due: Due, place: _Place) -> dict[str, Any]:
        """Return an event in ASFF, updated as it is sent: Security Hub ignores what is no newer than what it has."""
        now = rfc3339(datetime.now(UTC))
        told = orjson.loads(due.event.body)
        if due.event.kind == FINDING:
            finding = finding_of_document(told)
            policy = catalogue().get(finding.policy)
            title = policy.title if policy else finding.policy
            fields = {"run_id": due.run_id, "truncated": told.get("truncated")}
            return finding_of(finding, title=title, updated_at=now, fields=fields)
        if due.event.kind == RUN:
            return notice_of(run_notice(told, *place, name=self.name, now=now))
        return notice_of(gap_notice(told, *place, now=now))

    async def __aenter__(self) -> Self:
        """Open nothing yet: the first call does."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the client and the sessions."""
        await self._importer.close()


def _parts(told: Sequence[tuple[Due, dict[str, Any]]]) -> Iterator[dict[int, dict[str, Any]]]:
    """Yield what goes into each call, by position: no more bytes than it takes, and no Id twice.

    A gap that was told of by two runs has the same Id in both.
    """
    part: dict[int, dict[str, Any]] = {}
    ids: set[str] = set()
    size = 0
    for due, each in told:
        own = len(json.dumps(each))  # as botocore writes it
        if part and (size + own > _MOST_BYTES or each["Id"] in ids):
            yield part
            part, ids, size = {}, set(), 0
        part[due.position] = each
        ids.add(each["Id"])
        size += own
    if part:
        yield part


def _receipts(answer: Mapping[str, Any], ids: list[str], where: str) -> dict[str, Receipt | _Shut]:
    """Return what became of each finding of a call by its Id; without a word on all, none counts as taken."""
    listed = answer.get("FailedFindings") or []
    whole = isinstance(listed, list) and all(isinstance(each, dict) for each in listed)
    failed = {str(each.get("Id")): each for each in listed} if whole else {}
    receipts: dict[str, Receipt | _Shut] = {}
    for known_as, each in failed.items():
        code = str(each.get("ErrorCode") or "unknown")
        why = f"{where}: {each.get('ErrorMessage') or 'no reason given'}"
        if code in _NOT_ENABLED:
            receipts[known_as] = _Shut(f"{code}: {why}", is_enabled=False)
        else:
            said = receipt_of(code, why, _FOR_GOOD)
            receipts[known_as] = replace(said, perhaps_spoiled=False) if isinstance(said, Refused) else said
    told = (answer.get("SuccessCount"), answer.get("FailedCount"))
    if whole and told == (len(ids) - len(failed), len(failed)) and failed.keys() <= set(ids):
        receipts = dict.fromkeys(ids, Taken()) | receipts
    unknown = Later(f"{where}: Security Hub did not say what became of it")
    return {known_as: receipts.get(known_as, unknown) for known_as in ids}


def _also(first: Receipt | _Shut, then: Receipt | _Shut) -> Receipt | _Shut:
    """Return what became of a notice that its own account did not take, and then the one at home."""
    if isinstance(first, _Shut) and isinstance(then, _Shut):
        return _Shut(f"{first.why}; {then.why}", then.is_enabled)
    return then


def _receipt(due: Due, said: Receipt | _Shut) -> Receipt:
    if not isinstance(said, _Shut):
        return said
    if due.event.kind != FINDING:
        # Tomorrow's run has its own word on the same.
        return Undeliverable(said.why)
    return Later(said.why) if said.is_enabled else Refused(said.why, perhaps_spoiled=False)
