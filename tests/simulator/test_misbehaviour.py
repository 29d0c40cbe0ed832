"""The errors of AWS's, as botocore reads them; what only a raw client can see is in test_faults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import Running, serve_in_thread

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ESTATE = generate(19, accounts=1, regions=["us-east-1"], now=NOW, records_per_target=3)

LIGHTSAIL_ERRORS = {
    FaultKind.THROTTLE: ("ThrottlingException", 400),
    FaultKind.SERVICE_ERROR: ("ServiceException", 500),
    FaultKind.EXPIRED: ("ExpiredTokenException", 400),
    FaultKind.ACCESS_DENIED: ("AccessDeniedException", 400),
    FaultKind.UNAUTHENTICATED: ("UnauthenticatedException", 400),
    FaultKind.UNRECOGNIZED_CLIENT: ("UnrecognizedClientException", 400),
    FaultKind.NOT_FOUND: ("NotFoundException", 400),
    FaultKind.INVALID_INPUT: ("InvalidInputException", 400),
    FaultKind.OPERATION_FAILURE: ("OperationFailureException", 400),
    FaultKind.ACCOUNT_SETUP_IN_PROGRESS: ("AccountSetupInProgressException", 400),
    FaultKind.REGION_SETUP_IN_PROGRESS: ("RegionSetupInProgressException", 400),
    FaultKind.OPT_IN_REQUIRED: ("OptInRequired", 403),
    FaultKind.REQUEST_EXPIRED: ("RequestExpired", 400),
    FaultKind.INVALID_SIGNATURE: ("InvalidSignatureException", 400),
}
STS_ERRORS = {
    FaultKind.THROTTLE: ("Throttling", 400),
    FaultKind.SERVICE_ERROR: ("InternalFailure", 500),
    FaultKind.EXPIRED: ("ExpiredToken", 403),
    FaultKind.ACCESS_DENIED: ("AccessDenied", 403),
    FaultKind.UNAUTHENTICATED: ("MissingAuthenticationToken", 403),
    FaultKind.UNRECOGNIZED_CLIENT: ("InvalidClientTokenId", 403),
    FaultKind.OPT_IN_REQUIRED: ("OptInRequired", 403),
    FaultKind.REQUEST_EXPIRED: ("RequestExpired", 400),
    FaultKind.INVALID_SIGNATURE: ("SignatureDoesNotMatch", 403),
}


def client(running: Running, service: str, key: str, secret: str, token: str | None) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    session = botocore.session.get_session()
    return session.create_client(
        service,
        "us-east-1",
        endpoint_url=running.url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def sts_of(running: Running) -> Any:
    base = running.estate.base
    return client(running, "sts", base.access_key, base.secret_key, base.session_token)


def assumed(sts: Any) -> Any:
    (account,) = ESTATE.accounts
    return sts.assume_role(RoleArn=account.role_arn, RoleSessionName="test", ExternalId=account.external_id)[
        "Credentials"
    ]


def lightsail_of(running: Running) -> Any:
    keys = assumed(sts_of(running))
    return client(running, "lightsail", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_lightsail_answers_each_error_once_in_the_order_of_the_faults_and_then_the_page() -> None:
    faults = [Fault(kind, times=1) for kind in LIGHTSAIL_ERRORS]
    with serve_in_thread(ESTATE, faults=faults) as running:
        lightsail = lightsail_of(running)
        seen = []
        for _ in faults:
            with pytest.raises(ClientError) as caught:
                lightsail.get_export_snapshot_records()
            seen.append(error(caught))
        assert seen == list(LIGHTSAIL_ERRORS.values())
        assert len(lightsail.get_export_snapshot_records()["exportSnapshotRecords"]) == 3
        assert [(call.fault, call.error) for call in running.calls[1:]] == [
            *((kind, code) for kind, (code, _) in LIGHTSAIL_ERRORS.items()),
            (None, None),
        ]


def test_sts_answers_each_error_once_in_the_order_of_the_faults_and_then_a_session() -> None:
    faults = [Fault(kind, operation="AssumeRole", times=1) for kind in STS_ERRORS]
    with serve_in_thread(ESTATE, faults=faults) as running:
        sts = sts_of(running)
        seen = []
        for _ in faults:
            with pytest.raises(ClientError) as caught:
                assumed(sts)
            seen.append(error(caught))
        assert seen == list(STS_ERRORS.values())
        assert assumed(sts)["SessionToken"]


def test_modelled_errors_are_those_of_the_service_model() -> None:
    model = botocore.session.get_session().get_service_model("lightsail")
    modelled = {shape.name for shape in model.operation_model("GetExportSnapshotRecords").error_shapes}
    assert len(modelled) == 8
    assert modelled <= {code for code, _ in LIGHTSAIL_ERRORS.values()}


def test_a_service_error_can_be_a_503() -> None:
    faults = [Fault(FaultKind.SERVICE_ERROR, operation=None, status=503, times=1)]
    with serve_in_thread(ESTATE, faults=faults) as running:
        sts = sts_of(running)
        with pytest.raises(ClientError) as caught:
            assumed(sts)
        assert error(caught) == ("ServiceUnavailable", 503)
        lightsail = lightsail_of(running)
        with pytest.raises(ClientError) as caught:
            lightsail.get_export_snapshot_records()
        assert error(caught)[1] == 503


def test_every_kind_is_an_error_of_awss_or_has_a_test_of_its_own() -> None:
    # Or in test_ec2: EC2's own.
    in_test_faults = {
        FaultKind.LATENCY,
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.CUT_BODY,
        FaultKind.CUT_JSON,
        FaultKind.NOT_JSON,
        FaultKind.NOT_UTF8,
        FaultKind.MISSING_KEY,
        FaultKind.EMPTY_PAGE,
        FaultKind.TOKEN_LOOP,
        FaultKind.TOKEN_REJECTED,
        FaultKind.WRONG_ACCOUNT,
        FaultKind.UNASKED,
        FaultKind.FEWER,
        FaultKind.SLOW_BODY,
        FaultKind.STALLED_BODY,
        FaultKind.SPOILED_BYTE,
    }
    assert set(LIGHTSAIL_ERRORS) | in_test_faults == set(FaultKind)
    assert not set(LIGHTSAIL_ERRORS) & in_test_faults
