"""What `auditor iam` prints suffices, and each action of it is needed: so says moto's IAM, which is not ours."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from auditor.audit import RunOptions, audit
from auditor.cli.entry import auditor
from auditor.model import ORGANIZATION_ACTIONS
from auditor.policies import catalogue
from auditor.simulator.organizations import SimMember, SimOrganization
from tests.audit.one_endpoint import OneEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Auditing, EstateMaker

RECORDS = "lightsail:GetExportSnapshotRecords"
FACTS = (
    "ec2:DescribeImageAttribute",
    "ec2:DescribeImages",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "lightsail:GetCloudFormationStackRecords",
    "lightsail:GetDiskSnapshots",
    "lightsail:GetInstanceSnapshots",
    "lightsail:GetOperations",
)
OPT_IN = "ap-southeast-3"
BESIDES = ("account:ListRegions", "lightsail:GetRegions")
"""Called once in a while, and no target's; the first only where an opt-in Region refuses."""
USER = "arn:aws:iam::123456789012:user/auditor"
HARDLY_NEEDED = ("lightsail:GetCloudFormationStackRecords", "lightsail:GetOperations")
"""Looked at last, for a copy that nothing else shows to be in use, and for why an export failed."""
SETTINGS: dict[str, Any] = {"public-export": {"sharing": True}, "unused-export": {"max_age": "1s"}}
"""With which every source is asked: volumes and stacks are, of copies that are old enough."""
EXTRA = "policies:\n" + "".join(
    f"  {name}: {json.dumps({'enabled': True, **SETTINGS.get(name, {})})}\n" for name in catalogue()
)


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    _post(f"{url}/moto-api/reset")
    try:
        yield url
    finally:
        # Both are the whole process's.
        _post(f"{url}/moto-api/reset-auth", b"inf")
        _post(f"{url}/moto-api/reset")
        server.stop()


def _post(url: str, body: bytes = b"") -> None:
    server, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(server)
    connection.request("POST", f"/{path}", body, {"Content-Type": "text/plain"})
    assert connection.getresponse().status == 200
    connection.close()


