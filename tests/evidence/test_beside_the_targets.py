"""What is asked of no account and Region in particular is kept too: who asks, the organisation, hubs and Regions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import auditor
from auditor.evidence.reading import Evidence
from auditor.evidence.verifying import faults_of
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.organizations import SimMember, SimOrganization
from tests.evidence.conftest import estate_of
from tests.evidence.unpacking import unpacked

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.evidence.lines import Line
    from tests.evidence.conftest import Record

ORGANIZED = """version: 1
defaults: {role_name: LightsailExportAuditor, regions: [us-east-1, ap-southeast-3]}
organization: {}
"""


def besides(folder: Path) -> list[Line]:
    return [line for place in Evidence.open(folder).places() for line in place.lines if line.region is None]


def test_the_organisation_stands_in_the_evidence_as_it_was_read(record: Record) -> None:
    estate = estate_of(accounts=4, regions=("us-east-1", "ap-southeast-3"))
    accounts = tuple(replace(account, external_id=None) for account in estate.accounts)
    members = tuple(SimMember(account.id, f"team-{account.id}", "r-ab12") for account in accounts)
    members = (replace(members[0], state="SUSPENDED"), *members[1:])
    organization = SimOrganization(management=estate.base.account_id, members=members, units=(), page_size=2)
    estate = replace(estate, accounts=accounts, organization=organization)

    run = record(estate=estate, text=ORGANIZED)

    assert list(faults_of(run.folder, allow_unsigned=True)) == []
    kept = Counter(line.source for line in besides(run.folder))
    assert kept["organizations:ListAccounts"] == 2
    assert kept["sts:AssumeRole"] == 3
    assert kept["account:ListRegions"] >= 1
    assert kept["lightsail:GetRegions"] == 1
    reasons = {line["reason"] for line in run.lines("coverage.jsonl")}
    assert reasons == {None, "account-suspended", "region-not-enabled"}


def test_a_hub_that_goes_away_is_the_reason_of_those_behind_it(record: Record) -> None:
    estate = estate_of(accounts=3, hub=True)
    assert estate.hub is not None
    refused = estate.accounts[1]

    run = record(Fault(FaultKind.ACCESS_DENIED, refused.id, operation="AssumeRole"), estate=estate)

    assert list(faults_of(run.folder, allow_unsigned=True)) == []
    asked = {line.account_id for line in besides(run.folder) if line.source == "sts:AssumeRole"}
    assert asked == {estate.hub.account_id, *(account.id for account in estate.accounts)}
    secrets = [str(estate.hub.external_id), *(str(account.external_id) for account in estate.accounts)]
    held = unpacked(run.folder)
    assert [name for name, raw in held.items() for secret in secrets if secret.encode() in raw] == []


def test_the_configuration_that_is_kept_means_the_same_and_has_no_secret(record: Record) -> None:
    extra = """
waivers:
  - {policy: oversized-disk, owner: me, reason: "costs $${MONEY}", until: 2099-01-01}
history: {}
"""
    run = record(estate=estate_of(accounts=2, hub=True), extra=extra)

    kept = run.folder / "evidence" / "configuration.json"
    read = auditor.load_config(kept)
    assert read.digest == json.loads((run.folder / "run.json").read_bytes())["config_digest"]
    assert read.secrets == ()
    assert read.waivers[0].reason == "costs ${MONEY}"
    policies = json.loads((run.folder / "evidence" / "policies.json").read_bytes())
    assert policies["oversized-disk"]["settings"]["max_gb"] == 640
    assert policies["oversized-disk"]["text"].startswith("An export")
    environment = json.loads((run.folder / "evidence" / "environment.json").read_bytes())
    assert environment["packages"].keys() >= {"botocore", "aiobotocore", "zstandard"}
    assert environment["caller_arn"]
    assert environment["endpoint_overrides"]
