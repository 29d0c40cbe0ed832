"""One client per service, shared by every account and Region.

A client costs 5 ms and a TLS context 40 ms, so there is one of each, and the account's credentials and the Region
are chosen call by call: a call names them in the parameter `CALL_AS`, which a hook takes out again before botocore
looks at the parameters. That rests on botocore's undocumented `request_credentials` signing context and is why
botocore is pinned; tests hold every signature to the account and Region that it was meant for.
"""

from __future__ import annotations

import logging
import math
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import handlers
from botocore.exceptions import BotoCoreError

from auditor import __version__
from auditor.aws.connections import Connections
from auditor.aws.endpoints import Endpoints
from auditor.aws.exchanging import Exchange
from auditor.aws.models import LOADER
from auditor.errors import CredentialsError, UsageError
from auditor.model import is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from auditor.aws.credentials import SessionCredentials
    from auditor.aws.hearing import Recorder

_TALKATIVE = frozenset({"botocore", "aiobotocore", "urllib3"})
_LONGEST = 500
"""Characters of somebody else's message that are shown."""

CALL_AS = "AuditorCallAs"
_HOME_REGION = "us-east-1"
"""Where STS is called when the environment names no Region."""

_IDLE_HOOKS = (
    handlers.generate_idempotent_uuid,
    handlers._handle_request_validation_mode_member,  # type: ignore[attr-defined]  # noqa: SLF001 -- missing in its stubs; it is pinned
)
"""What botocore hooks into every call for other services."""

_AWS_HOSTS = (".amazonaws.com", ".api.aws")
"""The DNS suffixes of partition aws, the second for dual stack (botocore's partitions)."""


@dataclass(frozen=True, slots=True)
class CallAs:
    """As whom, and where, a call is made."""

    credentials: SessionCredentials
    region: str


@dataclass(slots=True)
class Clients:
    """The opened clients of a run."""

    lightsail: Any
    sts: Any
    ec2: Any
    """None where no source of EC2 is read."""
    account: Any
    endpoint_overrides: dict[str, str]
    """Service → URL, where the environment or profile leads calls elsewhere than to AWS."""
    base_secrets: tuple[str, ...] = field(repr=False)
    """What must not be shown of the base credentials, and of what every call shares."""
    organizations: Any = None
    """None where it was not asked for."""
    recorder: Recorder | None = None
    """Keeps the answers, where they are to be kept."""


@dataclass(frozen=True, slots=True)
class SharedClients:
    """Clients of several services, each shared by every account and Region."""

    by_service: dict[str, Any]
    endpoint_overrides: dict[str, str]
    """Service → URL, where the environment or profile leads calls elsewhere than to AWS."""
    base_secrets: tuple[str, ...] = field(repr=False)
    """What must not be shown of the base credentials, and of what every call shares."""
    recorder: Recorder | None = None
    """What is called with these is no evidence."""

    @property
    def sts(self) -> Any:
        """STS, which is always among them."""
        return self.by_service["sts"]


@asynccontextmanager
async def open_clients(  # noqa: PLR0913 -- what calls are made with, and until when
    *,
    concurrency: int,
    request_timeout: float,
    allow_http: bool,
    services: Collection[str] = ("lightsail",),
    secrets: tuple[str, ...] = (),
    give_up_at: float = math.inf,
    recorder: Recorder | None = None,
) -> AsyncIterator[Clients]:
    """Open the clients of a run, with the base credentials of AWS's default chain.

    :param services: those of the sources that are read, and organizations where one is.
    :param secrets: what no message may show, beside the credentials and what a call itself was asked with.
    :param request_timeout: seconds.
    :param give_up_at: when to wait no longer for the base credentials, on the event loop's clock.
    :param recorder: keeps the answers, where they are to be kept.
    :raises CredentialsError: where the chain holds none, or can't load them.
    :raises UsageError: where the environment can't be used, or leads to plain http without `allow_http`.
    """
    async with open_shared(
        {"account", "lightsail", *services},
        concurrency=concurrency,
        request_timeout=request_timeout,
        allow_http=allow_http,
        secrets=secrets,
        give_up_at=give_up_at,
    ) as shared:
        clients = shared.by_service
        yield Clients(
            lightsail=clients["lightsail"],
            sts=shared.sts,
            ec2=clients.get("ec2"),
            account=clients["account"],
            endpoint_overrides=shared.endpoint_overrides,
            base_secrets=shared.base_secrets,
            organizations=clients.get("organizations"),
            recorder=recorder,
        )


