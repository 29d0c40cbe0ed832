"""One object of S3: read whole, and written only where nobody else has written meanwhile."""

from __future__ import annotations

import math
import secrets as randomness
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError, IncompleteReadError

from auditor import __version__
from auditor.aws.clients import base_secrets, overrides_of, quiet_botocore, without_password
from auditor.aws.connections import Connections
from auditor.aws.failures import CALL_ERRORS, BadResponse, call_failed
from auditor.errors import CallFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

_HOME_REGION = "us-east-1"
_TRIES = 4
_CHUNK = 1024 * 1024
_ABSENT = frozenset({"NoSuchKey", "404"})
# Amazon S3 user guide, "How to prevent object overwrites with conditional writes".
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MARK = "auditor-write"
"""The metadata by which a write that was tried again knows that it was its own first try that came before it."""


class LostRace(Exception):  # noqa: N818 -- what happened, not a fault
    """Somebody else has written the object since it was read."""


@dataclass(frozen=True, slots=True)
class Objects:
    """S3 as the base credentials see it."""

    client: Any = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    async def read(self, bucket: str, key: str, to: Path) -> str | None:
        """Write the object to the file `to` and return its ETag; None where there is no such object.

        :raises CallFailed: where it can't be read.
        """
        try:
            answer = await self.client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as body:
                with to.open("wb") as file:
                    async with aclosing(_chunks(body)) as chunks:
                        async for chunk in chunks:
                            file.write(chunk)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise self._failed(error) from error
        except CALL_ERRORS as error:
            raise self._failed(error) from error
        return str(answer["ETag"])

    async def write(self, bucket: str, key: str, path: Path, etag: str | None) -> None:
        """Put the file in the object's place, if that has this ETag, or with None is not there yet.

        :raises LostRace: where it has another, or is there.
        :raises CallFailed: where it can't be written.
        """
        mark = randomness.token_hex(16)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with path.open("rb") as file:
                await self.client.put_object(
                    Bucket=bucket, Key=key, Body=file, Metadata={_MARK: mark}, **condition
                )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in (_LOST | _ABSENT):
                raise self._failed(error) from error
            if await self._mark(bucket, key) != mark:
                raise LostRace from error
        except CALL_ERRORS as error:
            raise self._failed(error) from error

    async def _mark(self, bucket: str, key: str) -> str | None:
        try:
            answer = await self.client.head_object(Bucket=bucket, Key=key)
        except CALL_ERRORS:
            return None  # then it is not known to be ours
        mark: str | None = answer.get("Metadata", {}).get(_MARK)
        return mark

    def _failed(self, error: Exception) -> CallFailed:
        return call_failed(error, self.secrets)


async def _chunks(body: Any) -> AsyncGenerator[bytes, None]:
    """Yield the body of an answer, piece by piece.

    :raises BadResponse: where it does not come whole, or is not what was stored.
    """
    try:
        async for chunk in body.iter_chunks(_CHUNK):
            yield chunk
    except (aiohttp.ClientError, IncompleteReadError, FlexibleChecksumError, RuntimeError) as error:
        # aiohttp: RuntimeError where the connection was closed between two pieces.
        raise BadResponse(f"the object did not come whole: {error}") from error


@asynccontextmanager
async def open_objects(*, request_timeout: float, allow_http: bool) -> AsyncIterator[Objects]:
    """Open S3 with the base credentials of AWS's default chain.

    :raises CredentialsError: where the chain holds none, or can't load them.
    :raises UsageError: where the environment can't be used, or leads to plain http without `allow_http`.
    """
    quiet_botocore()
    session: Any = AioSession()  # Any: its stubs know clients by literal names alone
    secrets = await base_secrets(session, math.inf)
    config = AioConfig(
        http_session_cls=partial(Connections, tls_contexts={}),  # type: ignore[arg-type]  # it is only called
        user_agent=f"auditor/{__version__} aiobotocore",
        connect_timeout=request_timeout,
        read_timeout=request_timeout,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
    )
    try:
        region = session.get_config_variable("region") or _HOME_REGION
        opening = session.create_client("s3", region, config=config)
        client = await opening.__aenter__()
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"the AWS environment can't be used: {without_password(str(error))}") from None
    try:
        overrides_of({"s3": client}, allow_http=allow_http)
        yield Objects(client, secrets)
    finally:
        with anyio.CancelScope(shield=True):
            await opening.__aexit__(None, None, None)
