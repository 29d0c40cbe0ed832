"""Which Regions are on: by the account's own word, and by Lightsail's.

account:ListRegions says which Regions an account has enabled. It is asked once an account, and only where a Region
refused: most roles may not call it, and most Regions answer. lightsail:GetRegions says where Lightsail is; it is
asked once a run, since botocore's list is only as new as its installation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from auditor.aws.clients import CALL_AS, CallAs
from auditor.aws.failures import CALL_ERRORS, BadResponse, call_failed
from auditor.aws.hearing import Asked, heard
from auditor.aws.pacing import Paces
from auditor.aws.retrying import Retrying
from auditor.errors import CallFailed
from auditor.model import GET_REGIONS, LIST_REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from auditor.aws.clients import Clients
    from auditor.aws.credentials import SessionCredentials
    from auditor.aws.slots import Slot
    from auditor.model import Account

_HOME_REGION = "us-east-1"
"""Where the Account Management API answers for every Region, and Lightsail for itself."""
_OFF = frozenset({"DISABLED", "DISABLING"})
_ON = frozenset({"ENABLED", "ENABLED_BY_DEFAULT", "ENABLING"})
"""Account Management API reference, ListRegions: RegionOptStatus."""


@dataclass(slots=True)
class _Word:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    asked: bool = False
    statuses: Mapping[str, str] = field(default_factory=dict)


class EnabledRegions:
    """What the accounts of a run say of their Regions."""

    def __init__(self, clients: Clients, request_timeout: float, paces: Paces | None = None) -> None:
        self._clients = clients
        self._paces = paces or Paces()
        self._timeout = request_timeout
        self._words: dict[str, _Word] = {}

    async def is_off(
        self, account: Account, region: str, slot: Slot, credentials: SessionCredentials
    ) -> bool | None:
        """Say whether `account` has not enabled `region`; None where it does not say."""
        word = self._words.setdefault(account.id, _Word())
        if word.lock.locked():
            slot.release()  # another task is asking: this one only waits
        async with word.lock:
            await slot.acquire()
            if not word.asked:
                word.statuses = await self._statuses(account, slot, credentials)
                word.asked = True
        status = word.statuses.get(region)
        return True if status in _OFF else False if status in _ON else None

    async def _statuses(
        self, account: Account, slot: Slot, credentials: SessionCredentials
    ) -> Mapping[str, str]:
        found: dict[str, str] = {}
        token: str | None = None
        seen: set[str] = set()
        while True:
            asked: dict[str, Any] = {CALL_AS: CallAs(credentials, _HOME_REGION)}
            if token is not None:
                asked["NextToken"] = token
            once = partial(
                _called,
                self._clients.account.list_regions,
                asked,
                "Regions",
                self._timeout,
                credentials,
                partial(
                    heard,
                    self._clients.recorder,
                    Asked(LIST_REGIONS, account.id, None, token=token),
                    (account.external_id, *credentials.secrets, *self._clients.base_secrets),
                ),
            )
            try:
                answer = await Retrying(slot)(self._paces.call, account, slot, once)
            except CallFailed:
                return {}  # a role that may not ask is no fault: other evidence decides then
            for raw in answer["Regions"]:
                if isinstance(raw, dict):
                    found[str(raw.get("RegionName"))] = str(raw.get("RegionOptStatus"))
            token = answer.get("NextToken")
            if not isinstance(token, str) or not token or token in seen:
                return found
            seen.add(token)


async def published_regions(
    clients: Clients, account: Account, credentials: SessionCredentials, request_timeout: float
) -> frozenset[str]:
    """Return the Regions that Lightsail itself says it has. It is asked once: no target rests on the answer.

    :raises CallFailed: where it does not say.
    """
    asked = {CALL_AS: CallAs(credentials, _HOME_REGION)}
    hearing = partial(
        heard,
        clients.recorder,
        Asked(GET_REGIONS, account.id, None),
        (account.external_id, *credentials.secrets, *clients.base_secrets),
    )
    answer = await _called(
        clients.lightsail.get_regions, asked, "regions", request_timeout, credentials, hearing
    )
    named = (raw.get("name") for raw in answer["regions"] if isinstance(raw, dict))
    return frozenset(name for name in named if isinstance(name, str))


async def _called(  # noqa: PLR0913, PLR0917 -- what it is called with
    method: Any,
    asked: dict[str, Any],
    key: str,
    patience: float,
    credentials: SessionCredentials,
    hearing: Callable[[], AbstractContextManager[object]],
) -> dict[str, Any]:
    with hearing():
        try:
            with anyio.fail_after(patience):
                answer: dict[str, Any] = await method(**asked)
            if not isinstance(answer.get(key), list):
                raise BadResponse(f"an answer without the list {key}")
        except CALL_ERRORS as error:
            raise call_failed(error, credentials.secrets) from error
    return answer
