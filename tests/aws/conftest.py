from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from auditor.audit import RunOptions, audit
from auditor.aws.regions import lightsail_regions
from auditor.config import load_config
from auditor.policies import catalogue
from auditor.simulator.estate import Estate, generate
from auditor.simulator.server import serve_in_thread
from tests.delivery.receiver import receiving

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from auditor.audit import Result
    from auditor.config import Config
    from auditor.simulator.endpoint import Call
    from auditor.simulator.faults import Fault
    from tests.delivery.receiver import Asked as Request

_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/")


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire."""

    method: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def region(self) -> str | None:
        found = _SCOPE.search(self.headers.get("authorization", ""))
        return found and found["region"]

    @property
    def access_key(self) -> str | None:
        found = _SCOPE.search(self.headers.get("authorization", ""))
        return found and found["key"]

    @property
    def token(self) -> str | None:
        token: str | None = json.loads(self.body).get("pageToken")
        return token


@dataclass
class Raw:
    """A server that answers whatever bytes it is told to."""

    url: str
    asked: list[Asked] = field(default_factory=list)


class Serve(Protocol):
    def __call__(
        self, answer: Callable[[Asked], bytes | Awaitable[bytes]], tls: ssl.SSLContext | None = None
    ) -> AbstractAsyncContextManager[Raw]: ...


_NO_REGIONS = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def _serve(
    answer: Callable[[Asked], bytes | Awaitable[bytes]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Raw]:
    raw = Raw("")

    async def said(request: Request) -> bytes:
        if request.headers.get("x-amz-target", "").endswith(".GetRegions"):
            # It ends every run in which something was read, and is not what these tests are about.
            return _NO_REGIONS
        asked = Asked(request.method, request.headers, request.body)
        raw.asked.append(asked)
        given = answer(asked)
        return given if isinstance(given, bytes) else await given

    async with receiving(said, tls) as receiver:
        raw.url = receiver.url.removesuffix("/in")
        yield raw


@pytest.fixture
def serve() -> Serve:
    return _serve


def _http(
    status: int,
    body: bytes | str | object = b"",
    *,
    kind: str = "application/x-amz-json-1.1",
    headers: Sequence[str] = (),
    close: bool = True,
) -> bytes:
    """Return a whole HTTP answer; a body that is neither bytes nor text is written as JSON."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    data = body if isinstance(body, bytes) else body.encode()
    lines = [
        f"HTTP/1.1 {status} Said",
        f"Content-Type: {kind}",
        f"Content-Length: {len(data)}",
        *headers,
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Http(Protocol):
    def __call__(
        self,
        status: int,
        body: bytes | str | object = ...,
        *,
        kind: str = ...,
        headers: Sequence[str] = ...,
        close: bool = ...,
    ) -> bytes: ...


@pytest.fixture
def http() -> Http:
    return _http


@dataclass
class Estates:
    """Estates of the simulator for configurations, roles and keys; the pages come from elsewhere."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    runs: int = 0

    def estate(self, accounts: int = 1, regions: Sequence[str] = ("us-east-1",), **how: Any) -> Estate:
        now = datetime.now(UTC) - timedelta(seconds=1)
        how = {"records_per_target": 4, "page_size": 2} | how
        return generate(5, accounts=accounts, regions=regions, now=now, **how)

    def config(self, estate: Estate, extra: str = "") -> Config:
        path = self.folder / "accounts.yaml"
        path.write_text(estate.accounts_yaml() + extra, encoding="utf-8")
        return load_config(
            path,
            policy_settings={policy_id: entry.settings_type for policy_id, entry in catalogue().items()},
            known_regions=lightsail_regions(),
            environ={},
        )

    async def audit(  # noqa: PLR0913 -- each is another piece of AWS that is not the simulator's
        self,
        estate: Estate,
        *,
        lightsail: str | None = None,
        sts: str | None = None,
        faults: Sequence[Fault] = (),
        extra: str = "",
        request_timeout: float | None = None,
        options: RunOptions | None = None,
        environ: Mapping[str, str] | None = None,
        seen: Callable[[Sequence[Call]], None] | None = None,
    ) -> Result:
        """Audit `estate`, its Lightsail or STS being what answers at another URL."""
        self.runs += 1
        options = replace(options or RunOptions(), folder=self.folder / f"run-{self.runs}")
        with serve_in_thread(estate, faults=faults) as running:
            elsewhere = {"AWS_ENDPOINT_URL_LIGHTSAIL": lightsail, "AWS_ENDPOINT_URL_STS": sts}
            settings = running.environ | {k: v for k, v in elsewhere.items() if v} | dict(environ or {})
            for name, value in settings.items():
                self.monkeypatch.setenv(name, value)
            config = self.config(estate, extra)
            if request_timeout is not None:  # less than a configuration can say
                limits = {"request_timeout": timedelta(seconds=request_timeout)}
                config = replace(config, limits=config.limits.model_copy(update=limits))
            result = await audit(config, options)
            if seen is not None:
                seen(running.calls)
            return result


@pytest.fixture
def estates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estates:
    return Estates(tmp_path, monkeypatch)


class Lines(Protocol):
    def __call__(self, result: Result) -> dict[str, dict[str, Any]]: ...


@pytest.fixture
def by_region() -> Lines:
    """The coverage lines of a run of one account, by Region."""
    return lambda result: {line["region"]: line for line in result.ledger.lines()}
