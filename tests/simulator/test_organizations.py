"""The simulated Organizations, asked by boto3 as it comes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from auditor.simulator.estate import Estate, generate
from auditor.simulator.organizations import SimMember, SimOrganization, SimUnit
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ROOT, WORKLOADS, PROD = "r-ab12", "ou-ab12-workload", "ou-ab12-prod0000"
IDS = [f"{number:012d}" for number in range(7)]


def organized() -> Estate:
    """Two accounts with roles, of which the second may list, and an organisation that the base identity manages."""
    estate = generate(5, accounts=3, regions=["us-east-1"], now=NOW, records_per_target=1)
    members = (
        SimMember(IDS[0], "first", ROOT, tags={f"key-{number}": str(number) for number in range(5)}),
        SimMember(IDS[1], "old", WORKLOADS, state="SUSPENDED", old_style=True),
        SimMember(IDS[2], "closed", WORKLOADS, state="CLOSED"),
        SimMember(IDS[3], "unsaid", WORKLOADS, state=None),
        *(SimMember(one, "deep", PROD) for one in IDS[4:]),
    )
    units = (SimUnit(WORKLOADS, "Workloads", ROOT), SimUnit(PROD, "Prod", WORKLOADS))
    organization = SimOrganization(
        estate.base.account_id, members, units, delegated=frozenset({estate.accounts[1].id}), page_size=2
    )
    return replace(estate, organization=organization)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve_in_thread(organized()) as server:
        yield server


def client(running: Running, service: str = "organizations", **keys: Any) -> Any:
    base = running.estate.base
    keys = keys or {"aws_access_key_id": base.access_key, "aws_secret_access_key": base.secret_key}
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client(service, "us-east-1", endpoint_url=running.url, config=once, **keys)


def as_member(running: Running, number: int, policy: str | None = None) -> Any:
    """Organizations, as the role of an account of the estate."""
    account = running.estate.accounts[number]
    extra = {} if policy is None else {"Policy": policy}
    given = client(running, "sts").assume_role(
        RoleArn=account.role_arn, RoleSessionName="test", ExternalId=account.external_id, **extra
    )["Credentials"]
    return client(
        running,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def listed(asked: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    pages = asked.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page[key]]


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: dict[str, Any] = dict(caught.value.response)
    return {**response["Error"], "Reason": response.get("Reason")}


def test_paginators_read_every_page_of_every_listing(running: Running) -> None:
    asked = client(running)
    assert [one["Id"] for one in listed(asked, "list_accounts", "Accounts")] == IDS
    assert [len(page["Accounts"]) for page in asked.get_paginator("list_accounts").paginate()] == [2, 2, 2, 1]
    assert [one["Id"] for one in listed(asked, "list_roots", "Roots")] == [ROOT]
    within = "list_organizational_units_for_parent", "OrganizationalUnits"
    assert listed(asked, *within, ParentId=ROOT) == [{"Id": WORKLOADS, "Name": "Workloads"}]
    assert listed(asked, *within, ParentId=WORKLOADS) == [{"Id": PROD, "Name": "Prod"}]
    assert listed(asked, *within, ParentId=PROD) == []
    directly = {
        parent: [one["Id"] for one in listed(asked, "list_accounts_for_parent", "Accounts", ParentId=parent)]
        for parent in (ROOT, WORKLOADS, PROD)
    }
    assert directly == {ROOT: IDS[:1], WORKLOADS: IDS[1:4], PROD: IDS[4:]}
    tags = listed(asked, "list_tags_for_resource", "Tags", ResourceId=IDS[0])
    assert {one["Key"]: one["Value"] for one in tags} == {f"key-{number}": str(number) for number in range(5)}


def test_accounts_say_their_state_in_the_new_way_the_old_one_or_not_at_all(running: Running) -> None:
    said = {
        one["Id"]: (one.get("State"), one.get("Status"))
        for one in listed(client(running), "list_accounts", "Accounts")
    }
    assert said[IDS[0]] == ("ACTIVE", "ACTIVE")
    assert said[IDS[1]] == (None, "SUSPENDED")
    assert said[IDS[2]] == ("CLOSED", "SUSPENDED")
    assert said[IDS[3]] == (None, None)


def test_a_token_is_good_for_its_own_listing_and_no_other(running: Running) -> None:
    asked = client(running)
    token = asked.list_accounts()["NextToken"]
    assert [one["Id"] for one in asked.list_accounts(NextToken=token)["Accounts"]] == IDS[2:4]
    for call, arguments in (
        (asked.list_accounts, {"NextToken": "made-up"}),
        (asked.list_roots, {"NextToken": token}),
        (asked.list_accounts_for_parent, {"NextToken": token, "ParentId": WORKLOADS}),
    ):
        error = refused(call, **arguments)
        assert (error["Code"], error["Reason"]) == ("InvalidInputException", "INVALID_NEXT_TOKEN")


def test_what_is_not_there_is_said_so(running: Running) -> None:
    asked = client(running)
    nowhere = "ou-ab12-nowhere0"
    assert refused(asked.list_accounts_for_parent, ParentId=nowhere)["Code"] == "ParentNotFoundException"
    units = asked.list_organizational_units_for_parent
    assert refused(units, ParentId=nowhere)["Code"] == "ParentNotFoundException"
    assert refused(asked.list_tags_for_resource, ResourceId="9" * 12)["Code"] == "TargetNotFoundException"


def test_only_the_management_account_and_delegated_administrators_list(running: Running) -> None:
    assert refused(as_member(running, 0).list_accounts)["Code"] == "AccessDeniedException"
    assert [one["Id"] for one in listed(as_member(running, 1), "list_accounts", "Accounts")] == IDS


def test_a_session_policy_narrows_what_a_delegated_administrator_may(running: Running) -> None:
    allow = {"Effect": "Allow", "Action": ["organizations:ListAccounts"], "Resource": "*"}
    asked = as_member(running, 1, json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    assert len(listed(asked, "list_accounts", "Accounts")) == len(IDS)
    error = refused(asked.list_roots)
    assert error["Code"] == "AccessDeniedException"
    assert "organizations:ListRoots" in error["Message"]


def test_a_wrong_signature_is_refused(running: Running) -> None:
    base = running.estate.base
    asked = client(running, aws_access_key_id=base.access_key, aws_secret_access_key="wrong")
    assert refused(asked.list_accounts)["Code"] == "InvalidSignatureException"


def test_an_estate_without_an_organization_says_that_it_is_not_in_use() -> None:
    with serve_in_thread(replace(organized(), organization=None)) as alone:
        assert refused(client(alone).list_accounts)["Code"] == "AWSOrganizationsNotInUseException"
