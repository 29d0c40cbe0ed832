"""Roles: assumed once per account whatever its Regions, refreshed in time, and again when AWS says they expired.

Where there is a hub, it is assumed once with the base credentials, and every other role with the hub's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio
import structlog
from botocore.exceptions import ClientError

from auditor.aws.clients import CALL_AS, CallAs
from auditor.aws.failures import CALL_ERRORS, EXPIRED_CODES, call_failed
from auditor.aws.given import MOST_MARGIN, check_account, credentials_of, prove_given, usable_for
from auditor.aws.hearing import Asked, heard
from auditor.aws.pacing import Paces
from auditor.aws.retrying import Retrying
from auditor.aws.session_policy import assume_arguments
from auditor.errors import CallFailed
from auditor.model import ASSUME_ROLE, CALLER_IDENTITY, Failure, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from contextlib import AbstractContextManager

    from auditor.aws.credentials import SessionCredentials
    from auditor.aws.hearing import Recorder
    from auditor.aws.slots import Slot
    from auditor.model import Account

A = TypeVar("A")

log = structlog.get_logger()

CHAINED_LIMIT = 3600
"""Seconds that a role assumed by a role may last at the most (STS API reference, AssumeRole)."""

_SHORTEST = 900
"""Seconds that a session lasts at the least (STS API reference, AssumeRole)."""

_OF_THE_BASE = frozenset({Reason.EXPIRED_CREDENTIALS, Reason.CLOCK_SKEW})
"""Refusals that speak of the base credentials or this machine's clock; all others speak of the role."""


class Assuming(Protocol):
    """What roles are assumed with."""

    @property
    def sts(self) -> Any:
        """The client of STS, with the base credentials."""

    @property
    def base_secrets(self) -> tuple[str, ...]:
        """What must not be shown of them."""

    @property
    def recorder(self) -> Recorder | None:
        """What keeps the answers, where they are to be kept."""


@dataclass(slots=True)
class _Session:
    """What is known of one account's role."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    credentials: SessionCredentials | None = None
    refresh_at: float = 0.0
    """On the monotonic clock."""
    refused: CallFailed | None = None
    """An answer that asking again would not change."""
    flights: int = 0
    """How often the role was asked for."""
    failed: CallFailed | None = None
    """How the latest flight ended, where it failed."""
    accepted: SessionCredentials | None = None
    """The credentials that some call was answered for."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """What STS is asked for, by whom."""

    account: Account
    by: SessionCredentials | None
    """The hub's; None is the base credentials."""


