"""Findings imported into Security Hub: each with a session of its own account, and in its own Region.

One client serves them all, as in `auditor.aws.clients`; nothing of it, nor of its sessions, is the audit's.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from auditor.aws.clients import CALL_AS, CallAs, open_shared
from auditor.aws.failures import CALL_ERRORS, EXPIRED_CODES, call_failed
from auditor.aws.roles import CHAINED_LIMIT, Roles
from auditor.aws.slots import Slot
from auditor.errors import CallFailed, UsageError
from auditor.model import IMPORT_ACTIONS, Account, Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.aws.clients import SharedClients
    from auditor.aws.credentials import SessionCredentials

AT_ONCE = 16
"""Calls at the same time."""
_SERVICE = "securityhub"
_SESSION_NAME = "lightsail-export-audit-delivery"


@dataclass(frozen=True, slots=True)
class ImportAs:
    """As whom findings are imported."""

    role: str
    """The role's name in every account, with its path before it."""
    external_id: str | None = field(default=None, repr=False)
    hub: Account | None = None
    """The role that these are assumed with; None is the base credentials."""
    request_timeout: float = 20.0
    """Seconds."""
    allow_http: bool = False

    def role_of(self, account_id: str) -> Account:
        """Return the role of an account, whose session is for importing findings and for nothing else."""
        hub = self.hub
        return Account(
            id=account_id,
            name=None,
            role_arn=f"arn:aws:iam::{account_id}:role/{self.role}",
            external_id=self.external_id,
            session_name=_SESSION_NAME,
            session_duration=CHAINED_LIMIT,
            regions=(),
            hub=hub,
            # A source identity stays with every session that is assumed from one that has it.
            source_identity=hub.source_identity if hub is not None else None,
            actions=IMPORT_ACTIONS,
        )


class Importer:
    """Opened at its first call."""

    def __init__(self, import_as: ImportAs) -> None:
        self._as = import_as
        self._stack: AsyncExitStack | None = None
        self._clients: SharedClients | None = None
        self._roles: Roles | None = None
        self._opening = anyio.Lock()
        self._places = anyio.Semaphore(AT_ONCE)

    async def call(self, account_id: str, region: str, findings: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return what Security Hub says of these, which all are of this account and Region.

        An account whose role STS refuses is not asked for again until this is closed.

        :raises CallFailed: where it does not answer what was asked.
        """
        clients, roles = await self._opened()
        account = self._as.role_of(account_id)
        async with Slot(self._places) as slot:
            credentials = await roles.credentials(account, slot)
            try:
                return await self._imported(clients, credentials, region, findings)
            except CallFailed as failed:
                if failed.failure.error_code not in EXPIRED_CODES:
                    raise
            credentials = await roles.renew(account, slot, stale=credentials)
            return await self._imported(clients, credentials, region, findings)

    async def close(self) -> None:
        """Let go of the clients and sessions."""
        stack, self._stack, self._clients, self._roles = self._stack, None, None, None
        if stack is not None:
            with anyio.CancelScope(shield=True):
                await stack.aclose()

    async def _opened(self) -> tuple[SharedClients, Roles]:
        async with self._opening:
            if self._clients is None or self._roles is None:
                self._clients = await self._open()
                self._roles = Roles(self._clients, self._as.request_timeout)
            return self._clients, self._roles

    async def _open(self) -> SharedClients:
        hidden = (self._as.external_id, self._as.hub.external_id if self._as.hub else None)
        async with AsyncExitStack() as stack:
            try:
                clients = await stack.enter_async_context(
                    open_shared(
                        {_SERVICE},
                        concurrency=AT_ONCE,
                        request_timeout=self._as.request_timeout,
                        allow_http=self._as.allow_http,
                        secrets=tuple(filter(None, hidden)),
                    )
                )
            except UsageError as error:
                raise CallFailed(Failure(Reason.UNAUTHENTICATED, None, str(error))) from error
            self._stack = stack.pop_all()
        return clients

    async def _imported(
        self,
        clients: SharedClients,
        credentials: SessionCredentials,
        region: str,
        findings: Sequence[dict[str, Any]],
    ) -> dict[str, Any]:
        client = clients.by_service[_SERVICE]
        try:
            answer: dict[str, Any] = await client.batch_import_findings(
                Findings=list(findings), **{CALL_AS: CallAs(credentials, region)}
            )
        except CALL_ERRORS as error:
            raise call_failed(error, (*clients.base_secrets, *credentials.secrets)) from error
        return answer
