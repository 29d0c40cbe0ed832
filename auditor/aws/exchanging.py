"""One call over the wire: signed, sent and parsed as botocore's endpoint does it, without what nobody uses here.

Around each request botocore's endpoint asks hooks that nobody has registered, prepares it three times, describes its
answer twice and asks its own retry layer at the end, which costs more than the signature. botocore's event
`before-call` lets something else stand in for it: this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from multidict import CIMultiDict
from yarl import URL

from auditor.aws.parsing import PARSERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEEDS_NO_QUOTING = re.compile("[A-Za-z0-9._-]+").fullmatch
"""Says of a value that a form holds it as it is (RFC 3986, "Unreserved Characters")."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as botocore's signers change it, and aiobotocore's connections send it."""

    method: str
    url: str
    headers: CIMultiDict[str]
    body: bytes
    context: dict[str, Any]
    params: Mapping[str, str] = field(default_factory=dict)
    """What is asked for beside the URL: nothing, since that has it all."""
    stream_output: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What botocore's client looks at of an answer."""

    status_code: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """Makes the calls of one client."""

    connections: Any
    """`auditor.aws.connections.Connections`, of which aiobotocore's stubs say something else than it does."""
    protocol: str
    """In which the service speaks, as botocore's model names it."""

    async def __call__(
        self, model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: object
    ) -> tuple[Answered, dict[str, Any]]:
        """Return what is answered to a call; an error of AWS is raised of it by the client.

        :raises BotoCoreError: where no whole answer came.
        :raises BadResponse: where what came is none.
        """
        url, body = params["url"], params["body"]
        headers = CIMultiDict(params["headers"], Host=_host(url))
        request = Request(
            params["method"], url, headers, _form(body) if isinstance(body, dict) else body, context
        )
        signing = context.get("signing", {})
        signer = await request_signer.get_auth_instance(
            signing.get("signing_name", request_signer.signing_name),
            signing.get("region", request_signer.region_name),
            request_credentials=signing.get("request_credentials"),
        )
        signer.add_auth(request)
        response = await self.connections.send(request)
        answer = {
            "status_code": response.status_code,
            "headers": response.headers,
            "body": await response.content,
            "context": {"operation_name": model.name},
        }
        return Answered(response.status_code), await PARSERS[self.protocol].parse(answer, model.output_shape)


@lru_cache(maxsize=256)
def _host(url: str) -> str:
    """Return what an HTTP client names as the host of a URL: its port only where it is not the usual."""
    parsed = URL(url)
    host = parsed.host_subcomponent or ""
    return host if parsed.is_default_port() else f"{host}:{parsed.explicit_port}"


def _form(members: Mapping[str, Any]) -> bytes:
    """Return the form of a Query call. Its names are those of AWS's parameters, which need no quoting.

    Nor do ids, of which there may be hundreds.
    """
    written = [
        f"{name}={value if _NEEDS_NO_QUOTING(text := str(value)) else quote_plus(text)}"
        for name, value in members.items()
    ]
    return "&".join(written).encode()
