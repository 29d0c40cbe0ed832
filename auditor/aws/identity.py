"""Who is asking: the base credentials, tried once before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.aws.failures import CALL_ERRORS, call_failed
from auditor.aws.hearing import Asked, heard
from auditor.aws.retrying import Retrying
from auditor.errors import CallFailed, CredentialsError
from auditor.model import CALLER_IDENTITY, Reason

if TYPE_CHECKING:
    from auditor.aws.clients import Clients
    from auditor.aws.slots import Slot

log = structlog.get_logger()

_UNUSABLE = frozenset({Reason.ACCESS_DENIED, Reason.EXPIRED_CREDENTIALS, Reason.CLOCK_SKEW})


async def caller_arn(clients: Clients, slot: Slot, request_timeout: float) -> str | None:
    """Return the ARN of the base credentials, or None where AWS won't say.

    :raises CredentialsError: where AWS does not accept them.
    """

    async def once() -> dict[str, Any]:
        with heard(clients.recorder, Asked(CALLER_IDENTITY, None, None), clients.base_secrets):
            try:
                with anyio.fail_after(request_timeout):
                    answer: dict[str, Any] = await clients.sts.get_caller_identity()
            except CALL_ERRORS as error:
                raise call_failed(error, clients.base_secrets) from error
        return answer

    try:
        answer = await Retrying(slot)(once)
    except CallFailed as failed:
        failure = failed.failure
        # GetCallerIdentity needs no permission; a policy that denies it all the same says nothing of AssumeRole.
        if failure.reason in _UNUSABLE and failure.error_code != "AccessDenied":
            raise CredentialsError(
                f"AWS does not accept the base credentials: {failure.error_code}: {failure.error_message}; "
                "look at AWS_PROFILE and the AWS_* variables, or sign in again"
            ) from failed
        log.warning("caller not known", reason=failure.reason, error_code=failure.error_code)
        return None
    arn = answer.get("Arn")
    return arn if isinstance(arn, str) else None
