"""What a hostile or broken surrounding must not do: end in a bug, take for ever, or show a password."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import pytest

from auditor.audit import Observer, RunOptions, audit
from auditor.aws.regions import lightsail_regions
from auditor.errors import CredentialsError, UsageError
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from auditor.audit import Progress
    from tests.aws.conftest import Asked, Estates, Http, Lines, Serve


@pytest.fixture
def web_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The environment of a CI runner whose base credentials are a role's, by a token in a file."""
    (tmp_path / "token").write_text("a-token", "utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/ci")
    return monkeypatch


def error_of_sts(code: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"


async def test_a_record_nested_too_deep_to_be_written_again_is_read_all_the_same(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    page = {"exportSnapshotRecords": [{"name": deep}]}
    async with serve(lambda _: http(200, page)) as raw:
        result = await estates.audit(estates.estate(), lightsail=raw.url)
    (line,) = by_region(result).values()
    assert (line["verdict"], line["reason"], line["records"]) == ("complete", None, 1)


async def test_sts_that_fails_is_tried_once_for_an_account_and_not_for_each_region_in_turn(
    estates: Estates,
) -> None:
    seen: list[str] = []
    result = await estates.audit(
        estates.estate(regions=lightsail_regions()[:6]),
        faults=[Fault(FaultKind.THROTTLE, operation="AssumeRole")],
        seen=lambda calls: seen.extend(call.operation for call in calls),
    )
    assert {line["reason"] for line in result.ledger.lines()} == {"throttled"}
    assert seen.count("AssumeRole") == 6


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, error_of_sts("InvalidIdentityToken")), (200, "<html>")],
    ids=["refused", "garbage"],
)
async def test_a_web_identity_that_sts_does_not_take_is_told_as_credentials(  # noqa: PLR0913, PLR0917 -- fixtures
    serve: Serve,
    http: Http,
    estates: Estates,
    web_identity: pytest.MonkeyPatch,
    tmp_path: Path,
    status: int,
    body: str,
) -> None:
    async with serve(lambda _: http(status, body, kind="text/xml")) as sts:
        web_identity.setenv("AWS_ENDPOINT_URL", sts.url)
        with pytest.raises(CredentialsError, match="the base credentials can't be loaded"):
            await audit(estates.config(estates.estate()), RunOptions(folder=tmp_path / "r"))
    assert not (tmp_path / "r").exists()


async def test_the_deadline_holds_while_the_base_credentials_are_fetched(
    serve: Serve, estates: Estates, web_identity: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(_: Asked) -> Awaitable[bytes]:
        return asyncio.get_running_loop().create_future()

    options = RunOptions(folder=tmp_path / "r", deadline=timedelta(seconds=1))
    async with serve(never) as sts:
        web_identity.setenv("AWS_ENDPOINT_URL", sts.url)
        with anyio.fail_after(8), pytest.raises(CredentialsError, match="before the run's deadline"):
            await audit(estates.config(estates.estate()), options)


class Raises(Observer):
    interval = 0.01

    def progress(self, progress: Progress) -> None:
        raise ZeroDivisionError(progress)


@pytest.mark.parametrize("how", ["cancelled", "observer"])
async def test_a_run_that_is_cut_off_from_outside_leaves_no_open_file(
    tmp_path: Path, estates: Estates, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    options = RunOptions(folder=tmp_path / "r")
    with serve_in_thread(estates.estate(), faults=[Fault(FaultKind.HANG)]) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        config = estates.config(estates.estate())
        if how == "cancelled":
            with anyio.move_on_after(1):
                await audit(config, options)
        else:
            with pytest.raises(ZeroDivisionError):
                await audit(config, options, Raises())
    gc.collect()  # where a file is still open, its ResourceWarning fails this test
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"checkpoint.jsonl", "findings.jsonl.part"}


@pytest.mark.parametrize(
    "url",
    [
        "https://user:canary@bad host/",
        "user:canary@host",
        "ftp://user:canary@127.0.0.1/",
        "http://user:canary@127.0.0.1:99999",
    ],
)
async def test_an_endpoint_that_is_none_is_told_without_its_password(estates: Estates, url: str) -> None:
    with pytest.raises(UsageError) as raised:
        await estates.audit(estates.estate(), lightsail=url)
    assert "canary" not in str(raised.value)


async def test_a_throttled_account_holds_up_no_other_where_few_may_be_asked_at_once(estates: Estates) -> None:
    estate = estates.estate(accounts=2, regions=lightsail_regions()[:8])
    throttled, healthy = (account.id for account in estate.accounts)
    seen: list[str | None] = []
    await estates.audit(
        estate,
        faults=[Fault(FaultKind.THROTTLE, throttled)],
        options=RunOptions(concurrency=1),
        seen=lambda calls: seen.extend(call.account_id for call in calls if call.operation != "GetRegions"),
    )
    last = max(place for place, account in enumerate(seen) if account == healthy)
    assert last < len(seen) / 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (300, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>", "bad-response"),
        (403, error_of_sts("RegionDisabledException"), "role-not-assumable"),
        (400, error_of_sts("ValidationError"), "role-not-assumable"),
        (400, error_of_sts("MalformedPolicyDocument"), "role-not-assumable"),
    ],
)
async def test_what_sts_answers_has_its_reason(  # noqa: PLR0913, PLR0917 -- fixtures
    serve: Serve, http: Http, estates: Estates, by_region: Lines, status: int, body: str, reason: str
) -> None:
    def sts(asked: Asked) -> bytes:
        if parse_qs(asked.body.decode())["Action"] == ["GetCallerIdentity"]:
            return http(403, error_of_sts("AccessDenied"), kind="text/xml")
        return http(status, body, kind="text/xml")

    async with serve(sts) as raw:
        result = await estates.audit(estates.estate(), sts=raw.url)
    (line,) = by_region(result).values()
    assert line["reason"] == reason