def _client(moto: str, service: str, key: str, secret: str, token: str | None = None) -> Any:
    return boto3.client(
        service,
        "us-east-1",
        endpoint_url=moto,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def printed(path: Path) -> dict[str, Any]:
    ended = CliRunner().invoke(
        auditor, ["iam", "--as", "all", "--principal", USER, "--config", str(path)], standalone_mode=False
    )
    assert ended.exception is None
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def without(document: dict[str, Any], action: str | None) -> str:
    """Return the document, one action of it taken away."""
    left = [
        {**one, "Action": [each for each in one["Action"] if each != action]} for one in document["Statement"]
    ]
    return json.dumps({**document, "Statement": [one for one in left if one["Action"]]})


@dataclass
class Stage:
    auditing: Auditing
    estate: Estate
    moto: str
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    extra: str = EXTRA

    async def run(self, missing: str | None) -> tuple[OneEndpoint, list[dict[str, Any]], Mapping[str, Any]]:
        config = self.auditing.config(self.estate, self.extra)
        documents = printed(self.folder / "accounts-0.yaml")
        iam = _client(self.moto, "iam", "AKIAEXAMPLEEXAMPLE00", "secret")
        iam.create_user(UserName="auditor")
        base = json.loads(without(documents["base"]["policy"], missing))
        if base["Statement"]:
            iam.put_user_policy(UserName="auditor", PolicyName="auditor", PolicyDocument=json.dumps(base))
        key = iam.create_access_key(UserName="auditor")["AccessKey"]
        sts = _client(self.moto, "sts", "AKIAEXAMPLEEXAMPLE00", "secret")
        for account in config.accounts:
            arn = f"arn:aws:iam::{account.id}:role/builder"
            given = sts.assume_role(RoleArn=arn, RoleSessionName="builder")["Credentials"]
            there = _client(
                self.moto, "iam", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
            )
            name = account.role_arn.rpartition("/")[2]
            there.create_role(
                RoleName=name, AssumeRolePolicyDocument=json.dumps(documents["member"]["trust"])
            )
            policy = without(documents["member"]["policy"], missing)
            there.put_role_policy(RoleName=name, PolicyName="auditor", PolicyDocument=policy)
        _post(f"{self.moto}/moto-api/reset-auth", b"0")
        endpoint = OneEndpoint(self.moto, self.estate)
        async with endpoint.serve() as url:
            for variable, value in {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                "AWS_DEFAULT_REGION": "us-east-1",
            }.items():
                self.monkeypatch.setenv(variable, value)
            result = await audit(config, RunOptions(folder=self.folder / "run"))
        return endpoint, list(result.ledger.lines()), result.record


@pytest.fixture
def stage(
    auditing: Auditing, estate_of: EstateMaker, moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    estate = estate_of(2, records_per_target=8, afterlife=True)
    return Stage(auditing, estate, moto, tmp_path, monkeypatch)


def verdicts(lines: list[dict[str, Any]]) -> dict[str, set[tuple[str, str | None]]]:
    """Return how the targets of each source ended."""
    found: dict[str, set[tuple[str, str | None]]] = {}
    for line in lines:
        found.setdefault(line["source"], set()).add((line["verdict"].value, line["reason"]))
    return found


async def test_the_printed_policies_suffice(stage: Stage) -> None:
    endpoint, lines, record = await stage.run(None)

    document = printed(stage.folder / "accounts-0.yaml")
    (statement,) = document["member"]["policy"]["Statement"]
    assert set(statement["Action"]) == {RECORDS, *FACTS, *BESIDES}
    assert verdicts(lines) == {source: {("complete", None)} for source in (RECORDS, *FACTS)}
    assert len(lines) == 4 * len((RECORDS, *FACTS))
    assert all(line["requests"] for line in lines)
    assert all(allowed for _, _, allowed in endpoint.calls)
    called = endpoint.allowed - {"sts:AssumeRole", "sts:GetCallerIdentity"}
    assert called == set(statement["Action"]) - {"account:ListRegions"}
    assert record["scope"]["regions_compared"] is True
    assert not any(record["totals"]["unjudged"]["by_policy"].values())


@pytest.mark.parametrize("action", FACTS)
async def test_without_the_action_of_a_fact_its_targets_fail(stage: Stage, action: str) -> None:
    endpoint, lines, record = await stage.run(action)

    failed = {source for source, ends in verdicts(lines).items() if ends != {("complete", None)}}
    assert failed == {action}
    assert verdicts(lines)[action] == {("failed", "access-denied")}
    assert {called for called, _, allowed in endpoint.calls if not allowed} == {action}
    assert record["scope"]["regions_compared"] is True


def needing(action: str) -> set[str]:
    """Return the policies that say that they need this source."""
    return {
        name
        for name, entry in catalogue().items()
        if action in entry.policy.needs(entry.policy.settings_type(**SETTINGS.get(name, {})))
    }


@pytest.mark.parametrize("action", FACTS)
async def test_without_the_action_of_a_fact_its_policies_judge_less_and_no_others(
    stage: Stage, action: str
) -> None:
    _, _, record = await stage.run(action)

    unjudged = {name for name, count in record["totals"]["unjudged"]["by_policy"].items() if count}
    # Some need it for a part of the records only, of which this estate may have none.
    assert unjudged <= needing(action)
    assert unjudged or action in HARDLY_NEEDED


async def test_without_the_records_all_that_is_about_them_fails(stage: Stage) -> None:
    _, lines, _ = await stage.run(RECORDS)

    ends = verdicts(lines)
    assert ends.pop(RECORDS) == {("failed", "access-denied")}
    assert ends == {source: {("failed", "dependency-failed")} for source in FACTS}


async def test_without_the_list_of_regions_no_target_fails_and_none_is_compared(stage: Stage) -> None:
    _, lines, record = await stage.run("lightsail:GetRegions")

    assert verdicts(lines) == {source: {("complete", None)} for source in (RECORDS, *FACTS)}
    assert record["scope"]["regions_compared"] is False


@pytest.mark.parametrize("missing", [None, "account:ListRegions"])
async def test_a_region_that_is_off_is_skipped_whether_or_not_the_account_may_say_so(
    stage: Stage, estate_of: EstateMaker, missing: str | None
) -> None:
    whole = estate_of(2, regions=["us-east-1", OPT_IN], records_per_target=8, afterlife=True)
    on, off = whole.accounts
    stage.estate = replace(whole, accounts=(on, replace(off, enabled_regions=off.enabled_regions - {OPT_IN})))
    endpoint, lines, _ = await stage.run(missing)

    skipped = {(line["account_id"], line["region"]) for line in lines if line["verdict"] != "complete"}
    assert skipped == {(off.id, OPT_IN)}
    assert {line["reason"] for line in lines} == {None, "region-not-enabled"}
    assert {action for action, _, allowed in endpoint.calls if not allowed} == {missing} - {None}
    assert ("account:ListRegions" in endpoint.allowed) is (missing is None)


@pytest.mark.parametrize("missing", [None, *ORGANIZATION_ACTIONS])
async def test_an_organization_is_read_with_what_is_printed_and_without_any_of_it_is_a_gap(
    stage: Stage, missing: str | None
) -> None:
    _organize(stage)
    stage.extra = EXTRA + "organization: {include: {ous: [Root], tags: {env: dev}}}\n"
    endpoint, lines, _ = await stage.run(missing)

    gaps = [(line["source"], line["reason"]) for line in lines if line["verdict"] != "complete"]
    assert gaps == ([] if missing is None else [(missing, "access-denied")])
    assert {action for action, _, allowed in endpoint.calls if not allowed} == {missing} - {None}
    if missing is None:
        assert set(ORGANIZATION_ACTIONS) < endpoint.allowed


def _organize(stage: Stage) -> None:
    """Make the estate's accounts those of an organisation that the user's own account manages."""
    members = tuple(
        SimMember(account.id, account.name or account.id, "r-ab12", tags={"env": "dev"})
        for account in stage.estate.accounts
    )
    stage.estate = replace(
        stage.estate, organization=SimOrganization(USER.split(":")[4], members, page_size=1)
    )


async def test_without_assume_role_no_target_is_read(stage: Stage) -> None:
    endpoint, lines, _ = await stage.run("sts:AssumeRole")

    assert {line["verdict"].value for line in lines} == {"failed"}
    assert endpoint.allowed == {"sts:GetCallerIdentity"}
    assert {line["reason"] for line in lines} == {"role-not-assumable"}