@asynccontextmanager
async def open_shared(  # noqa: PLR0913 -- as above
    services: Collection[str],
    *,
    concurrency: int,
    request_timeout: float,
    allow_http: bool,
    secrets: tuple[str, ...] = (),
    give_up_at: float = math.inf,
) -> AsyncIterator[SharedClients]:
    """Open a client for STS and for each of these services; parameters and errors as above."""
    quiet_botocore()
    session: Any = AioSession()  # Any: its stubs know clients by literal names alone
    session.register_component("data_loader", LOADER)
    # A session token of STS's global endpoint is refused by opt-in Regions, with the very error that a Region gives
    # which is not enabled (IAM user guide, "Manage AWS STS in an AWS Region").
    session.set_config_variable("sts_regional_endpoints", "regional")
    secrets = (*secrets, *await base_secrets(session, give_up_at))
    config = AioConfig(
        http_session_cls=partial(Connections, tls_contexts={}),  # type: ignore[arg-type]  # it is only called
        user_agent=f"auditor/{__version__} aiobotocore",
        max_pool_connections=concurrency,
        connect_timeout=request_timeout,
        read_timeout=request_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},  # the one retry layer is auditor.aws.retrying
        parameter_validation=False,
    )
    async with AsyncExitStack() as stack:
        try:
            region = session.get_config_variable("region") or _HOME_REGION
            check_ca_bundle(session.get_config_variable("ca_bundle"))
            # Organizations' one endpoint in partition aws is there too (AWS General Reference, its endpoints).
            clients = {
                service: await stack.enter_async_context(session.create_client(service, home, config=config))
                for service, home in {
                    "sts": region,
                    **dict.fromkeys(sorted(services), _HOME_REGION),
                }.items()
            }
        except (BotoCoreError, ValueError) as error:
            raise UsageError(f"the AWS environment can't be used: {without_password(str(error))}") from None
        overrides = overrides_of(clients, allow_http=allow_http)
        for client in clients.values():
            _speed_up(client)
            client.meta.events.register("provide-client-params", _choose_caller)
            client.meta.events.register("before-endpoint-resolution", _choose_region)
        yield SharedClients(clients, overrides, secrets)


def _choose_caller(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any] | None:
    call_as: CallAs | None = params.get(CALL_AS)
    if call_as is None:
        return None  # a call with the base credentials
    context["signing"] = {"request_credentials": call_as.credentials, "region": call_as.region}
    return {name: value for name, value in params.items() if name != CALL_AS}


def _speed_up(client: Any) -> None:
    """Let a client do only what is needed here. Its parts are private to botocore, which is pinned."""
    for hook in _IDLE_HOOKS:
        client.meta.events.unregister("before-parameter-build", hook)
    client._ruleset_resolver = Endpoints(client._ruleset_resolver)  # noqa: SLF001 -- as above
    exchange = Exchange(client._endpoint.http_session, client.meta.service_model.protocol)  # noqa: SLF001 -- as above
    client.meta.events.register_first("before-call", exchange)


def _choose_region(builtins: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    if "signing" in context:
        builtins["AWS::Region"] = context["signing"]["region"]


def quiet_botocore() -> None:
    """Keep botocore from logging what it sends: at DEBUG that is every secret, AssumeRole's answer included."""
    for name in ("botocore", "aiobotocore", "urllib3", *logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if name.partition(".")[0] in _TALKATIVE and logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)
    for name in ("botocore.credentials", "aiobotocore.credentials", "botocore.tokens", "aiobotocore.tokens"):
        # Why credentials can't be had is told once, by what asks for them; these add a traceback.
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def base_secrets(session: AioSession, give_up_at: float) -> tuple[str, ...]:
    """Load the base credentials, and return what must not be shown of them.

    :raises CredentialsError: where there are none, or they can't be loaded.
    """
    try:
        with anyio.CancelScope(deadline=give_up_at) as waiting:
            credentials = await session.get_credentials()
            frozen = await credentials.get_frozen_credentials() if credentials else None
    except Exception as error:  # the chain runs programs, reads files and calls servers of the user's choice
        text = shown(str(error))[:_LONGEST] or type(error).__name__
        raise CredentialsError(f"the base credentials can't be loaded: {text}") from error
    if waiting.cancelled_caught:
        raise CredentialsError("the base credentials were not to be had before the run's deadline")
    if frozen is None:
        raise CredentialsError(
            "no AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or run where a role is attached"
        )
    return tuple(secret for secret in (frozen.secret_key, frozen.token, frozen.access_key) if secret)


def check_ca_bundle(bundle: object) -> None:
    """Look whether the CA bundle is there.

    :raises UsageError: where not.
    """
    if isinstance(bundle, str) and not Path(bundle).is_file():
        raise UsageError(
            f"the CA bundle {shown(bundle)} is no file: correct AWS_CA_BUNDLE or the profile's ca_bundle"
        )


def overrides_of(clients: dict[str, Any], *, allow_http: bool) -> dict[str, str]:
    """Return where calls are led elsewhere than to AWS: service → URL.

    :raises UsageError: where that is no URL, or plain http to another machine without `allow_http`.
    """
    overrides = {}
    for service, client in clients.items():
        url = urlsplit(client.meta.endpoint_url)
        host = url.hostname or ""
        try:
            _ = url.port
        except ValueError as error:
            raise UsageError(
                f"the endpoint of {service}: {shown(str(error))}; correct AWS_ENDPOINT_URL"
            ) from None
        if url.scheme == "https" and host.endswith(_AWS_HOSTS):
            continue
        overrides[service] = url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()
        if url.scheme not in ("http", "https"):
            raise UsageError(
                f"the endpoint of {service}, {shown(overrides[service])}, is no URL of http or https"
            )
        if url.scheme == "http" and not allow_http and not is_loopback(host):
            raise UsageError(
                f"calls to {service} would go over plain http to {shown(host)}: "
                "use https, or pass --allow-http if nobody else can read that network"
            )
    return overrides


def without_password(text: str) -> str:
    """Return the text without what stands before an @, as a password does in a URL."""
    return shown(re.sub(r"[^\s\"']*@", "", text))[:_LONGEST]
