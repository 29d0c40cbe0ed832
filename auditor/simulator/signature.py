"""Signature Version 4, verified: the signature is made again from what was received.

Source: AWS General Reference, "Signature Version 4 signing process"; the computation is botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from auditor.simulator.answers import ACCOUNT, EC2, STS, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.simulator.keys import Key, Keys

MAX_SKEW = 300.0
"""Seconds that a request's time may lie off, either way (AWS General Reference)."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP request as it came in."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever signed a request, proved."""

    key: Key
    region: str
    """From the scope of the signature: a loopback address says nothing."""


def scope(request: Received) -> tuple[str, str, str] | None:
    """Return the access key's id, Region and service that the request claims; None without a signature."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    return None if found is None else (found["key"], found["region"], found["service"])


def verify(request: Received, service: str, keys: Keys) -> Caller | ApiError:
    """Return who signed `request` for `service`, or the error that AWS answers with."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return _unsigned(request, service)
    key = keys.find(found["key"])
    token = request.headers.get("x-amz-security-token", "")
    # A session's key without its own token is as unknown as a key that never was.
    if key is None or not hmac.compare_digest(
        (key.token or "").encode(), token.encode(errors="surrogateescape")
    ):
        return unknown_key(service)
    problem = _problem(request, found, service, key, keys.clock())
    if problem is not None:
        return _error(service, ("InvalidSignatureException", "SignatureDoesNotMatch"), problem)
    return expired(service) if keys.is_expired(key) else Caller(key, found["region"])


def unknown_key(service: str) -> ApiError:
    """Return what a key gets that AWS does not know, or not in this Region."""
    names = ("UnrecognizedClientException", "InvalidClientTokenId")
    return _error(service, names, "The security token included in the request is invalid.")


def expired(service: str) -> ApiError:
    """Return what a session gets whose time is over."""
    names = ("ExpiredTokenException", "ExpiredToken")
    return _error(service, names, "The security token included in the request is expired")


def _unsigned(request: Received, service: str) -> ApiError:
    if "authorization" in request.headers:
        name, message = "IncompleteSignature", "Authorization header is malformed."
    else:
        name, message = "MissingAuthenticationToken", "Missing Authentication Token"
    return _error(service, (f"{name}Exception", name), message)


def _problem(request: Received, found: re.Match[str], service: str, key: Key, now: float) -> str | None:
    """Return what is wrong with the signature of a known key; None where nothing is."""
    if found["service"] != service:
        return f"Credential should be scoped to correct service: '{service}'."
    problem = _problem_of_time(request, found["date"], now)
    problem = problem or _problem_of_headers(request, found["headers"].split(";"))
    if problem is None and not hmac.compare_digest(_signature(request, found, key), found["signature"]):
        problem = (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )
    return problem


def _signature(request: Received, found: re.Match[str], key: Key) -> str:
    """Return the signature that the request should have."""
    signed = {name: request.headers[name] for name in found["headers"].split(";")}
    again = AWSRequest(
        request.method, f"http://{request.headers['host']}{request.path}", headers=signed, data=request.body
    )
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key.id, key.secret), found["service"], found["region"])
    return str(signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again))


def _problem_of_time(request: Received, date: str, now: float) -> str | None:
    stamp = request.headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return "Date must be in ISO-8601 'basic format'."
    if not stamp.startswith(date):
        return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."
    if signed_at < now - MAX_SKEW:
        return f"Signature expired: {stamp} is now earlier than the time allowed."
    if signed_at > now + MAX_SKEW:
        return f"Signature not yet current: {stamp} is still later than the time allowed."
    return None


def _problem_of_headers(request: Received, signed: list[str]) -> str | None:
    needed = {"host", "x-amz-date"} | {"x-amz-security-token"} & set(request.headers)
    if not needed <= set(signed) or not set(signed) <= set(request.headers):
        return (
            "'Host', 'X-Amz-Date' and 'X-Amz-Security-Token' must be signed, and what is signed must be sent."
        )
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is not None and claimed != hashlib.sha256(request.body).hexdigest():
        return "The value of 'X-Amz-Content-SHA256' does not match the body."
    return None


def _error(service: str, names: tuple[str, str], message: str) -> ApiError:
    """Return the error as the service names it: JSON services answer 400, REST and STS 403, and EC2 has two of its own."""
    if service == EC2:
        # EC2 API reference, Error codes; it does not say what was wrong.
        if names[1] == "ExpiredToken":
            return ApiError("RequestExpired", "Request has expired.")
        return ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if service == STS:
        return ApiError(names[1], message, 403)
    return ApiError(names[0], message, 403 if service == ACCOUNT else 400)
