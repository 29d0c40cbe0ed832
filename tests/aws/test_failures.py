"""Every error of AWS that is documented → its reason, whether it is tried again, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    DataNotFoundError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.session import get_session

from auditor.aws.failures import BadResponse, call_failed
from auditor.aws.regions import is_opt_in, lightsail_regions

if TYPE_CHECKING:
    from tests.aws.conftest import Asked, Estates, Http, Lines, Serve

CODES = {
    # Code → status, reason, whether it is tried again. Lightsail API reference, Errors and Common Errors; STS's.
    "AccessDeniedException": (400, "access-denied", False),
    "AccessDenied": (403, "access-denied", False),
    "AccountSetupInProgressException": (400, "account-setup-in-progress", False),
    "ExpiredToken": (403, "expired-credentials", False),
    "ExpiredTokenException": (400, "expired-credentials", False),
    "IncompleteSignature": (400, "access-denied", False),
    "InternalFailure": (500, "service-error", True),
    "InternalServiceError": (500, "service-error", True),
    "InvalidClientTokenId": (403, "access-denied", False),
    "InvalidInputException": (400, "invalid-request", False),
    "InvalidSignatureException": (400, "access-denied", False),
    "MissingAuthenticationToken": (403, "access-denied", False),
    "NotAuthorized": (400, "access-denied", False),
    "NotFoundException": (400, "not-found", False),
    "OperationFailureException": (400, "service-error", False),
    "OptInRequired": (403, "access-denied", False),
    "RegionSetupInProgressException": (400, "region-setup-in-progress", False),
    "RequestExpired": (400, "clock-skew", False),
    "RequestLimitExceeded": (503, "throttled", True),
    "RequestTimeout": (400, "service-error", True),
    "ServiceException": (500, "service-error", True),
    "ServiceUnavailable": (503, "service-error", True),
    "SignatureDoesNotMatch": (403, "access-denied", False),
    "Throttling": (400, "throttled", True),
    "ThrottlingException": (400, "throttled", True),
    "TooManyRequestsException": (429, "throttled", True),
    "UnauthenticatedException": (400, "unauthenticated", False),
    "UnrecognizedClientException": (400, "access-denied", False),
    "ValidationException": (400, "service-error", False),
}


def client_error(code: str, status: int, message: str = "told") -> ClientError:
    metadata: Any = {"HTTPStatusCode": status, "RequestId": "r-1"}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "Get")


@pytest.mark.parametrize("code", CODES)
def test_an_error_code_has_its_reason(code: str) -> None:
    status, reason, again = CODES[code]

    failed = call_failed(client_error(code, status))

    assert (failed.failure.reason, failed.transient) == (reason, again)
    assert (failed.failure.error_code, failed.failure.error_message) == (code, "told")
    assert failed.request_id == "r-1"


def test_every_error_that_botocore_models_has_a_reason_of_its_own() -> None:
    model = get_session().get_service_model("lightsail").operation_model("GetExportSnapshotRecords")
    assert {shape.name for shape in model.error_shapes} <= set(CODES)


@pytest.mark.parametrize(
    ("error", "reason", "again"),
    [
        (TimeoutError(), "timeout", True),
        (ReadTimeoutError(endpoint_url="x"), "timeout", True),
        (ConnectTimeoutError(endpoint_url="x"), "timeout", True),
        (EndpointConnectionError(endpoint_url="x"), "network-error", True),
        (ConnectionClosedError(endpoint_url="x"), "network-error", True),
        (ProxyConnectionError(proxy_url="x"), "network-error", True),
        (SSLError(endpoint_url="x", error=OSError("y")), "network-error", True),
        (HTTPClientError(error="y"), "network-error", True),
        (BadResponse("x"), "bad-response", True),
        (NoCredentialsError(), "expired-credentials", False),
        (CredentialRetrievalError(provider="x", error_msg="y"), "expired-credentials", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_no_answer_at_all_has_its_reason(error: Exception, reason: str, again: bool) -> None:  # noqa: FBT001
    failed = call_failed(error)

    assert (failed.failure.reason, failed.transient) == (reason, again)
    assert failed.failure.error_code == type(error).__name__
    assert failed.failure.error_message


def test_what_did_not_come_of_aws_is_not_mapped() -> None:
    with pytest.raises(DataNotFoundError):
        call_failed(DataNotFoundError(data_path="x"))


def test_secrets_are_masked_in_code_and_message_before_it_is_cut() -> None:
    secret = "canary/with+odd=signs"
    message = "x" * 495 + secret + " \x1b[31m"

    failure = call_failed(client_error(f"Code{secret}", 400, message), [None, "", secret]).failure

    assert failure.error_code == "Code***"
    assert failure.error_message == "x" * 495 + "*** …"
    assert "canary" not in str(call_failed(client_error("C", 400, secret), [secret]))
    assert "canary" not in str(call_failed(HTTPClientError(error=secret), [secret]))


async def test_codes_come_over_the_wire_as_they_are_and_are_tried_as_often_as_they_should(
    serve: Serve, http: Http, estates: Estates, by_region: Lines
) -> None:
    # An expired session is renewed (tests/audit/test_roles.py); others come here in one form each.
    elsewhere = {"ExpiredTokenException", "InvalidSignatureException", "ValidationException"}
    codes = [code for code in CODES if code.endswith("Exception") and code not in elsewhere]
    codes += ["InvalidClientTokenId", "InternalFailure", "OptInRequired", "RequestExpired"]
    # In Regions that are on by default, where no such code is a proof of anything.
    regions = dict(zip([r for r in lightsail_regions() if not is_opt_in(r)], codes, strict=False))
    assert len(regions) == len(codes)

    def answer(asked: Asked) -> bytes:
        code = regions[asked.region or ""]
        return http(CODES[code][0], {"__type": f"com.amazonaws#{code}", "Message": "why"})

    async with serve(answer) as raw:
        result = await estates.audit(estates.estate(regions=list(regions)), lightsail=raw.url)

    for region, line in by_region(result).items():
        code = regions[region]
        _, reason, again = CODES[code]
        assert (line["verdict"], line["reason"], line["error_code"]) == ("failed", reason, code)
        assert (line["requests"], line["retries"]) == ((6, 5) if again else (1, 0)), code
        assert sum(asked.region == region for asked in raw.asked) == line["requests"]
        assert line["error_message"] == "why"
