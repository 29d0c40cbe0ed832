"""The connections of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.httpsession import AIOHTTPSession

if TYPE_CHECKING:
    import aiohttp


class Connections(AIOHTTPSession):
    """aiobotocore's own, but for redirects: AWS sends none, and whoever else does must not get a session token."""

    async def _get_session(self, proxy_url: str | None) -> Any:  # of aiobotocore, which is pinned
        return _Unredirected(await super()._get_session(proxy_url))  # type: ignore[misc]  # missing in its stubs


class _Unredirected:
    """An aiohttp session that takes a redirect for the answer."""

    __slots__ = ("_session",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, method: str, **how: Any) -> Any:
        return self._session.request(method, allow_redirects=False, **how)
