"""The connections of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.httpsession import AIOHTTPSession

if TYPE_CHECKING:
    from ssl import SSLContext

    import aiohttp

    TLSContexts = tuple[SSLContext, SSLContext | None]
    """To the endpoint, and to a proxy."""


class Connections(AIOHTTPSession):
    """aiobotocore's own, but for redirects: AWS sends none, and whoever else does must not get a session token.

    And each kind of TLS context is made once.
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
    """An aiohttp session that takes a redirect for the answer."""

    __slots__ = ("_session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, method: str, **how: Any) -> Any:
        return self._session.request(method, allow_redirects=False, **how)
