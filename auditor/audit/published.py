"""Lightsail's own word on which Regions it has, asked once a run as an account that could be read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from auditor.aws.opt_in import published_regions
from auditor.aws.slots import Slot
from auditor.errors import CallFailed

if TYPE_CHECKING:
    from auditor.audit.preparing import Ready
    from auditor.coverage import Ledger

log = structlog.get_logger()


async def lightsails_word(ready: Ready, ledger: Ledger, request_timeout: float) -> frozenset[str] | None:
    """Return the Regions that Lightsail says it has, asked as the first account that could be read.

    :return: None where it could not be asked, or did not say.
    """
    account = next((target.account for target, outcome in ledger.settled_lines() if outcome.pages), None)
    if account is None:
        return None
    try:
        async with Slot(ready.in_flight) as slot:
            credentials = await ready.roles.credentials(account, slot)
            asking = partial(published_regions, ready.clients, account, credentials, request_timeout)
            return await ready.paces.call(account, slot, asking)
    except CallFailed as failed:
        log.warning("Lightsail did not say which Regions it has", error=str(failed))
    except Exception as error:  # a bug of ours in what no target rests on must not end the run
        log.exception("internal error: the Regions are not compared", error=type(error).__name__)
    return None
