"""Roles of moto's STS, which is somebody else's reading of AWS, in place of our own."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import orjson
import pytest
from moto.server import ThreadedMotoServer

from auditor.audit import RunOptions, audit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.audit.conftest import Auditing, EstateMaker

_KEY = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/lightsail/")


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@asynccontextmanager
async def lightsail(records: list[dict[str, Any]], keys: list[tuple[str, str, str]]) -> AsyncIterator[str]:
    """Answer each call with one page; note its key's id, session token and Region."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        found = _KEY.search(head)
        token = re.search(r"(?i)x-amz-security-token: (.*)\r\n", head)
        assert found is not None
        assert token is not None
        keys.append((found[1], token[1], found[2]))
        body = orjson.dumps({"exportSnapshotRecords": records})
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_roles_of_somebody_elses_sts_are_assumed_compared_and_read_with(
    auditing: Auditing,
    estate_of: EstateMaker,
    moto: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    estate = estate_of(3)
    record = next(one for account in estate.accounts for one in account.records["us-east-1"])
    keys: list[tuple[str, str, str]] = []
    async with lightsail([dict(record)], keys) as url:
        for name, value in {
            "AWS_ENDPOINT_URL_STS": moto,
            "AWS_ENDPOINT_URL_LIGHTSAIL": url,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        result = await audit(auditing.config(estate), RunOptions(folder=tmp_path / "run"))

    lines = list(result.ledger.lines())
    assert {(line["verdict"], line["records"], line["pages"]) for line in lines} == {("complete", 1, 1)}
    assert len(lines) == 6
    assert result.record["caller_arn"] == "arn:aws:sts::123456789012:user/moto"
    assert sorted(region for _, _, region in keys) == ["eu-west-1"] * 3 + ["us-east-1"] * 4  # GetRegions
    # Whose sessions these are, moto itself says: one for each account that was planned.
    sessions = {(key, token) for key, token, _ in keys}
    owners = [await asyncio.to_thread(_account_of, moto, key, token) for key, token in sessions]
    assert sorted(owners) == sorted(account.id for account in estate.accounts)


def _account_of(sts: str, key: str, token: str) -> str:
    client = boto3.client(
        "sts",
        "us-east-1",
        endpoint_url=sts,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        aws_session_token=token,
    )
    try:
        account: str = client.get_caller_identity()["Account"]
    finally:
        client.close()
    return account
