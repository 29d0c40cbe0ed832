"""Answers to GetExportSnapshotRecords that no simulator of AWS would give: none is taken for a page that it is not."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import RunOptions
from auditor.aws import connections
from auditor.aws.bodies import page_of
from auditor.aws.failures import BadResponse
from auditor.aws.regions import lightsail_regions
from auditor.aws.sources import SOURCES
from auditor.model import IMAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.aws.conftest import Asked, Estates, Http, Lines, Serve

EMPTY: dict[str, Any] = {"exportSnapshotRecords": []}
NO_PAGES = {
    "a record list that is null": {"exportSnapshotRecords": None},
    "a record list that is an object": {"exportSnapshotRecords": {"arn": "x"}},
    "a record list that is text": {"exportSnapshotRecords": "none"},
    "a token that is a number": EMPTY | {"nextPageToken": 7},
    "a token that is an object": EMPTY | {"nextPageToken": {}},
    "a token that is a list": EMPTY | {"nextPageToken": []},
    "a token that is false": EMPTY | {"nextPageToken": False},
    "an error of status 200": {"__type": "AccessDeniedException", "message": "no"},
    "an array": [EMPTY],
    "a number": 0,
    "null": None,
    "text": "exportSnapshotRecords",
}
STATUSES = (201, 204, 206, 300, 304)
BODIES = {
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(EMPTY).encode(),
}


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "arn": f"arn:aws:lightsail:us-east-1:111122223333:ExportSnapshotRecord/{number}",
        "name": f"export-{number}",
        "createdAt": 1_700_000_000.5,
        "state": "Succeeded",
        "sourceInfo": {"resourceType": "DiskSnapshot", "diskSnapshotInfo": {"sizeInGb": 8}},
    } | more


async def test_what_is_no_page_is_tried_again_and_then_a_gap(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    answers = {f"{name} ": http(200, json.dumps(body)) for name, body in NO_PAGES.items()}
    answers |= {name: http(200, body) for name, body in BODIES.items()}
    answers |= {f"HTTP {status}": http(status, b"" if status in (204, 304) else EMPTY) for status in STATUSES}
    regions = dict(zip(lightsail_regions(), answers.items(), strict=False))
    assert len(regions) == len(answers)

    async with serve(lambda asked: regions[asked.region or ""][1]) as raw:
        result = await estates.audit(estates.estate(regions=list(regions)), lightsail=raw.url)

    for region, line in by_region(result).items():
        name = regions[region][0]
        assert (line["verdict"], line["reason"]) == ("failed", "bad-response"), name
        assert (line["requests"], line["retries"], line["pages"]) == (6, 5, 0), name
        assert sum(asked.region == region for asked in raw.asked) == 6, name
    assert result.exit_code == 3


ERRORS: dict[str, tuple[int, object, str, bool]] = {
    # What is answered → status, body, reason, whether it is tried again.
    "an array": (400, ["AccessDeniedException"], "service-error", False),
    "a number": (403, 17, "service-error", False),
    "null": (404, None, "service-error", False),
    "a type that is a number": (400, {"__type": 5, "message": ["x"]}, "service-error", False),
    "a message that is an object": (
        400,
        {"__type": "AccessDeniedException", "message": {"a": 1}},
        "access-denied",
        False,
    ),
    "a type with its name space": (
        400,
        {"__type": "com.amazon.lightsail#NotFoundException"},
        "not-found",
        False,
    ),
    "bytes that are no UTF-8": (403, b"\xff\xfe\x80", "service-error", False),
    "a proxy's page": (403, b"<html><body>Forbidden by policy</body></html>", "service-error", False),
    "a proxy that wants a password": (407, b"<html>who are you</html>", "service-error", False),
    "nothing, 400": (400, b"", "service-error", False),
    "nothing, 413": (413, b"", "service-error", False),
    "too many requests": (429, b"", "throttled", True),
    "a request that took too long": (408, b"", "service-error", True),
    "a gateway's page": (502, b"<html>bad gateway</html>", "service-error", True),
    "a gateway's time-out": (504, b"", "service-error", True),
    "bytes that are no UTF-8, 500": (500, b"\xff\xfe\x80", "service-error", True),
    "an unknown code": (400, {"__type": "BrandNewException", "message": "?"}, "service-error", False),
    "hostile text": (400, {"__type": "\x1b[2JFoo", "message": "\u202eevil\r\nnext"}, "service-error", False),
    "a huge one": (500, {"__type": "ServiceException", "message": "x" * 1_000_000}, "service-error", True),
}


async def test_errors_in_any_form_are_told_apart_from_pages_and_from_each_other(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    regions = dict(zip(lightsail_regions(), ERRORS, strict=False))
    assert len(regions) == len(ERRORS)

    def answer(asked: Asked) -> bytes:
        status, body, _, _ = ERRORS[regions[asked.region or ""]]
        return http(status, body)

    async with serve(answer) as raw:
        result = await estates.audit(estates.estate(regions=list(regions)), lightsail=raw.url)

    for region, line in by_region(result).items():
        name = regions[region]
        reason, again = ERRORS[name][2:]
        assert (line["verdict"], line["reason"]) == ("failed", reason), name
        assert (line["requests"], line["retries"]) == ((6, 5) if again else (1, 0)), name
        assert len(line["error_message"] or "") <= 500, name
        shown = f"{line['error_code']}{line['error_message']}"
        assert not any(mark in shown for mark in "\x1b\u202e\r\n"), name


async def read(
    pages: Mapping[str | None, object], serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> tuple[dict[str, Any], list[str | None], Any]:
    """Read pages that are known by the token that asks for them; return coverage line, tokens, and the result."""
    async with serve(lambda asked: http(200, pages[asked.token], close=False)) as raw:
        options = RunOptions(deadline=timedelta(seconds=10))  # or a loop that is not seen would not end
        result = await estates.audit(estates.estate(), lightsail=raw.url, options=options)
    (line,) = by_region(result).values()
    return line, [asked.token for asked in raw.asked], result


async def test_an_empty_token_ends_a_target(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    pages = {
        None: {"exportSnapshotRecords": [record(1)], "nextPageToken": "a"},
        "a": {"exportSnapshotRecords": [record(2)], "nextPageToken": ""},
    }
    line, tokens, _ = await read(pages, serve, http, estates, by_region)

    assert (line["verdict"], line["pages"], line["records"]) == ("complete", 2, 2)
    assert tokens == [None, "a"]


async def test_empty_pages_go_on_for_as_long_as_there_is_a_token(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    last = 300
    pages: dict[str | None, object] = {
        (str(n) if n else None): {"exportSnapshotRecords": [], "nextPageToken": str(n + 1)}
        for n in range(last)
    }
    pages[str(last)] = {"exportSnapshotRecords": [record(1)]}

    line, tokens, _ = await read(pages, serve, http, estates, by_region)

    assert (line["verdict"], line["pages"], line["records"], line["requests"]) == ("complete", 301, 1, 301)
    assert len(set(tokens)) == 301


async def test_a_record_on_two_pages_is_one_record(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    huge = {"resourceType": "DiskSnapshot", "diskSnapshotInfo": {"sizeInGb": 5000}}
    pages = {
        None: {
            "exportSnapshotRecords": [record(1), record(2, sourceInfo=huge)],
            "nextPageToken": "a",
        },
        "a": {"exportSnapshotRecords": [record(2, sourceInfo=huge), record(3), record(3)]},
    }
    line, _, result = await read(pages, serve, http, estates, by_region)

    assert (line["verdict"], line["records"], line["pages"]) == ("complete", 3, 2)
    assert sum(result.findings.values()) == 1


async def test_a_token_that_comes_back_later_is_a_loop(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    pages = {
        None: {"exportSnapshotRecords": [record(1)], "nextPageToken": "A"},
        "A": {"exportSnapshotRecords": [record(2)], "nextPageToken": "B"},
        "B": {"exportSnapshotRecords": [record(3)], "nextPageToken": "A"},
    }
    line, tokens, _ = await read(pages, serve, http, estates, by_region)

    assert (line["verdict"], line["reason"], line["records"]) == ("partial", "page-token-loop", 3)
    assert tokens == [None, "A", "B"]


async def test_tokens_without_end_end_at_the_deadline_with_what_was_read(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    def answer(asked: Asked) -> bytes:
        number = int(asked.token or "0") + 1
        page = {"exportSnapshotRecords": [record(number)], "nextPageToken": str(number)}
        return http(200, page, close=False)

    async with serve(answer) as raw:
        options = RunOptions(deadline=timedelta(seconds=1))
        result = await estates.audit(estates.estate(), lightsail=raw.url, options=options)
    (line,) = by_region(result).values()
    assert (line["verdict"], line["reason"]) == ("partial", "deadline")
    assert line["records"] == line["pages"] > 1
    assert result.exit_code == 3


async def test_what_stands_where_a_record_should_is_counted_and_passes_no_policy(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    odd: list[object] = [None, 1, "text", [], True, {}, 10**30, {"name": "no arn"}, {"arn": 5}]
    line, _, result = await read(
        {None: {"exportSnapshotRecords": [*odd, record(1)]}}, serve, http, estates, by_region
    )

    assert (line["verdict"], line["reason"]) == ("complete", None)
    assert line["records"] == len(odd) + 1
    assert set(line["unjudged"].values()) == {len(odd)}
    assert result.exit_code == 3


async def test_secrets_that_an_error_repeats_are_masked(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    token = "page-token-0123456789"
    given: list[str] = []

    def answer(asked: Asked) -> bytes:
        if asked.token is None:
            return http(200, {"exportSnapshotRecords": [record(1)], "nextPageToken": token})
        secrets = [asked.headers["x-amz-security-token"], asked.access_key or "", token, external_id]
        given.extend(secrets)
        return http(400, {"__type": "AccessDeniedException", "message": f"not for {' and '.join(secrets)}!"})

    estate = estates.estate()
    external_id = estate.accounts[0].external_id or ""
    async with serve(answer) as raw:
        result = await estates.audit(estate, lightsail=raw.url)

    (line,) = by_region(result).values()
    assert (line["verdict"], line["reason"]) == ("partial", "access-denied")
    assert line["error_message"] == "not for *** and *** and *** and ***!"
    assert len(given) == 4
    written = b"".join(file.read_bytes() for file in result.folder.iterdir())
    assert not any(secret.encode() in written for secret in given)


MEBIBYTE = 1024 * 1024
TOO_LARGE = "a body of more than 1 MiB"
BOMBS = {
    # What is answered → what the ledger says of it.
    "a gigabyte that is only announced": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b" " * 1_000,
        TOO_LARGE,
    ),
    "a body without a length that does not end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"100000\r\n" + b" " * MEBIBYTE + b"\r\n") * 2,
        TOO_LARGE,
    ),
    "an error without a length that does not end": (
        b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"100000\r\n" + b" " * MEBIBYTE + b"\r\n") * 2,
        TOO_LARGE,
    ),
}


async def test_what_would_fill_the_memory_is_not_read_and_what_would_swell_up_is_not_unpacked(
    serve: Serve, http: Http, estates: Estates, by_region: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_BODY", MEBIBYTE)
    packed = gzip.compress(json.dumps(EMPTY).encode() + b" " * 10 * MEBIBYTE)
    bombs = BOMBS | {
        "a page that is packed": (
            http(200, packed, headers=["Content-Encoding: gzip"], close=False),
            "a body that is no JSON",
        )
    }
    regions = dict(zip(lightsail_regions(), bombs.items(), strict=False))
    async with serve(lambda asked: regions[asked.region or ""][1][0]) as raw:
        result = await estates.audit(estates.estate(regions=list(regions)), lightsail=raw.url)

    for region, line in by_region(result).items():
        name, (_, said) = regions[region]
        assert (line["verdict"], line["reason"], line["requests"]) == ("failed", "bad-response", 6), name
        assert said in line["error_message"], name


def test_the_room_for_an_answer_is_far_above_any_page_and_far_below_the_memory() -> None:
    assert 16 * MEBIBYTE <= connections.LARGEST_BODY <= 64 * MEBIBYTE


async def test_a_body_without_a_length_is_read_like_any_other(
    serve: Serve, estates: Estates, by_region: Lines
) -> None:
    page = json.dumps({"exportSnapshotRecords": [record(1)]}).encode()
    chunks = f"{len(page):x}\r\n".encode() + page + b"\r\n0\r\n\r\n"
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    async with serve(lambda _: said) as raw:
        result = await estates.audit(estates.estate(), lightsail=raw.url)
    (line,) = by_region(result).values()
    assert (line["verdict"], line["records"]) == ("complete", 1)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_xml_that_is_nested_without_end_is_no_page(depth: int) -> None:
    inner = b"<item><blockDeviceMapping>" * depth + b"</blockDeviceMapping></item>" * depth
    with pytest.raises(BadResponse, match="nested more deeply"):
        page_of(SOURCES[IMAGES], b"<r><imagesSet>" + inner + b"</imagesSet></r>")
