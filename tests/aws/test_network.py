"""The way to AWS, and who else may answer on it: nothing of that is a page, and no secret leaves for elsewhere."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from auditor.audit import RunOptions
from tests.delivery.certificates import certificate_in, server_tls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.aws.conftest import Asked, Estates, Http, Lines, Serve

PAGE: dict[str, list[object]] = {"exportSnapshotRecords": []}
REDIRECTS = {"us-east-1": 301, "us-east-2": 302, "us-west-2": 303, "eu-west-1": 307, "eu-west-2": 308}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


async def test_no_redirect_is_followed_and_no_broken_answer_is_a_page(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    whole = http(200, PAGE)
    broken = {
        "ap-south-1": (http(200, b"x" * 99, close=False)[:-98], "timeout"),  # the rest never comes
        "ap-northeast-1": (b"SSH-2.0-OpenSSH_9.6\r\nConnection: close\r\n\r\n", "network-error"),
        "ap-northeast-2": (b"", "timeout"),
        "ca-central-1": (CHUNKED + b'1e\r\n{"exportSnapshotRecords": []} \r\n', "bad-response"),
        "eu-central-1": (
            http(200, gzip.compress(b"{}"), headers=["Content-Encoding: gzip"]),
            "bad-response",
        ),
        "eu-north-1": (whole.replace(b"Content-Type", b"X-\xff\xfe: \xff\r\nContent-Type"), "network-error"),
        "sa-east-1": (whole.replace(b"HTTP/1.1 200", b"HTTP/1.1 -1"), "network-error"),
    }
    async with serve(lambda _: http(200, PAGE)) as other:

        def answer(asked: Asked) -> bytes:
            region = asked.region or ""
            if region in broken:
                return broken[region][0]
            return http(REDIRECTS[region], PAGE, headers=[f"Location: {other.url}/"])

        async with serve(answer) as raw:
            estate = estates.estate(regions=[*REDIRECTS, *broken])
            result = await estates.audit(estate, lightsail=raw.url, request_timeout=0.3)

    assert other.asked == []
    lines = by_region(result)
    assert {asked.region for asked in raw.asked} == set(lines)
    assert {region: line["reason"] for region, line in lines.items()} == (
        dict.fromkeys(REDIRECTS, "bad-response") | {region: reason for region, (_, reason) in broken.items()}
    )
    assert {line["verdict"] for line in lines.values()} == {"failed"}
    assert {line["requests"] for line in lines.values()} == {6}
    assert result.exit_code == 3


async def test_a_redirect_of_sts_takes_no_base_session_to_another_host(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    async with serve(lambda _: http(200, "<x/>", kind="text/xml")) as other:
        there = f"Location: {other.url}/"
        async with serve(lambda _: http(307, "", headers=[there])) as raw:
            deadline = RunOptions(deadline=timedelta(seconds=1))
            result = await estates.audit(estates.estate(chained=True), sts=raw.url, options=deadline)

    assert other.asked == []
    assert raw.asked
    (line,) = by_region(result).values()
    assert line["verdict"] == "failed"


async def test_an_endpoint_that_nobody_vouches_for_is_told_nothing(
    serve: Serve, http: Http, estates: Estates, by_region: Lines, tmp_path: Path
) -> None:
    tls = server_tls(certificate_in(tmp_path))
    lines: list[Mapping[str, Any]] = []
    async with serve(lambda _: http(200, PAGE, close=False), tls) as raw:
        for trusted in ({}, {"AWS_CA_BUNDLE": str(tmp_path / "cert.pem")}):
            deadline = RunOptions(deadline=timedelta(seconds=10))
            result = await estates.audit(
                estates.estate(), lightsail=raw.url, options=deadline, environ=trusted
            )
            lines += by_region(result).values()
            if not trusted:
                assert raw.asked == []

    assert [(line["verdict"], line["reason"]) for line in lines] == [
        ("failed", "network-error"),
        ("complete", None),
    ]
    assert "CERTIFICATE_VERIFY_FAILED" in lines[0]["error_message"]
