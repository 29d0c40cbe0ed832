"""The hub, session tags, source identities and session policies of the simulated STS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from auditor.simulator.estate import Estate, generate
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
READ = "lightsail:GetExportSnapshotRecords"


def estate(**options: Any) -> Estate:
    return generate(11, accounts=3, regions=["us-east-1"], now=NOW, records_per_target=1, **options)


@pytest.fixture(scope="module")
def direct() -> Iterator[Running]:
    whole = estate()
    strict, narrow, _ = whole.accounts
    accounts = (
        replace(strict, trust_actions=frozenset({"sts:AssumeRole"})),
        replace(narrow, role_actions=frozenset({"lightsail:GetOperations"})),
        whole.accounts[2],
    )
    with serve_in_thread(replace(whole, accounts=accounts)) as server:
        yield server


@pytest.fixture(scope="module")
def hubbed() -> Iterator[Running]:
    with serve_in_thread(estate(hub=True, max_session_duration=43_200)) as server:
        yield server


def client(running: Running, service: str = "sts", credentials: dict[str, Any] | None = None) -> Any:
    environ = running.environ
    keys = credentials or {
        "AccessKeyId": environ["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": environ["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": environ.get("AWS_SESSION_TOKEN"),
    }
    return botocore.session.get_session().create_client(
        service,
        "us-east-1",
        endpoint_url=running.url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=False),
    )


def assume(running: Running, number: int, by: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    account = running.estate.accounts[number]
    role = {"RoleArn": account.role_arn, "RoleSessionName": "night", "ExternalId": account.external_id}
    credentials: dict[str, Any] = client(running, "sts", by).assume_role(**role | asked)["Credentials"]
    return credentials


def hub(running: Running, **asked: Any) -> dict[str, Any]:
    between = running.estate.hub
    assert between is not None
    return assume(running, 0, **{"RoleArn": between.role_arn, "ExternalId": between.external_id, **asked})


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def policy(*actions: str, effect: str = "Allow", resource: str = "*") -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def read(running: Running, credentials: dict[str, Any]) -> int:
    answer = client(running, "lightsail", credentials).get_export_snapshot_records()
    return len(answer["exportSnapshotRecords"])


def test_members_trust_the_hub_and_nobody_else(hubbed: Running) -> None:
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
        assume(hubbed, 0)
    session = assume(hubbed, 0, hub(hubbed))
    assert read(hubbed, session) == 1
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
        assume(hubbed, 1, session)


def test_the_hub_asks_for_its_own_external_id(hubbed: Running) -> None:
    with pytest.raises(ClientError) as caught:
        hub(hubbed, ExternalId="another")
    assert code_of(caught) == "AccessDenied"


def test_a_session_that_a_hub_assumes_is_an_hour_long_at_the_most(hubbed: Running) -> None:
    between = hub(hubbed)
    with pytest.raises(ClientError, match="1 hour session limit for roles assumed by role chaining"):
        assume(hubbed, 0, between, DurationSeconds=3601)
    assume(hubbed, 0, between, DurationSeconds=3600)


def test_a_session_policy_leaves_what_both_it_and_the_role_allow(direct: Running) -> None:
    assert read(direct, assume(direct, 2, Policy=policy(READ))) == 1
    assert read(direct, assume(direct, 2, Policy=policy("lightsail:get*"))) == 1
    for other in (policy("lightsail:GetOperations"), policy("ec2:*"), policy(READ, resource="arn:aws:x")):
        with pytest.raises(ClientError, match=f"no session policy allows the {READ} action") as caught:
            read(direct, assume(direct, 2, Policy=other))
        assert code_of(caught) == "AccessDeniedException"
    with pytest.raises(ClientError, match=f"no identity-based policy allows the {READ} action"):
        read(direct, assume(direct, 1, Policy=policy(READ)))


def test_a_denial_in_a_session_policy_goes_before_what_it_allows(direct: Running) -> None:
    both = [json.loads(policy("*")), json.loads(policy(READ, effect="Deny"))]
    whole = {"Version": "2012-10-17", "Statement": [one["Statement"][0] for one in both]}
    with pytest.raises(ClientError, match="not authorized"):
        read(direct, assume(direct, 2, Policy=json.dumps(whole)))


def test_the_hub_s_session_policy_holds_for_the_roles_that_it_assumes(hubbed: Running) -> None:
    arn = hubbed.estate.accounts[0].role_arn
    between = hub(hubbed, Policy=policy("sts:AssumeRole", resource=arn))
    assume(hubbed, 0, between)
    with pytest.raises(ClientError, match="no session policy allows the sts:AssumeRole action"):
        assume(hubbed, 1, between)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"Version": "2012-10-17"}',
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}',
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "*", "Resource": "*"}}',
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": [1], "Resource": "*"}}',
    ],
)
def test_a_session_policy_that_is_none_is_malformed(direct: Running, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        assume(direct, 2, Policy=text)
    assert code_of(caught) == "MalformedPolicyDocument"


TAG = [{"Key": "team", "Value": "security"}]


def test_what_a_session_is_given_stands_in_its_call(direct: Running) -> None:
    assume(direct, 2, Tags=TAG, SourceIdentity="auditor", Policy=policy(READ))
    form = direct.calls[-1].form
    assert (form["Tags.member.1.Key"], form["Tags.member.1.Value"]) == ("team", "security")
    assert (form["SourceIdentity"], form["Policy"]) == ("auditor", policy(READ))


@pytest.mark.parametrize(
    ("asked", "action"),
    [({"Tags": TAG}, "sts:TagSession"), ({"SourceIdentity": "auditor"}, "sts:SetSourceIdentity")],
)
def test_a_trust_has_to_allow_tags_and_a_source_identity(
    direct: Running, asked: dict[str, Any], action: str
) -> None:
    assume(direct, 0)
    with pytest.raises(ClientError, match=f"is not authorized to perform: {action} on resource"):
        assume(direct, 0, **asked)


def test_a_source_identity_stays_along_the_chain_and_can_t_be_changed(hubbed: Running) -> None:
    between = hub(hubbed, SourceIdentity="auditor")
    assume(hubbed, 0, between, SourceIdentity="auditor")
    assume(hubbed, 0, between)
    with pytest.raises(ClientError, match="sts:SetSourceIdentity"):
        assume(hubbed, 0, between, SourceIdentity="other")
    assume(hubbed, 0, hub(hubbed), SourceIdentity="other")


@pytest.mark.parametrize(
    "asked",
    [
        {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]},
        {"Tags": [{"Key": "a", "Value": "v"}, {"Key": "A", "Value": "v"}]},
        {"Tags": [{"Key": "", "Value": "v"}]},
        {"Tags": [{"Key": "k" * 129, "Value": "v"}]},
        {"Tags": [{"Key": "k", "Value": "v" * 257}]},
        {"Tags": [{"Key": "k*", "Value": "v"}]},
        {"Tags": [{"Key": "aws:k", "Value": "v"}]},
        {"SourceIdentity": "a"},
        {"SourceIdentity": "a b"},
    ],
)
def test_what_sts_does_not_take_is_refused(direct: Running, asked: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        assume(direct, 2, **asked)
    assert code_of(caught) in {"ValidationError", "InvalidParameterValue"}
