"""The connections of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.httpsession import AIOHTTPSession

from auditor.aws.failures import BadResponse

if TYPE_CHECKING:
    from ssl import SSLContext

    import aiohttp

    TLSContexts = tuple[SSLContext, SSLContext | None]
    """To the endpoint, and to a proxy."""


LARGEST_BODY = 32 * 1024 * 1024
"""Bytes of an answer that is read as a whole: a page of AWS's has some 50 KB, and the largest few MB."""


class Connections(AIOHTTPSession):
    """aiobotocore's own, but for redirects and for what would not fit into the memory.

    AWS sends neither, and whoever else redirects must not get a session token. And each kind of TLS context is made
    once. No body is unpacked: identity is asked for, and what comes compressed all the same is no JSON and no XML.
    """

    def __init__(self, *, tls_contexts: dict[object, TLSContexts], **how: Any) -> None:
        """Take botocore's own arguments, and what the clients of a run share: a TLS context costs 30 ms."""
        super().__init__(**how)
        self._tls_contexts = tls_contexts
        self._differs_by = (how.get("verify"), how.get("client_cert"))

    def _build_ssl_contexts(self, proxy_url: str | None) -> TLSContexts:  # of aiobotocore, which is pinned
        differs_by = (*self._differs_by, proxy_url)
        if differs_by not in self._tls_contexts:
            self._tls_contexts[differs_by] = super()._build_ssl_contexts(proxy_url)  # type: ignore[misc]  # missing in its stubs
        return self._tls_contexts[differs_by]

    async def _get_session(self, proxy_url: str | None) -> Any:  # of aiobotocore, which is pinned
        return _Unredirected(await super()._get_session(proxy_url))  # type: ignore[misc]  # missing in its stubs


class _Unredirected:
    """An aiohttp session that takes a redirect for the answer, and reads no more of it than there is room for."""

    __slots__ = ("_session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **how: Any) -> Any:
        return _Bounded(await self._session.request(method, allow_redirects=False, **how))


class _Bounded:
    """An answer, whose body as a whole is refused where it is too large; read in pieces, it is whoever reads it's."""

    __slots__ = ("_answer",)

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    async def read(self) -> bytes:
        """Return the body.

        :raises BadResponse: where it is larger than any that AWS sends.
        """
        announced = self._answer.content_length
        if announced is not None and announced <= LARGEST_BODY:
            return await self._answer.read()
        try:
            return await self._counted(announced)
        except BaseException:  # a cancellation too: what is left of the body must not stay in the connection
            self._answer.close()
            raise

    async def _counted(self, announced: int | None) -> bytes:
        body = bytearray()
        if announced is None:
            async for piece in self._answer.content.iter_any():
                body += piece
                if len(body) > LARGEST_BODY:
                    break
            else:
                return bytes(body)
        raise BadResponse(f"a body of more than {LARGEST_BODY // 2**20} MiB")
