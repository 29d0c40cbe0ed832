from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from auditor.simulator.estate import Estate, generate
from auditor.simulator.keys import Key, Keys
from auditor.simulator.signature import Caller, Received, verify

ESTATE = generate(5, accounts=1, regions=["us-east-1"], now=datetime(2026, 3, 1, tzinfo=UTC))
JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Lightsail_20161128.X"}


class Clock:
    """Real time, until it is moved: botocore signs by the machine's own clock."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.offset


def keys_of(estate: Estate = ESTATE, lifetime: float | None = None) -> tuple[Keys, Clock]:
    clock = Clock()
    return Keys(estate, clock, lifetime), clock


def signed(
    key: Key, *, service: str = "lightsail", body: bytes = b"{}", secret: str | None = None
) -> Received:
    headers = JSON if service == "lightsail" else {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", "http://127.0.0.1:9/", headers={**headers, "Host": "127.0.0.1:9"}, data=body)
    credentials = Credentials(key.id, secret or key.secret, key.token)
    SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    return Received("POST", "/", {name.lower(): value for name, value in request.headers.items()}, body)


def code(result: Any) -> str:
    return str(result.code)


def test_a_good_signature_proves_the_key_and_the_region() -> None:
    keys, _ = keys_of()
    session = keys.mint(ESTATE.accounts[0].id, "Reader", "night", 900)
    assert verify(signed(keys.base), "lightsail", keys) == Caller(keys.base, "eu-west-1")
    assert verify(signed(session), "lightsail", keys) == Caller(session, "eu-west-1")
    body = urlencode({"Action": "GetCallerIdentity"}).encode()
    assert verify(signed(session, service="sts", body=body), "sts", keys) == Caller(session, "eu-west-1")


def test_another_secret_is_refused() -> None:
    keys, _ = keys_of()
    error = verify(signed(keys.base, secret="0" * 40), "lightsail", keys)
    assert code(error) == "InvalidSignatureException"
    error = verify(signed(keys.base, service="sts", secret="0" * 40), "sts", keys)
    assert code(error) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("header", ["authorization", "x-amz-date", "x-amz-target", "host", "content-type"])
def test_a_signed_header_that_was_changed_is_refused(header: str) -> None:
    keys, _ = keys_of()
    request = signed(keys.base)
    value = request.headers[header]
    # Another last character, of the same alphabet.
    tampered = value[:-2] + ("0" if value[-2] != "0" else "1") + value[-1]
    error = verify(replace(request, headers={**request.headers, header: tampered}), "lightsail", keys)
    assert code(error) == "InvalidSignatureException"


def test_a_body_that_was_changed_is_refused() -> None:
    keys, _ = keys_of()
    request = signed(keys.base, body=b'{"pageToken": "a"}')
    error = verify(replace(request, body=b'{"pageToken": "b"}'), "lightsail", keys)
    assert code(error) == "InvalidSignatureException"


def test_a_body_can_not_hide_behind_a_hash_that_was_signed() -> None:
    keys, _ = keys_of()
    body = b'{"pageToken": "a"}'
    request = signed(keys.base, body=body)
    hidden = {**request.headers, "x-amz-content-sha256": "0" * 64}
    assert code(verify(replace(request, headers=hidden), "lightsail", keys)) == "InvalidSignatureException"


def test_a_path_or_a_method_that_was_changed_is_refused() -> None:
    keys, _ = keys_of()
    request = signed(keys.base)
    for changed in (replace(request, path="/?a=b"), replace(request, method="PUT")):
        assert code(verify(changed, "lightsail", keys)) == "InvalidSignatureException"


def test_a_signature_for_another_service_or_region_is_refused() -> None:
    keys, _ = keys_of()
    assert code(verify(signed(keys.base), "sts", keys)) == "SignatureDoesNotMatch"
    request = signed(keys.base)
    moved = request.headers["authorization"].replace("eu-west-1", "us-east-1")
    error = verify(replace(request, headers={**request.headers, "authorization": moved}), "lightsail", keys)
    assert code(error) == "InvalidSignatureException"


def test_a_key_that_nobody_has_is_unknown_and_so_is_a_session_without_its_token() -> None:
    keys, _ = keys_of()
    session = keys.mint(ESTATE.accounts[0].id, "Reader", "night", 900)
    unknown = replace(keys.base, id="AKIAIOSFODNN7EXAMPLE")
    assert code(verify(signed(unknown), "lightsail", keys)) == "UnrecognizedClientException"
    assert code(verify(signed(unknown, service="sts"), "sts", keys)) == "InvalidClientTokenId"
    for token in (None, "another"):
        request = signed(replace(session, token=token))
        assert code(verify(request, "lightsail", keys)) == "UnrecognizedClientException"


def test_an_unsigned_request_is_told_so_and_a_malformed_signature_too() -> None:
    keys, _ = keys_of()
    request = signed(keys.base)
    bare = {name: value for name, value in request.headers.items() if name != "authorization"}
    unsigned = replace(request, headers=bare)
    assert code(verify(unsigned, "lightsail", keys)) == "MissingAuthenticationTokenException"
    assert code(verify(unsigned, "sts", keys)) == "MissingAuthenticationToken"
    malformed = replace(request, headers={**bare, "authorization": "Bearer abc"})
    assert code(verify(malformed, "lightsail", keys)) == "IncompleteSignatureException"


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_signature_more_than_five_minutes_off_is_refused(offset: float) -> None:
    keys, clock = keys_of()
    request = signed(keys.base)
    clock.offset = offset
    assert code(verify(request, "lightsail", keys)) == "InvalidSignatureException"
    clock.offset = offset / 2
    assert isinstance(verify(request, "lightsail", keys), Caller)


def test_a_session_ends_when_it_was_said_to_or_when_the_estate_was_told() -> None:
    keys, clock = keys_of()
    session = keys.mint(ESTATE.accounts[0].id, "Reader", "night", 100)
    clock.offset = 90
    assert isinstance(verify(signed(session), "lightsail", keys), Caller)
    clock.offset = 110
    assert code(verify(signed(session), "lightsail", keys)) == "ExpiredTokenException"
    assert code(verify(signed(session, service="sts"), "sts", keys)) == "ExpiredToken"
    short, _ = keys_of(lifetime=0)
    session = short.mint(ESTATE.accounts[0].id, "Reader", "night", 3600)
    assert code(verify(signed(session), "lightsail", short)) == "ExpiredTokenException"


def test_sessions_follow_from_the_seed_and_the_order_of_calls() -> None:
    def minted() -> list[str]:
        keys, _ = keys_of()
        return [keys.mint("111122223333", "Reader", "night", 900).id for _ in range(3)]

    assert minted() == minted()
    assert len(set(minted())) == 3
    assert all(len(key) == 20 and key.startswith("ASIA") for key in minted())
