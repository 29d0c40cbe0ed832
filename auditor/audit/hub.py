"""The hub, tried before anything is written: without it no account can be audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from auditor.aws.session_policy import chain_actions
from auditor.errors import CallFailed, UsageError
from auditor.model import Reason

if TYPE_CHECKING:
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.model import Account

log = structlog.get_logger()

_REFUSED = frozenset({Reason.ROLE_NOT_ASSUMABLE, Reason.WRONG_ACCOUNT})


async def assume_hub(hub: Account | None, roles: Roles, slot: Slot) -> None:
    """Assume the hub, where there is one.

    Where STS can't be asked now, it is asked again when the first account needs the hub.

    :raises UsageError: where STS refuses it.
    """
    if hub is None:
        return
    try:
        await roles.credentials(hub, slot)
    except CallFailed as failed:
        failure = failed.failure
        if failure.reason in _REFUSED:
            raise UsageError(
                f"the hub role {hub.role_arn} can't be assumed: {failure.error_code or failure.reason}: "
                f"{failure.error_message}; {how_to_allow(hub, by='the base credentials')}"
            ) from failed
        log.warning("hub not assumed yet", role=hub.role_arn, reason=failure.reason, error=str(failed))


def how_to_allow(role: Account, *, by: str) -> str:
    """Say what lets `by` assume a role."""
    needed = chain_actions(tags=bool(role.session_tags), source_identity=role.source_identity is not None)
    actions = ", ".join(needed)
    external_id = (
        ", under the ExternalId that is configured" if role.external_id else ", and ask for no ExternalId"
    )
    return (
        f"allow {by} {actions} on {role.role_arn}, and let its trust policy allow them {actions}{external_id} "
        "(`auditor iam` prints both)"
    )
