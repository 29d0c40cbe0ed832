"""Clients that nobody here wrote, unmodified, against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from aiobotocore.session import get_session

from auditor.simulator.estate import OPT_IN_REGIONS, Estate, SimAccount, generate
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGIONS = ("us-east-1", "eu-west-1")
EMPTY_FILE = os.devnull


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    now = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
    estate = generate(3, accounts=3, regions=REGIONS, now=now, records_per_target=23, page_size=5)
    with serve_in_thread(estate) as server:
        yield server


@pytest.fixture
def _environment(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(running).items():
        monkeypatch.setenv(name, value)


def environment(running: Running) -> dict[str, str]:
    # Nobody's own configuration may lead these clients anywhere else.
    files = {"AWS_CONFIG_FILE": EMPTY_FILE, "AWS_SHARED_CREDENTIALS_FILE": EMPTY_FILE}
    return {**running.environ, **files}


def planted(estate: Estate) -> dict[tuple[str, str], list[str]]:
    return {
        (account.id, region): [record["arn"] for record in records]
        for account in estate.accounts
        for region, records in account.records.items()
    }


def role(account: SimAccount) -> dict[str, str]:
    assert account.external_id is not None
    return {
        "RoleArn": account.role_arn,
        "RoleSessionName": "a-client",
        "ExternalId": account.external_id,
    }


def keys(credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


@pytest.mark.usefixtures("_environment")
def test_boto3_reads_every_page_of_every_account_and_region(running: Running) -> None:
    sts = boto3.client("sts")
    read = {}
    for account in running.estate.accounts:
        credentials = sts.assume_role(**role(account))["Credentials"]
        session = boto3.Session(**keys(credentials))
        assert session.client("sts").get_caller_identity()["Account"] == account.id
        for region in REGIONS:
            pages = (
                session.client("lightsail", region).get_paginator("get_export_snapshot_records").paginate()
            )
            listed = [page["exportSnapshotRecords"] for page in pages]
            assert [len(page) for page in listed] == [5, 5, 5, 5, 3]
            assert {record["location"]["regionName"] for page in listed for record in page} == {region}
            read[account.id, region] = [record["arn"] for page in listed for record in page]
    assert read == planted(running.estate)


@pytest.mark.usefixtures("_environment")
async def test_aiobotocore_reads_every_page_of_every_account_and_region(running: Running) -> None:
    session = get_session()
    read = {}
    for account in running.estate.accounts:
        async with session.create_client("sts") as sts:
            assumed = await sts.assume_role(**role(account))
        for region in REGIONS:
            async with session.create_client("lightsail", region, **keys(assumed["Credentials"])) as client:
                pages = client.get_paginator("get_export_snapshot_records").paginate()
                read[account.id, region] = [
                    record["arn"] async for page in pages for record in page["exportSnapshotRecords"]
                ]
    assert read == planted(running.estate)


def aws(running: Running, credentials: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """What the AWS CLI prints; it is told of the simulator by its option alone."""
    command = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", running.url, *arguments]
    environ = {
        **{name: value for name, value in environment(running).items() if name != "AWS_ENDPOINT_URL"},
        **credentials,
        "PATH": os.environ["PATH"],
        "AWS_PAGER": "",
    }
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=50, check=True)
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def test_the_aws_cli_assumes_a_role_and_reads_every_record(running: Running) -> None:
    account = running.estate.accounts[2]
    assert account.external_id is not None
    arguments = ("--role-session-name", "a-client", "--external-id", account.external_id)
    assumed = aws(running, {}, "sts", "assume-role", "--role-arn", account.role_arn, *arguments)[
        "Credentials"
    ]
    credentials = {
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }
    printed = aws(running, credentials, "--region", "eu-west-1", "lightsail", "get-export-snapshot-records")
    read = [record["arn"] for record in printed["exportSnapshotRecords"]]
    assert read == planted(running.estate)[account.id, "eu-west-1"]


@pytest.mark.usefixtures("_environment")
def test_boto3_is_told_which_regions_an_account_has_enabled(running: Running) -> None:
    sts = boto3.client("sts")
    told = {}
    for account in running.estate.accounts[:2]:
        credentials = sts.assume_role(**role(account))["Credentials"]
        client = boto3.client("account", **keys(credentials))
        pages = list(client.get_paginator("list_regions").paginate())
        assert len(pages) > 1
        told[account.id] = {
            one["RegionName"]: one["RegionOptStatus"] for page in pages for one in page["Regions"]
        }
        assert client.list_regions(RegionOptStatusContains=["ENABLING"])["Regions"] == []
    first, second = (told[account.id] for account in running.estate.accounts[:2])
    assert first.keys() == second.keys() == {*boto3.Session().get_available_regions("lightsail")}
    assert first["us-east-1"] == second["us-east-1"] == "ENABLED_BY_DEFAULT"
    # The estate has no opt-in Region: nobody has enabled one.
    assert {region for region, status in first.items() if status == "DISABLED"} == OPT_IN_REGIONS
