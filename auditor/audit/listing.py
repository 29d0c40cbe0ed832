"""Which accounts a run would have, asked for without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from auditor.audit.hub import assume_hub
from auditor.audit.organization import find_accounts
from auditor.aws.clients import open_clients
from auditor.aws.identity import caller_arn
from auditor.aws.roles import Roles
from auditor.aws.slots import Slot
from auditor.inventory import listed

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.inventory import Inventory


async def list_accounts(config: Config, *, allow_http: bool = False) -> Inventory:
    """Return the accounts that a run of this configuration would have; without an organisation, nobody is asked.

    :raises UsageError: as a run would end.
    """
    if config.organization is None:
        return listed(config)
    timeout = config.limits.request_timeout.total_seconds()
    give_up_at = anyio.current_time() + config.limits.deadline.total_seconds()
    places = anyio.Semaphore(config.limits.concurrency)
    async with open_clients(
        concurrency=config.limits.concurrency,
        request_timeout=timeout,
        allow_http=allow_http,
        give_up_at=give_up_at,
        services=("organizations",),
        secrets=config.shared_external_ids,
    ) as clients:
        roles = Roles(clients, timeout)
        async with Slot(places) as slot:
            caller = await caller_arn(clients, slot, timeout)
            await assume_hub(config.hub, roles, slot)
        return await find_accounts(
            config,
            clients,
            roles,
            caller=caller,
            places=places,
            request_timeout=timeout,
            give_up_at=give_up_at,
            with_units=True,
        )
