"""Calls that send: a client of its own for each destination, with the base credentials or a role of the destination's.

The audit's own credentials are read-only, and no destination's client shares anything with them.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from auditor import __version__
from auditor.aws.clients import base_secrets, check_ca_bundle, overrides_of, quiet_botocore, without_password
from auditor.aws.connections import Connections
from auditor.aws.failures import CALL_ERRORS, EXPIRED_CODES, call_failed
from auditor.errors import CallFailed, UsageError
from auditor.model import Failure, Reason

_SESSION_NAME = "lightsail-export-audit-delivery"
_HOUR = 3600
"""Seconds: what every role gives, chained ones included (STS API reference, AssumeRole)."""


@dataclass(frozen=True, slots=True)
class SendAs:
    """As whom, and where, a destination is sent to."""

    service: str
    """The name of botocore's client."""
    region: str
    role_arn: str | None = None
    """None is the base credentials."""
    external_id: str | None = field(default=None, repr=False)
    request_timeout: float = 20.0
    """Seconds."""
    allow_http: bool = False


class Sender:
    """One service's client, opened at the first call and again when its session has expired."""

    def __init__(self, send_as: SendAs) -> None:
        self._as = send_as
        self._stack: AsyncExitStack | None = None
        self._client: Any = None
        self._secrets: tuple[str | None, ...] = ()

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Return what AWS answers.

        :raises CallFailed: where it does not answer what was asked.
        """
        try:
            if self._client is None:
                await self._open()
            answer: dict[str, Any] = await getattr(self._client, method)(**arguments)
        except UsageError as error:
            raise CallFailed(Failure(Reason.UNAUTHENTICATED, None, str(error))) from error
        except CALL_ERRORS as error:
            failed = call_failed(error, self._secrets)
            if failed.failure.error_code in EXPIRED_CODES:
                await self.close()
            raise failed from error
        return answer

    async def close(self) -> None:
        """Let go of the client."""
        stack, self._stack, self._client = self._stack, None, None
        if stack is not None:
            with anyio.CancelScope(shield=True):
                await stack.aclose()

    async def _open(self) -> None:
        quiet_botocore()
        async with AsyncExitStack() as stack:
            session: Any = AioSession()  # Any: its stubs know clients by literal names alone
            session.set_config_variable("sts_regional_endpoints", "regional")
            check_ca_bundle(session.get_config_variable("ca_bundle"))
            self._secrets = (self._as.external_id, *await base_secrets(session, float("inf")))
            keys: dict[str, str] = {}
            if self._as.role_arn is not None:
                keys = await self._assumed(await self._entered(stack, session, "sts"))
                self._secrets = (*self._secrets, *keys.values())
            self._client = await self._entered(stack, session, self._as.service, **keys)
            self._stack = stack.pop_all()

    async def _entered(self, stack: AsyncExitStack, session: Any, service: str, **keys: str) -> Any:
        timeout = self._as.request_timeout
        config = AioConfig(
            http_session_cls=partial(Connections, tls_contexts={}),  # type: ignore[arg-type]  # it is only called
            user_agent=f"auditor/{__version__} aiobotocore",
            connect_timeout=timeout,
            read_timeout=timeout,
            # The one retry layer of what is sent is auditor.delivery.sending.
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        try:
            client = await stack.enter_async_context(
                session.create_client(service, self._as.region, config=config, **keys)
            )
        except (BotoCoreError, ValueError) as error:
            raise UsageError(f"the AWS environment can't be used: {without_password(str(error))}") from None
        overrides_of({service: client}, allow_http=self._as.allow_http)
        client.meta.events.register("before-call.s3", _stay_in_region)
        return client

    async def _assumed(self, sts: Any) -> dict[str, str]:
        asked: dict[str, Any] = {
            "RoleArn": self._as.role_arn,
            "RoleSessionName": _SESSION_NAME,
            "DurationSeconds": _HOUR,
        }
        if self._as.external_id is not None:
            asked["ExternalId"] = self._as.external_id
        given = (await sts.assume_role(**asked))["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }


def _stay_in_region(params: dict[str, Any], **_: object) -> None:
    """Tell botocore that it has followed a bucket to its Region already: asked again and again, it never ends."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True
