"""Posting over HTTP: TLS always verified, no redirect followed, and whatever comes back is an answer or a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import anyio
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from auditor import __version__
from auditor.config import DestinationSettings
from auditor.delivery.contract import Destination, Later, Receipt, Refused, Taken
from auditor.delivery.tls import tls_context
from auditor.errors import UsageError
from auditor.model import is_loopback, is_plain, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from auditor.config import Receiver

_MOST_READ = 64 * 1024
"""Bytes of an answer that are looked at."""
_LONGEST_SHOWN = 200
_LEAST_SECRET = 8
"""Characters of a path that may let one in; `in` or `events` lets nobody in, and stands in many a word."""

# RFC 9110, 15.5: what these say is wrong with the body itself, and not with the sender or the moment.
_NEVER = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


def _url(text: str) -> str:
    if not is_plain(text) or " " in text:
        raise PydanticCustomError("url", "a URL holds no blanks and nothing invisible")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise PydanticCustomError("url", "is no URL; write one such as https://siem.example.com/in") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise PydanticCustomError("url", "is no URL of https; write one such as https://siem.example.com/in")
    if "@" in parts.netloc:
        raise PydanticCustomError("url", "holds a user or password; no secret stands in this file: remove it")
    return text


Url = Annotated[str, Field(pattern="^https?://"), AfterValidator(_url)]


class HttpSettings(DestinationSettings):
    """What every destination over HTTP can be set to."""

    url: Url = Field(description="Where events are posted to; plain http is for this machine alone.")
    ca_file: str | None = Field(
        default=None,
        description="A file of the certificate authorities to trust, in PEM, in place of the system's.",
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    retry_after: float | None
    """Seconds."""
    body: bytes
    """As much of it as is looked at."""


class Poster:
    """Posts to one server; opened for as long as there is something to post."""

    def __init__(
        self, name: str, settings: HttpSettings, *, secrets: Iterable[str], allow_http: bool
    ) -> None:
        """Look at all that can be looked at without a call.

        :param secrets: what no reason may show, though the server say it.
        :raises UsageError: where it would be plain http to elsewhere, or the CA file can't be used.
        """
        url = urlsplit(settings.url)
        host = url.hostname or ""
        if url.scheme == "http" and not allow_http and not is_loopback(host):
            raise UsageError(
                f"destination {name} would be sent to over plain http to {shown(host)}: "
                "use https, or pass --allow-http if nobody else can read that network"
            )
        self._url = settings.url
        self._secrets = tuple(secrets)
        self._tls = tls_context(name, settings.ca_file)
        self._proxy = None if proxy_bypass(host) else getproxies().get(url.scheme)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open what is posted through."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            # How long it may take is the business of whoever asks.
            timeout=aiohttp.ClientTimeout(total=None),
            # Nothing is unpacked: what is read is bounded by what came.
            auto_decompress=False,
            headers={"User-Agent": f"auditor/{__version__}", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            with anyio.CancelScope(shield=True):
                await self._session.close()

    async def post(self, body: bytes, headers: Mapping[str, str], path: str = "") -> Answer | Later:
        """Post, and return the answer, or why there is none.

        :param path: what follows the URL.
        """
        if self._session is None:
            raise RuntimeError("posted before it was opened")
        try:
            async with self._session.post(
                self._url + path, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
            ) as answer:
                said = bytearray()
                async for chunk in answer.content.iter_any():
                    said += chunk
                    if len(said) >= _MOST_READ:
                        break
                retry_after = _seconds(answer.headers.get("Retry-After"))
                return Answer(answer.status, retry_after, bytes(said[:_MOST_READ]))
        except (aiohttp.ClientError, OSError) as error:
            return Later(self.hidden(" ".join(f"{type(error).__name__}: {error}".split())))

    def receipt(self, answer: Answer) -> Receipt:
        """Return what a status says of all that was posted."""
        status = answer.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Taken()
        why = self.told(answer)
        if status in _NEVER:
            return Refused(why)
        return Later(why, answer.retry_after)

    def told(self, answer: Answer) -> str:
        """Return the answer in words."""
        try:
            phrase = f" {HTTPStatus(answer.status).phrase}"
        except ValueError:
            phrase = ""
        said = " ".join(answer.body.decode("utf-8", "replace").split())
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            said = "redirects are not followed; correct the url"
        return self.hidden(f"HTTP {answer.status}{phrase}" + (f": {said}" if said else ""))

    def hidden(self, text: str) -> str:
        """Return a text without what is secret in it, cut where it is long."""
        # The URL's path may be what gives access, as with chat programs.
        path = urlsplit(self._url).path.strip("/")
        hidden = (*self._secrets, path if len(path) >= _LEAST_SECRET else "")
        for secret in sorted(filter(None, hidden), key=len, reverse=True):
            text = text.replace(secret, "***")
        return shown(text[:_LONGEST_SHOWN])


H = TypeVar("H", bound=HttpSettings)


class HttpDestination(Destination[H]):
    """A destination that is posted to, with one secret that its receiver has too."""

    known_by: ClassVar[str]
    """The name of that secret: what the settings call it, without `_env` or `_file`."""

    def __init__(self, receiver: Receiver, settings: H, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        # Empty where the settings have it among `optional_secrets`, and none is given.
        self._secret = receiver.secrets.get(self.known_by, "")
        self._poster = Poster(receiver.name, settings, secrets=(self._secret,), allow_http=allow_http)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._poster.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._poster.close()


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)
