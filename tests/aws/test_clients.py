"""Before the first role: the base credentials, and where the calls go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession
from botocore.compat import HTTPHeaders
from structlog.testing import capture_logs

from auditor.audit import RunOptions
from auditor.aws.clients import CALL_AS, CallAs, open_clients
from auditor.aws.credentials import SessionCredentials
from auditor.errors import CredentialsError, UsageError
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.aws.conftest import Estates, Lines

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


def nothing_written(folder: Path) -> bool:
    return not list(folder.glob("run-*"))


async def test_without_credentials_nothing_begins(
    estates: Estates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = dict.fromkeys(KEYS, "")
    with pytest.raises(CredentialsError, match="no AWS credentials found: set AWS_PROFILE"):
        await estates.audit(estates.estate(), environ=empty)
    for name in KEYS:
        monkeypatch.delenv(name)

    with pytest.raises(CredentialsError, match="no AWS credentials found"):
        async with open_clients(concurrency=1, request_timeout=1, allow_http=False):
            pass
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "no-such-profile"}, "no-such-profile"),
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00"}, "InvalidClientTokenId"),
        ({"AWS_SECRET_ACCESS_KEY": "canary-secret"}, "SignatureDoesNotMatch"),
        ({"AWS_SESSION_TOKEN": "canary-token"}, "InvalidClientTokenId"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
async def test_base_credentials_that_cannot_be_used_end_it_with_a_word_why(
    estates: Estates, tmp_path: Path, environ: dict[str, str], told: str
) -> None:
    with pytest.raises(CredentialsError) as raised:
        await estates.audit(estates.estate(), environ=environ)

    assert told in str(raised.value)
    assert "canary" not in str(raised.value)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("kind", [FaultKind.EXPIRED, FaultKind.REQUEST_EXPIRED, FaultKind.UNAUTHENTICATED])
async def test_base_credentials_that_aws_refuses_end_it(
    estates: Estates, tmp_path: Path, kind: FaultKind
) -> None:
    with pytest.raises(CredentialsError, match="AWS does not accept the base credentials"):
        await estates.audit(estates.estate(), faults=[Fault(kind, operation="GetCallerIdentity")])

    assert nothing_written(tmp_path)


async def test_a_caller_that_is_not_told_is_null_and_the_run_goes_on(
    estates: Estates, by_region: Lines
) -> None:
    denied = Fault(FaultKind.ACCESS_DENIED, operation="GetCallerIdentity")

    result = await estates.audit(estates.estate(), faults=[denied])
    known = await estates.audit(estates.estate())

    assert result.record["caller_arn"] is None
    assert by_region(result)["us-east-1"]["verdict"] == "complete"
    assert known.record["caller_arn"] == estates.estate().base.arn


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"AWS_CA_BUNDLE": "/no/such/bundle.pem"}, "CA bundle /no/such/bundle.pem"),
        ({"AWS_DEFAULT_REGION": "not a region"}, "not a region"),
        ({"AWS_ENDPOINT_URL_STS": "nowhere"}, "nowhere"),
        (
            {"AWS_ENDPOINT_URL_STS": "http://192.0.2.1:8000"},
            "calls to sts would go over plain http to 192.0.2.1",
        ),
        ({"AWS_ENDPOINT_URL": "http://localhost.example.com"}, "plain http to localhost.example.com"),
        ({"AWS_ENDPOINT_URL_LIGHTSAIL": "http://0.0.0.0:8000"}, "plain http to 0.0.0.0"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
async def test_an_environment_that_cannot_be_used_is_told_before_any_call(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], told: str
) -> None:
    for name, value in (KEYS | environ).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UsageError) as raised:
        async with open_clients(concurrency=1, request_timeout=1, allow_http=False):
            pass

    assert told in str(raised.value)


async def test_plain_http_to_another_machine_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": "http://192.0.2.1:8000"}).items():
        monkeypatch.setenv(name, value)

    async with open_clients(concurrency=1, request_timeout=1, allow_http=True) as clients:
        assert clients.endpoint_overrides == dict.fromkeys(
            ("account", "lightsail", "sts"), "http://192.0.2.1:8000"
        )


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.8.9.1:1", "http://[::1]:1"])
async def test_plain_http_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in (KEYS | {"AWS_ENDPOINT_URL_LIGHTSAIL": url}).items():
        monkeypatch.setenv(name, value)

    async with open_clients(concurrency=1, request_timeout=1, allow_http=False) as clients:
        assert clients.endpoint_overrides == {"lightsail": url}


async def test_an_endpoint_is_told_without_the_password_in_it(estates: Estates) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    url = "http://user:canary@127.0.0.1:1/path?canary=1"
    denied = Fault(FaultKind.ACCESS_DENIED, operation="AssumeRole")

    with capture_logs() as logs:
        result = await estates.audit(estates.estate(), lightsail=url, faults=[denied])

    assert result.record["endpoint_overrides"]["lightsail"] == "http://127.0.0.1:1/path"
    assert any(entry.get("endpoint") == "http://127.0.0.1:1/path" for entry in logs)
    assert "canary" not in str(logs)
    assert not any(b"canary" in file.read_bytes() for file in result.folder.iterdir())


@pytest.mark.parametrize("home", ["us-east-1", "us-west-2", "eu-west-1"])
async def test_the_regional_sts_is_called_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """A token of the global endpoint is refused by opt-in Regions, just as by Regions that are not enabled."""
    settings = {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": home}
    for name, value in (KEYS | settings).items():
        monkeypatch.setenv(name, value)
    sent: list[tuple[str, str]] = []

    async def answer(_: object, request: Any) -> AioAWSResponse:
        sent.append((request.url, request.headers["Authorization"]))
        return AioAWSResponse(request.url, 403, HTTPHeaders(), _Body())

    session = SessionCredentials("ASIAEXAMPLEEXAMPLE00", "secret", "token")
    async with open_clients(concurrency=1, request_timeout=1, allow_http=False) as clients:
        monkeypatch.setattr(AIOHTTPSession, "send", answer)
        for how in ({}, {CALL_AS: CallAs(session, clients.sts.meta.region_name)}):
            with pytest.raises(clients.sts.exceptions.ClientError):
                await clients.sts.get_caller_identity(**how)
        assert clients.endpoint_overrides == {}

    assert [url for url, _ in sent] == [f"https://sts.{home}.amazonaws.com/"] * 2
    assert all(f"/{home}/sts/aws4_request" in signed for _, signed in sent)
    assert ["AKIA" in sent[0][1], "ASIA" in sent[1][1]] == [True, True]


class _Body:
    """An empty answer, as aiohttp gives it."""

    async def read(self) -> bytes:
        return b""


async def test_each_call_is_signed_and_sent_for_its_own_account_and_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    sent: list[tuple[str, str, str]] = []

    async def answer(_: object, request: Any) -> AioAWSResponse:
        headers = request.headers
        sent.append((request.url, headers["Authorization"], headers["X-Amz-Security-Token"]))
        return AioAWSResponse(request.url, 400, HTTPHeaders(), _Body())

    calls = [(f"ASIA{n:016}", region) for n in range(3) for region in ("us-east-1", "eu-south-2")]
    async with open_clients(concurrency=1, request_timeout=1, allow_http=False) as clients:
        monkeypatch.setattr(AIOHTTPSession, "send", answer)
        for key, region in calls:
            asked = {CALL_AS: CallAs(SessionCredentials(key, "secret", f"token of {key}"), region)}
            with pytest.raises(clients.lightsail.exceptions.ClientError):
                await clients.lightsail.get_export_snapshot_records(**asked)

    for (key, region), (url, signed, token) in zip(calls, sent, strict=True):
        assert url == f"https://lightsail.{region}.amazonaws.com/"
        assert f"Credential={key}/" in signed
        assert f"/{region}/lightsail/aws4_request" in signed
        assert token == f"token of {key}"


async def test_the_environment_adds_no_second_layer_of_retries(estates: Estates, by_region: Lines) -> None:
    environ = {"AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "legacy"}
    seen: list[int] = []
    estate = estates.estate()

    result = await estates.audit(
        estate,
        faults=[
            Fault(FaultKind.THROTTLE, times=2),
            Fault(FaultKind.THROTTLE, operation="AssumeRole", times=1),
        ],
        environ=environ,
        options=RunOptions(concurrency=1),
        seen=lambda calls: seen.extend(call.status or 0 for call in calls),
    )

    line = by_region(result)["us-east-1"]
    assert (line["verdict"], line["requests"], line["retries"]) == ("complete", 4, 2)
    assert len(seen) == 1 + 2 + 4 + 1  # GetCallerIdentity, AssumeRole twice, the pages, GetRegions
