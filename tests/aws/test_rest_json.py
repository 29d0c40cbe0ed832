"""Answers of REST-JSON: what is no object is a bad response, whatever botocore's own parser would stumble over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.aws.clients import open_shared
from auditor.aws.failures import BadResponse

if TYPE_CHECKING:
    from tests.aws.conftest import Http, Serve


@pytest.mark.parametrize("body", [b"[]", b"null", b'"well"', b"<html>hello</html>", b'{"Regions": [', b""])
async def test_what_is_no_object_is_a_bad_response_and_no_crash(
    serve: Serve, http: Http, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    async with serve(lambda _asked: http(200, body, kind="application/json")) as raw:
        monkeypatch.setenv("AWS_ENDPOINT_URL", raw.url)
        async with open_shared({"account"}, concurrency=1, request_timeout=5, allow_http=False) as shared:
            with pytest.raises(BadResponse):
                await shared.by_service["account"].list_regions()
