"""The pages of a target, asked for from AWS: each proved to be one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.aws.bodies import prove_page
from auditor.aws.clients import CALL_AS, CallAs
from auditor.aws.failures import CALL_ERRORS, EXPIRED_CODES, REGION_OFF_CODES, call_failed
from auditor.aws.hearing import Asked, Hearing
from auditor.aws.paging import Paging, because
from auditor.aws.regions import is_opt_in
from auditor.aws.retrying import Retrying
from auditor.errors import CallFailed
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from auditor.aws.clients import Clients
    from auditor.aws.credentials import SessionCredentials
    from auditor.aws.opt_in import EnabledRegions
    from auditor.aws.pacing import Pace
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.aws.sources import Source
    from auditor.model import Outcome, Target

log = structlog.get_logger()

_EC2_EXPIRED = "RequestExpired"
"""What EC2 says of credentials that have expired, and also where the clocks differ (EC2 API reference, error codes)."""


class PageReader(Paging):
    """Reads one target, counting in its outcome what that took."""

    def __init__(  # noqa: PLR0913 -- one of each thing that a target is read with
        self,
        clients: Clients,
        roles: Roles,
        enabled: EnabledRegions,
        source: Source,
        target: Target,
        *,
        outcome: Outcome,
        slot: Slot,
        pace: Pace,
        request_timeout: float,
    ) -> None:
        super().__init__(source, outcome)
        self._shared_secrets = clients.base_secrets
        self._recorder = clients.recorder
        self._attempt = 0
        self._method = getattr(getattr(clients, source.service), source.method)
        self._roles = roles
        self._enabled = enabled
        self._target = target
        self._slot = slot
        self._pace = pace
        self._timeout = request_timeout

    async def _page(self, arguments: dict[str, Any], token: str | None) -> tuple[list[Any], str | None]:
        started = time.monotonic()
        try:
            return await self._proved_page(arguments, token)
        finally:
            self._outcome.duration_s += time.monotonic() - started

    async def _proved_page(
        self, arguments: dict[str, Any], token: str | None
    ) -> tuple[list[Any], str | None]:
        account = self._target.account
        self._attempt = 0
        # Made for each page, and kept by none: it holds this reader, which would wait for the garbage collector then,
        # with the identity of every record that it has seen.
        retrying = Retrying(self._slot, self._before_retry)
        credentials = await self._roles.credentials(account, self._slot)
        try:
            answer = await retrying(self._ask, credentials, arguments, token)
        except CallFailed as failed:
            code = failed.failure.error_code
            if code in EXPIRED_CODES or (code == _EC2_EXPIRED and self._source.service == "ec2"):
                fresh = await self._roles.renew(account, self._slot, stale=credentials)
                answer = await retrying(self._ask, fresh, arguments, token)
            elif await self._is_region_off(failed.failure, credentials):
                raise because(Reason.REGION_NOT_ENABLED, failed) from failed
            else:
                raise
        else:
            self._roles.accepted(account, credentials)
        return answer[self._source.records_key], answer.get(self._source.response_token) or None

    async def _ask(
        self, credentials: SessionCredentials, arguments: dict[str, Any], token: str | None
    ) -> dict[str, Any]:
        if self._pace.binds:
            await self._pace.turn(self._slot)
        recorder = self._recorder
        if recorder is None:
            return await self._answer(credentials, arguments, token)
        await recorder.relieve()
        self._attempt += 1
        account = self._target.account
        asked = Asked(
            self._source.id,
            account.id,
            self._target.region,
            arguments,
            token,
            attempt=self._attempt,
            seq=self._outcome.requests,
        )
        secrets = (account.external_id, *credentials.secrets, *self._shared_secrets)
        with Hearing(recorder, asked, secrets) as hearing:
            answer = await self._answer(credentials, arguments, token)
            hearing.page = self._outcome.pages + 1
        # From here until the page is counted nothing is awaited: what is recorded and what is counted are the same.
        return answer

    async def _answer(
        self, credentials: SessionCredentials, arguments: dict[str, Any], token: str | None
    ) -> dict[str, Any]:
        asked = {CALL_AS: CallAs(credentials, self._target.region), **self._source.arguments, **arguments}
        if token is not None:
            asked[self._source.request_token] = token
        self._outcome.requests += 1
        sent_at = time.monotonic()
        try:
            with anyio.fail_after(self._timeout):
                answer: dict[str, Any] = await self._method(**asked)
            prove_page(self._source, answer)
        except CALL_ERRORS as error:
            own = (self._target.account.external_id, token)
            secrets = (*own, *credentials.secrets, *self._shared_secrets)
            failed = call_failed(error, secrets)
            if failed.failure.reason is Reason.THROTTLED:
                self._outcome.throttles += 1
                self._pace.throttled(time.monotonic() - sent_at)
            raise failed from error
        if self._pace.binds:
            self._pace.answered()
        return answer

    async def _is_region_off(self, failure: Failure, credentials: SessionCredentials) -> bool:
        """Say whether the Region is off for this account, by evidence.

        That is the account's own word; or where it gives none, that the Region is opt-in and refuses a key which is
        good elsewhere.
        """
        account, region = self._target.account, self._target.region
        if self._outcome.pages or not is_opt_in(region) or failure.reason is not Reason.ACCESS_DENIED:
            return False
        off = await self._enabled.is_off(account, region, self._slot, credentials)
        if off is not None:
            return off
        return failure.error_code in REGION_OFF_CODES and await self._roles.prove_accepted(
            account, self._slot, credentials
        )

    def _before_retry(self, state: RetryCallState) -> None:
        self._outcome.retries += 1
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CallFailed):
            failure = error.failure
            self._log().debug(
                "retry", attempt=state.attempt_number, reason=failure.reason, request_id=error.request_id
            )

    def _begun_again(self, failed: CallFailed) -> None:
        self._log().warning("page token rejected; begun again", request_id=failed.request_id)

    def _log(self) -> Any:
        return log.bind(account=self._target.account.id, region=self._target.region, source=self._source.id)
