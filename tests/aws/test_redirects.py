"""Answers that lead elsewhere: what was signed for AWS goes nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.aws.conftest import Asked, Estates, Http, Lines, Serve

STATUSES = {"us-east-1": 301, "us-east-2": 302, "us-west-2": 303, "eu-west-1": 307, "eu-west-2": 308}


async def test_a_redirect_takes_no_session_to_another_host_and_its_answer_is_no_page(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    page = {"exportSnapshotRecords": []}
    async with serve(lambda _: http(200, page)) as other:

        def redirected(asked: Asked) -> bytes:
            return http(STATUSES[asked.region or ""], page, headers=[f"Location: {other.url}/"])

        async with serve(redirected) as raw:
            result = await estates.audit(estates.estate(regions=list(STATUSES)), lightsail=raw.url)

    assert other.asked == []
    lines = by_region(result)
    assert {line["verdict"] for line in lines.values()} == {"failed"}
    assert {line["reason"] for line in lines.values()} == {"bad-response"}
    assert {asked.region for asked in raw.asked} == set(STATUSES)


async def test_a_redirect_of_sts_takes_no_base_session_to_another_host(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    async with serve(lambda _: http(200, "<x/>", kind="text/xml")) as other:
        there = f"Location: {other.url}/"
        async with serve(lambda _: http(307, "", headers=[there])) as raw:
            result = await estates.audit(estates.estate(chained=True), sts=raw.url)

    assert other.asked == []
    assert raw.asked
    (line,) = by_region(result).values()
    assert (line["verdict"], line["reason"]) == ("failed", "bad-response")
