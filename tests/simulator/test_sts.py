from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from auditor.simulator.estate import Estate, SimAccount, generate
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def estate(**options: Any) -> Estate:
    return generate(11, accounts=2, regions=["us-east-1"], now=NOW, records_per_target=1, **options)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve_in_thread(estate(max_session_duration=7200)) as server:
        yield server


@pytest.fixture(scope="module")
def chained() -> Iterator[Running]:
    with serve_in_thread(estate(chained=True, max_session_duration=43_200)) as server:
        yield server


def client(running: Running, credentials: dict[str, Any] | None = None) -> Any:
    environ = running.environ
    return botocore.session.get_session().create_client(
        "sts",
        "us-east-1",
        endpoint_url=running.url,
        aws_access_key_id=credentials["AccessKeyId"] if credentials else environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["SecretAccessKey"]
        if credentials
        else environ["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["SessionToken"] if credentials else environ.get("AWS_SESSION_TOKEN"),
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=False),
    )


def asked(account: SimAccount, **changes: Any) -> dict[str, Any]:
    role: dict[str, Any] = {
        "RoleArn": account.role_arn,
        "RoleSessionName": "night",
        "ExternalId": account.external_id,
        **changes,
    }
    return {name: value for name, value in role.items() if value is not None}


def refusal(running: Running, **changes: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        client(running).assume_role(**asked(running.estate.accounts[0], **changes))
    response: Any = caught.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
    )


def test_a_role_is_assumed_and_its_session_knows_who_it_is(running: Running) -> None:
    account = running.estate.accounts[0]
    answer = client(running).assume_role(**asked(account))
    arn = f"arn:aws:sts::{account.id}:assumed-role/LightsailExportAuditor/night"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    identity = client(running, answer["Credentials"]).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (account.id, arn)
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    left = (answer["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3590 < left <= 3600
    assert client(running).get_caller_identity()["Arn"] == running.estate.base.arn


@pytest.mark.parametrize("external_id", ["another", None])
def test_a_wrong_external_id_or_none_is_refused_in_the_same_words(
    running: Running, external_id: str | None
) -> None:
    role, base = running.estate.accounts[0].role_arn, running.estate.base.arn
    message = f"User: {base} is not authorized to perform: sts:AssumeRole on resource: {role}"
    assert refusal(running, ExternalId=external_id) == ("AccessDenied", 403, message)


def test_the_external_id_of_another_account_is_refused(running: Running) -> None:
    assert refusal(running, ExternalId=running.estate.accounts[1].external_id)[0] == "AccessDenied"


@pytest.mark.parametrize("arn", ["arn:aws:iam::{}:role/Other", "arn:aws:iam::999999999999:role/Any"])
def test_a_role_that_is_not_there_is_refused_and_not_told_apart(running: Running, arn: str) -> None:
    assert refusal(running, RoleArn=arn.format(running.estate.accounts[0].id))[:2] == ("AccessDenied", 403)


@pytest.mark.parametrize(
    "changes",
    [
        {"RoleArn": "arn:aws:iam::1:role/Reader"},
        {"RoleSessionName": "a"},
        {"RoleSessionName": "a b"},
        {"RoleSessionName": "a" * 65},
        {"ExternalId": "x"},
        {"DurationSeconds": 899},
        {"DurationSeconds": 43_201},
    ],
)
def test_what_sts_does_not_accept_is_a_validation_error(running: Running, changes: dict[str, Any]) -> None:
    assert refusal(running, **changes)[:2] == ("ValidationError", 400)


def test_a_session_longer_than_the_role_allows_is_refused(running: Running) -> None:
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal(running, DurationSeconds=7201) == ("ValidationError", 400, message)
    longest = client(running).assume_role(**asked(running.estate.accounts[0], DurationSeconds=7200))
    assert (longest["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds() > 7100


def test_a_chained_session_longer_than_an_hour_is_refused(chained: Running) -> None:
    message = (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    )
    assert refusal(chained, DurationSeconds=3601) == ("ValidationError", 400, message)
    answer = client(chained).assume_role(**asked(chained.estate.accounts[0], DurationSeconds=3600))
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_a_session_policy_must_be_json_and_short(running: Running) -> None:
    assert refusal(running, Policy="{")[0] == "MalformedPolicyDocument"
    assert refusal(running, Policy='"' + "x" * 2048 + '"')[0] == "PackedPolicyTooLarge"


def test_a_session_of_one_account_may_not_assume_the_role_of_another(running: Running) -> None:
    first, second = running.estate.accounts
    session = client(running, client(running).assume_role(**asked(first))["Credentials"])
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        session.assume_role(**asked(second))


def test_an_operation_that_is_not_simulated_is_an_invalid_action(running: Running) -> None:
    with pytest.raises(ClientError, match="InvalidAction"):
        client(running).get_session_token()
