"""The answers of a service that misbehaves: AWS's errors, and what proxies and networks make of good answers."""

from __future__ import annotations

from dataclasses import replace

from auditor.simulator.answers import ACCOUNT, EC2, HTML, JSON, STS, Answer, ApiError
from auditor.simulator.faults import GET_RECORDS, Fault, FaultKind
from auditor.simulator.signature import expired, unknown_key

PROXY_PAGE = b"<!DOCTYPE html><html><head><title>Please sign in</title></head><body>Proxy</body></html>"
_INTERNAL = "An internal error has occurred. Retry your request, but if the problem persists, contact us."

# Lightsail API reference, GetExportSnapshotRecords, Errors, and Common Errors; all modelled ones answer 400.
_LIGHTSAIL = {
    FaultKind.THROTTLE: ApiError("ThrottlingException", "Rate exceeded"),
    FaultKind.EXPIRED: expired("lightsail"),
    FaultKind.UNRECOGNIZED_CLIENT: unknown_key("lightsail"),
    FaultKind.UNAUTHENTICATED: ApiError("UnauthenticatedException", "The user is not authenticated."),
    FaultKind.NOT_FOUND: ApiError("NotFoundException", "The resource was not found."),
    FaultKind.INVALID_INPUT: ApiError("InvalidInputException", "The input is not valid."),
    FaultKind.TOKEN_REJECTED: ApiError("InvalidInputException", "The page token is not valid."),
    FaultKind.OPERATION_FAILURE: ApiError("OperationFailureException", "The operation failed to execute."),
    FaultKind.ACCOUNT_SETUP_IN_PROGRESS: ApiError(
        "AccountSetupInProgressException", "Your account is still being set up. Try again in a few minutes."
    ),
    FaultKind.REGION_SETUP_IN_PROGRESS: ApiError(
        "RegionSetupInProgressException", "This Region is still being set up. Try again in a few minutes."
    ),
    FaultKind.OPT_IN_REQUIRED: ApiError(
        "OptInRequired", "The AWS Access Key Id needs a subscription for the service", 403
    ),
    FaultKind.REQUEST_EXPIRED: ApiError("RequestExpired", "Request has expired."),
    FaultKind.INVALID_SIGNATURE: ApiError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
    ),
}

# STS API reference, Common Errors.
_STS = {
    FaultKind.THROTTLE: ApiError("Throttling", "Rate exceeded"),
    FaultKind.EXPIRED: expired(STS),
    FaultKind.UNRECOGNIZED_CLIENT: unknown_key(STS),
    FaultKind.UNAUTHENTICATED: ApiError("MissingAuthenticationToken", "Missing Authentication Token", 403),
    FaultKind.OPT_IN_REQUIRED: _LIGHTSAIL[FaultKind.OPT_IN_REQUIRED],
    FaultKind.REQUEST_EXPIRED: ApiError("RequestExpired", "Request has expired."),
    FaultKind.INVALID_SIGNATURE: ApiError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
        403,
    ),
}


# EC2 API reference, Error codes.
_EC2 = {
    FaultKind.THROTTLE: ApiError("RequestLimitExceeded", "Request limit exceeded.", 503),
    FaultKind.EXPIRED: expired(EC2),
    FaultKind.UNRECOGNIZED_CLIENT: unknown_key(EC2),
    FaultKind.UNAUTHENTICATED: unknown_key(EC2),
    FaultKind.INVALID_SIGNATURE: unknown_key(EC2),
    FaultKind.INVALID_INPUT: ApiError("InvalidParameterValue", "The input is not valid."),
    FaultKind.TOKEN_REJECTED: ApiError(
        "InvalidPaginationToken", "The specified pagination token is not valid."
    ),
    FaultKind.OPT_IN_REQUIRED: ApiError(
        "OptInRequired",
        "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.",
        403,
    ),
    FaultKind.REQUEST_EXPIRED: ApiError("RequestExpired", "Request has expired."),
}
# Account Management API reference, ListRegions, Errors, and Common Errors.
_ACCOUNT = {
    FaultKind.THROTTLE: ApiError("TooManyRequestsException", "Rate exceeded", 429),
    FaultKind.EXPIRED: expired(ACCOUNT),
    FaultKind.UNRECOGNIZED_CLIENT: unknown_key(ACCOUNT),
    FaultKind.INVALID_SIGNATURE: replace(_LIGHTSAIL[FaultKind.INVALID_SIGNATURE], status=403),
    FaultKind.REQUEST_EXPIRED: ApiError("RequestExpired", "Request has expired."),
}
_INTERNAL_CODES = {
    ACCOUNT: ("InternalServerException", "ServiceUnavailableException"),
    STS: ("InternalFailure", "ServiceUnavailable"),
    EC2: ("InternalError", "Unavailable"),
}
"""What a service calls a 500 and a 503; Lightsail has one name for both."""


def error_for(
    fault: Fault | None, service: str, caller_arn: str, resource: str, operation: str = GET_RECORDS
) -> ApiError | None:
    """Return the error of AWS's that `fault` is; None where it is no error of AWS's.

    `resource` is what the caller asked for: a role's ARN, or `*`.
    """
    if fault is None:
        return None
    if fault.kind is FaultKind.ACCESS_DENIED:
        return access_denied(service, caller_arn, resource, operation)
    if fault.kind is FaultKind.SERVICE_ERROR:
        codes = _INTERNAL_CODES.get(service, ("ServiceException",) * 2)
        return ApiError(codes[fault.status != 500], _INTERNAL, fault.status)  # noqa: PLR2004 -- HTTP's own
    return {STS: _STS, EC2: _EC2, ACCOUNT: _ACCOUNT}.get(service, _LIGHTSAIL).get(fault.kind)


def access_denied(service: str, caller_arn: str, resource: str, operation: str = GET_RECORDS) -> ApiError:
    """Return a refusal, in IAM's words."""
    if service == EC2:
        return ApiError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {caller_arn} is not authorized to perform: "
            f"ec2:{operation} because no identity-based policy allows the ec2:{operation} action",
            403,
        )
    action = "sts:AssumeRole" if service == STS else f"{service}:{operation}"
    message = f"User: {caller_arn} is not authorized to perform: {action} on resource: {resource}"
    if service == STS:
        return ApiError("AccessDenied", message, 403)
    return ApiError("AccessDeniedException", message, 403 if service == ACCOUNT else 400)


def mangled(answer: Answer, fault: Fault | None) -> Answer:
    """Return what is left of a good answer once `fault` is done with it."""
    match fault and fault.kind:
        case FaultKind.CUT_JSON:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case FaultKind.NOT_JSON:
            return Answer(200, HTML, PROXY_PAGE)
        case FaultKind.NOT_UTF8:
            half = len(answer.body) // 2
            return replace(answer, body=answer.body[:half] + b"\xff\xfe\x80" + answer.body[half:])
        case FaultKind.SPOILED_BYTE:
            third = len(answer.body) // 3
            return replace(answer, body=answer.body[:third] + b"\0" + answer.body[third + 1 :])
        case FaultKind.MISSING_KEY if answer.content_type == JSON:
            return replace(answer, body=b"{}")
    return answer