class Roles:
    """The sessions of every account of a run."""

    def __init__(
        self,
        clients: Assuming,
        request_timeout: float,
        actions: Collection[str] = (),
        paces: Paces | None = None,
    ) -> None:
        """Take what the run calls, which the members' sessions are narrowed to; none leaves them as they are.

        :param request_timeout: seconds.
        :param paces: the budgets of the accounts; none has one, where it is left out.
        """
        self._paces = paces or Paces()
        self._clients = clients
        self._timeout = request_timeout
        self._actions = actions
        self._sessions: dict[tuple[str, tuple[str, ...]], _Session] = {}
        """By the role's ARN and what the session is for: a hub may be the role of a member too."""
        self._longest: int | None = None
        """Seconds, once STS has said that the base credentials are themselves a role's."""

    async def credentials(self, account: Account, slot: Slot) -> SessionCredentials:
        """Return credentials of the account's role, assuming it where that was not done yet.

        :raises CallFailed: where the role can't be assumed, or is another account's.
        """
        session = self._session_of(account)
        current = session.credentials
        if current and (time.monotonic() < session.refresh_at or session.lock.locked()):
            return current  # what is in hand goes on while another task refreshes it
        return await self._renewed(account, session, slot, stale=current)

    def _session_of(self, account: Account) -> _Session:
        session = self._sessions.get((account.role_arn, account.actions))
        if session is None:
            session = self._sessions[account.role_arn, account.actions] = _Session()
        return session

    async def renew(self, account: Account, slot: Slot, stale: SessionCredentials) -> SessionCredentials:
        """Return credentials other than `stale`, which AWS says have expired.

        :raises CallFailed: where the role can't be assumed again.
        """
        session = self._sessions[account.role_arn, account.actions]
        if session.credentials is stale:
            session.credentials = None
        return await self._renewed(account, session, slot, stale=None)

    def accepted(self, account: Account, credentials: SessionCredentials) -> None:
        """Take note that AWS answered a call made with these credentials."""
        self._sessions[account.role_arn, account.actions].accepted = credentials

    async def prove_accepted(self, account: Account, slot: Slot, credentials: SessionCredentials) -> bool:
        """Say whether AWS accepts these credentials anywhere, by an earlier answer or by asking STS."""
        session = self._sessions[account.role_arn, account.actions]
        if session.accepted is not credentials:
            try:
                asking = partial(self._identity_of, credentials)
                await self._call(slot, credentials.secrets, partial(self._paces.call, account, slot), asking)
            except CallFailed:
                return False
            session.accepted = credentials
        return True

    async def try_without_external_id(self, account: Account, slot: Slot) -> CallFailed | None:
        """Return how STS refused the role without its ExternalId, or None where it gave it out all the same.

        :raises CallFailed: where the hub can't be assumed.
        """
        bare = replace(account, external_id=None, session_duration=_SHORTEST)
        by = await self.credentials(bare.hub, slot) if bare.hub is not None else None
        try:
            await self._call(slot, self._secrets(account), self._assume, _Asking(bare, by))
        except CallFailed as failed:
            return failed
        return None

    async def _renewed(
        self, account: Account, session: _Session, slot: Slot, stale: SessionCredentials | None
    ) -> SessionCredentials:
        before = session.flights
        if session.lock.locked():
            slot.release()  # another task is assuming: this one only waits
            before -= 1
        async with session.lock:
            await slot.acquire()
            if session.failed and session.flights > before:
                raise session.failed  # how the flight ended that this task waited for: it is not tried again for each
            if session.refused:
                raise session.refused
            if session.credentials is not None and session.credentials is not stale:
                return session.credentials
            return await self._assumed(account, session, slot)

    async def _assumed(self, account: Account, session: _Session, slot: Slot) -> SessionCredentials:
        session.failed = None
        session.flights += 1
        try:
            answer = await self._answer(account, slot)
        except CallFailed as failed:
            if session.credentials:
                # An early refresh that failed costs nothing while the session in hand lasts.
                log.warning(
                    "role not refreshed", account=account.id, role=account.role_arn, error=str(failed)
                )
                session.refresh_at = time.monotonic() + MOST_MARGIN / 10
                return session.credentials
            if not failed.transient and failed.failure.reason not in _OF_THE_BASE:
                failed = CallFailed(
                    Failure(
                        Reason.ROLE_NOT_ASSUMABLE, failed.failure.error_code, failed.failure.error_message
                    ),
                    request_id=failed.request_id,
                )
                session.refused = failed
            session.failed = failed
            raise failed from None
        session.credentials = credentials_of(answer)
        session.refresh_at = time.monotonic() + usable_for(answer)
        try:
            check_account(account, answer)
        except CallFailed as wrong:
            session.credentials, session.refused = None, wrong
            raise
        return session.credentials

    async def _answer(self, account: Account, slot: Slot) -> dict[str, Any]:
        """Return STS's answer for a role, asked with the hub's credentials where there is a hub."""
        secrets = self._secrets(account)
        if account.hub is None:
            return await self._call(slot, secrets, self._assume, _Asking(account, None))
        by = await self.credentials(account.hub, slot)
        try:
            return await self._call(slot, (*secrets, *by.secrets), self._assume, _Asking(account, by))
        except CallFailed as failed:
            if failed.failure.error_code not in EXPIRED_CODES:
                raise
        by = await self.renew(account.hub, slot, stale=by)
        return await self._call(slot, (*secrets, *by.secrets), self._assume, _Asking(account, by))

    def _secrets(self, account: Account) -> tuple[str | None, ...]:
        return (account.external_id, *self._clients.base_secrets)

    async def _call(
        self,
        slot: Slot,
        secrets: tuple[str | None, ...],
        function: Callable[[A], Awaitable[dict[str, Any]]],
        argument: A,
    ) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            try:
                return await function(argument)
            except CALL_ERRORS as error:
                raise call_failed(error, secrets) from error

        return await Retrying(slot)(once)

    async def _assume(self, asking: _Asking) -> dict[str, Any]:
        account, by = asking.account, asking.by
        # A role that a role assumes gets no more than an hour, which need not be asked first.
        longest = CHAINED_LIMIT if by is not None else self._longest
        asked = min(account.session_duration, longest or account.session_duration)
        if by is not None and asked < account.session_duration and self._longest is None:
            self._longest = CHAINED_LIMIT
            log.warning(
                "sessions cut to 1h: STS gives no longer one to a role that a hub assumes; "
                "write session_duration: 1h",
                asked_s=account.session_duration,
            )
        try:
            return await self._ask(asking, asked)
        except ClientError as error:
            message = str(error.response.get("Error", {}).get("Message"))
            too_long = (
                error.response.get("Error", {}).get("Code") == "ValidationError"
                and "DurationSeconds" in message
            )
            if not too_long or asked <= CHAINED_LIMIT:
                raise
            if self._longest is None:
                log.warning(
                    "sessions cut to 1h: STS gives no longer one here; write session_duration: 1h",
                    account=account.id,
                    asked_s=asked,
                    answer=shown(message),
                )
            self._longest = CHAINED_LIMIT
            return await self._ask(asking, CHAINED_LIMIT)

    async def _ask(self, asking: _Asking, duration: int) -> dict[str, Any]:
        asked = assume_arguments(asking.account, duration, asking.account.actions or self._actions)
        if asking.by is not None:
            asked[CALL_AS] = CallAs(asking.by, self._clients.sts.meta.region_name)
        shown_to_all = {name: value for name, value in asked.items() if name not in ("ExternalId", CALL_AS)}
        this = Asked(ASSUME_ROLE, asking.account.id, None, shown_to_all, holds_credentials=True)
        secrets = (*self._secrets(asking.account), *(asking.by.secrets if asking.by else ()))
        with self._heard(this, secrets):
            with anyio.fail_after(self._timeout):
                answer: dict[str, Any] = await self._clients.sts.assume_role(**asked)
            prove_given(answer)
        return answer

    async def _identity_of(self, credentials: SessionCredentials) -> dict[str, Any]:
        sts = self._clients.sts
        this = Asked(CALLER_IDENTITY, None, None)
        with self._heard(this, (*credentials.secrets, *self._clients.base_secrets)):
            with anyio.fail_after(self._timeout):
                answer: dict[str, Any] = await sts.get_caller_identity(
                    **{CALL_AS: CallAs(credentials, sts.meta.region_name)}
                )
        return answer

    def _heard(self, asked: Asked, secrets: tuple[str | None, ...]) -> AbstractContextManager[object]:
        def taken_for(error: BaseException) -> Failure:
            if isinstance(error, CALL_ERRORS):
                return call_failed(error, secrets).failure
            return Failure(Reason.INTERRUPTED, type(error).__name__)

        return heard(self._clients.recorder, asked, secrets, taken_for)
