"""What went wrong in a call to AWS → a reason for the ledger: the one place where errors of AWS are mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 -- botocore's own, of which Python's is no part
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from auditor.errors import CallFailed
from auditor.model import Failure, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})

REGION_OFF_CODES = frozenset({"OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId"})
"""What a Region answers that the account has not enabled, and also what it answers to a bad key."""

_REASONS = {
    # Lightsail API reference, GetExportSnapshotRecords, "Errors"; AWS "Common errors"; STS for the older spellings.
    "AccessDenied": Reason.ACCESS_DENIED,
    "AccessDeniedException": Reason.ACCESS_DENIED,
    "AuthFailure": Reason.ACCESS_DENIED,
    "IncompleteSignature": Reason.ACCESS_DENIED,
    "InvalidClientTokenId": Reason.ACCESS_DENIED,
    "InvalidSignatureException": Reason.ACCESS_DENIED,
    "MissingAuthenticationToken": Reason.ACCESS_DENIED,
    "MissingAuthenticationTokenException": Reason.ACCESS_DENIED,
    "NotAuthorized": Reason.ACCESS_DENIED,
    "OptInRequired": Reason.ACCESS_DENIED,
    "SignatureDoesNotMatch": Reason.ACCESS_DENIED,
    "UnauthorizedOperation": Reason.ACCESS_DENIED,
    "UnrecognizedClientException": Reason.ACCESS_DENIED,
    "UnauthenticatedException": Reason.UNAUTHENTICATED,
    "ExpiredToken": Reason.EXPIRED_CREDENTIALS,
    "ExpiredTokenException": Reason.EXPIRED_CREDENTIALS,
    "RequestExpired": Reason.CLOCK_SKEW,
    "RequestTimeTooSkewed": Reason.CLOCK_SKEW,
    "AccountSetupInProgressException": Reason.ACCOUNT_SETUP_IN_PROGRESS,
    "RegionSetupInProgressException": Reason.REGION_SETUP_IN_PROGRESS,
    "InvalidInputException": Reason.INVALID_REQUEST,
    # Organizations API reference, "Errors".
    "ParentNotFoundException": Reason.NOT_FOUND,
    "TargetNotFoundException": Reason.NOT_FOUND,
    "NotFoundException": Reason.NOT_FOUND,
}

_THROTTLES = frozenset(
    # The codes that botocore's standard retry mode takes for throttling (botocore.retries.standard).
    "BandwidthLimitExceeded EC2ThrottledException LimitExceededException PriorRequestNotComplete "
    "ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown "
    "ThrottledException Throttling ThrottlingException TooManyRequestsException TransactionInProgressException".split()
)

_TRANSIENT_CODES = frozenset(
    {"InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException"}
)
_TOO_MANY_REQUESTS = 429
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500
_REDIRECT = 300
_CLIENT_ERROR = 400


class BadResponse(Exception):  # noqa: N818 -- what it was, in the ledger's word
    """An answer that is not what it should be: not JSON, cut short, or without what every such answer holds."""


CALL_ERRORS = (ClientError, BotoCoreError, BadResponse, ResponseParserError, TimeoutError)
"""What a call to AWS may raise that `call_failed` is asked about."""


def call_failed(error: Exception, secrets: Iterable[str | None] = ()) -> CallFailed:
    """Return what `error`, raised by a call to AWS, means to the ledger.

    :param secrets: what must not stand in the message, whoever put it there.
    :raises Exception: `error` itself, where it did not come of AWS or of the way there.
    """
    if isinstance(error, ClientError):
        return _refused(error, secrets)
    reason = _unanswered(error)
    text = _told(f"{error}" or type(error).__name__, secrets)
    # Credentials that can't be had are not had a moment later either.
    lost = isinstance(error, (NoCredentialsError, CredentialRetrievalError))
    return CallFailed(Failure(reason, type(error).__name__, text), transient=not lost)


def _refused(error: ClientError, secrets: Iterable[str | None]) -> CallFailed:
    response = error.response
    code = str(response.get("Error", {}).get("Code") or "")
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode") or 0)
    transient = False
    if _REDIRECT <= status < _CLIENT_ERROR:
        reason, transient = Reason.BAD_RESPONSE, True
    elif code in _THROTTLES or status == _TOO_MANY_REQUESTS:
        reason, transient = Reason.THROTTLED, True
    elif status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT or code in _TRANSIENT_CODES:
        reason, transient = Reason.SERVICE_ERROR, True
    else:
        reason = _REASONS.get(code, Reason.SERVICE_ERROR)
    message = _told(str(response.get("Error", {}).get("Message") or ""), secrets)
    failure = Failure(reason, _told(code, secrets) or None, message or None)
    return CallFailed(failure, transient=transient, request_id=metadata.get("RequestId"))


def _unanswered(error: Exception) -> Reason:
    match error:
        case TimeoutError() | ReadTimeoutError() | ConnectTimeoutError():
            return Reason.TIMEOUT
        case BadResponse() | ResponseParserError():
            return Reason.BAD_RESPONSE
        # aiohttp: a body shorter than the answer's own headers say.
        case ConnectionClosedError(kwargs={"error": aiohttp.ClientPayloadError()}):
            return Reason.BAD_RESPONSE
        # What auditor.aws.connections would not read.
        case HTTPClientError(kwargs={"error": BadResponse()}):
            return Reason.BAD_RESPONSE
        case HTTPClientError() | ConnectionError():
            return Reason.NETWORK_ERROR
        case NoCredentialsError() | CredentialRetrievalError():
            return Reason.EXPIRED_CREDENTIALS
        case _:
            raise error


_LONGEST = 500
"""Characters of a message kept; a proxy's error page is longer, and says no more."""


def _told(text: str, secrets: Iterable[str | None]) -> str:
    # The longest first, or a part of one that holds another would be left over.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = shown(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
