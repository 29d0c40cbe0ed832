"""An answer that tells a secret is not kept, whatever kind of answer it is and however it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from auditor.evidence.canaries import holds_secret
from auditor.evidence.reading import Evidence
from tests.evidence.conftest import estate_of
from tests.evidence.unpacking import unpacked

if TYPE_CHECKING:
    from tests.evidence.conftest import Record

SECRET = "AbCd/efgh+ijkl==&<mnop>"


@pytest.mark.parametrize(
    "written",
    [SECRET, quote(SECRET, safe=""), SECRET.replace("/", "\\/"), "AbCd/efgh+ijkl==&amp;&lt;mnop&gt;"],
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    text = f"before {written} after".encode()
    assert holds_secret(text, [SECRET])
    assert not holds_secret(text, [SECRET.swapcase()])


def test_a_short_external_id_is_looked_for_in_errors_alone() -> None:
    assert holds_secret(b"the id ab42 is refused", ["ab42"])
    assert not holds_secret(b'{"arn": "x/ab42"}', ["ab42"], is_page=True)


def test_a_page_that_tells_the_session_token_is_withheld_and_every_other_kept(record: Record) -> None:
    tokens: set[bytes] = set()

    def telling(body: bytes, headers: dict[str, str]) -> bytes:
        token = headers.get("X-Amz-Security-Token", "").encode()
        if not token or b'"state":"Failed"' not in body:
            return body
        tokens.add(token)
        return body.replace(b'"state":"Failed"', b'"state":"Failed","echo":"' + token + b'"', 1)

    run = record(change=telling)

    assert tokens
    held = unpacked(run.folder)
    assert [name for name, raw in held.items() for token in tokens if token in raw] == []
    evidence = Evidence.open(run.folder)
    answers = [each for place in evidence.places() for each in evidence.answers(place)]
    withheld = [line for line, body in answers if body is None and line.page is not None]
    assert withheld
    assert all(line.withheld and line.length == 0 and line.request_id for line in withheld)
    assert [line for line, body in answers if line.page is not None and body] != []
    told = evidence.manifest.predicate["counts"]
    assert told["withheld"] == len(withheld) + sum(line.source == "sts:AssumeRole" for line, _ in answers)


def test_an_external_id_that_is_the_accounts_own_id_withholds_nothing(record: Record) -> None:
    estate = estate_of(accounts=1, regions=("us-east-1",))
    (account,) = estate.accounts
    estate = replace(estate, accounts=(replace(account, external_id=account.id),))

    run = record(estate=estate)

    lines = [line for place in Evidence.open(run.folder).places() for line in place.lines]
    pages = [line for line in lines if line.page is not None]
    assert pages
    assert not any(line.withheld for line in pages)
