"""What became of each export, read over AWS's own protocols and judged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from auditor.audit import RunOptions
from auditor.model import (
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    OPERATIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
)
from auditor.policies import catalogue
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

SOURCES = (
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    OPERATIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
)
QUIET = RunOptions(fail_on=None)


def verdicts(seen: Audited) -> dict[tuple[str, str, str], tuple[str, str | None]]:
    return {
        (line["account_id"], line["region"], line["source"]): (line["verdict"], line["reason"])
        for line in seen.coverage
    }


def asked(seen: Audited, source: str) -> int:
    return sum(call.operation == source.partition(":")[2] for call in seen.calls)


def counted(estate: Estate) -> Counter[str]:
    """The number of records that each policy can't judge there, with all facts at hand."""
    return Counter(each.policy for each in estate.unjudgeable)


async def test_the_truth_of_an_estate_and_its_afterlife_is_found_out_exactly(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, afterlife=True, records_per_target=60, page_size=25)
    assert {expected.policy for expected in estate.truth} == catalogue().keys() - {"disallowed-region"}
    seen = await auditing(estate, options=QUIET)
    assert seen.found == estate.truth
    assert seen.run["totals"]["unjudged"]["by_policy"] == counted(estate)
    assert set(verdicts(seen).values()) == {("complete", None)}
    assert {source for _, _, source in verdicts(seen)} == set(SOURCES)


async def test_what_a_policy_can_not_judge_is_counted_and_nothing_passes_for_it(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, afterlife=True, oddities=True, records_per_target=80)
    seen = await auditing(estate, options=QUIET)
    assert seen.found >= estate.truth - estate.unjudgeable
    assert seen.run["totals"]["unjudged"]["by_policy"] == counted(estate)
    assert seen.result.exit_code == 3


async def test_ids_are_asked_for_by_the_hundred_whatever_the_number_of_records(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, afterlife=True, records_per_target=400, page_size=50)
    seen = await auditing(estate, options=QUIET)
    assert seen.found == estate.truth
    places = 2
    images = snapshots = 0
    for (life,) in (
        [account.afterlife[region]] for account in estate.accounts for region in account.afterlife
    ):
        images, snapshots = images + len(life.images), snapshots + len(life.snapshots)
    records = 400 * places
    assert asked(seen, IMAGES) <= records // 100 + places
    # Beside those by id, one a place asks which are public.
    assert asked(seen, SNAPSHOTS) <= snapshots // 100 + 2 * places
    assert asked(seen, VOLUMES) <= snapshots // 100 + places
    assert images > 200


@pytest.mark.parametrize("source", [source for source in SOURCES if source != EXPORT_RECORDS])
async def test_a_denied_source_costs_the_policies_that_need_it_and_no_others(
    auditing: Auditing, estate_of: EstateMaker, source: str
) -> None:
    estate = estate_of(2, afterlife=True, records_per_target=60)
    denied = estate.accounts[0].id
    operation = source.partition(":")[2]
    seen = await auditing(estate, Fault(FaultKind.ACCESS_DENIED, denied, operation=operation), options=QUIET)

    gaps = {key: value for key, value in verdicts(seen).items() if value != ("complete", None)}
    assert gaps == {
        (denied, region, source): ("failed", "access-denied") for region in ("us-east-1", "eu-west-1")
    }
    needing = {
        policy_id
        for policy_id, entry in catalogue().items()
        if source in entry.policy.needs(entry.settings_type())
    }
    lost = set(estate.truth - seen.found)
    assert {each.policy for each in lost} <= needing
    assert {each.account_id for each in lost} <= {denied}
    assert seen.found <= estate.truth, "an unknown fact makes nothing a finding"
    more = Counter(seen.run["totals"]["unjudged"]["by_policy"]) - counted(estate)
    assert more.keys() <= needing
    assert {each.policy for each in lost} <= more.keys()
    assert seen.run["coverage_percent"] < 100
    assert seen.result.exit_code == 3


async def test_records_that_can_not_be_read_leave_their_facts_dependent_on_them(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, afterlife=True, records_per_target=60, page_size=20)
    denied, cut = (account.id for account in estate.accounts)
    seen = await auditing(
        estate,
        Fault(FaultKind.ACCESS_DENIED, denied, operation="GetExportSnapshotRecords"),
        Fault(FaultKind.SERVICE_ERROR, cut, page=3),
        options=QUIET,
    )
    by_source = {key[2]: value for key, value in verdicts(seen).items() if key[:2] == (denied, "us-east-1")}
    assert by_source.pop(EXPORT_RECORDS) == ("failed", "access-denied")
    assert set(by_source.values()) == {("failed", "dependency-failed")}
    by_source = {key[2]: value for key, value in verdicts(seen).items() if key[:2] == (cut, "us-east-1")}
    assert by_source.pop(EXPORT_RECORDS) == ("partial", "service-error")
    assert by_source[IMAGES] == ("partial", "dependency-failed")
    assert any(line["records"] for line in seen.coverage if line["source"] == IMAGES)
    copies = {"public-export", "unencrypted-export", "expired-retention", "unsupported-blueprint"}
    found = {each for each in seen.found if each.policy in copies}
    assert found, "what was read is judged with its facts"
    assert found <= estate.truth


async def test_a_role_that_can_not_be_assumed_is_told_so_for_every_source(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, afterlife=True)
    denied = estate.accounts[0].id
    seen = await auditing(
        estate, Fault(FaultKind.ACCESS_DENIED, denied, operation="AssumeRole"), options=QUIET
    )
    reasons = {value for key, value in verdicts(seen).items() if key[0] == denied}
    assert reasons == {("failed", "role-not-assumable")}


async def test_no_records_cost_no_further_call(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(2, afterlife=True, records_per_target=0)
    seen = await auditing(estate, options=QUIET)
    assert {call.operation for call in seen.calls} == {
        "GetCallerIdentity",
        "AssumeRole",
        "GetExportSnapshotRecords",
        "GetRegions",
    }
    assert set(verdicts(seen).values()) == {("complete", None)}
    assert seen.run["coverage_percent"] == 100


async def test_lightsails_own_regions_are_compared_with_botocores(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    seen = await auditing(estate_of(1))
    assert seen.run["scope"]["regions_compared"] is True
    assert seen.run["scope"]["regions_only_of_lightsail"] == []
    assert seen.run["scope"]["regions_only_of_botocore"] == []


async def test_a_policy_of_ones_own_judges_by_facts_as_the_built_in_one_does(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    own = """policies:
  open-image:
    expression: facts.image != null && facts.image.public
    message: "{facts.image.id} is open"
    remediation: Close it.
    severity: high
  never-known:
    expression: 1 / (size(record.name) - size(record.name)) > 0
    message: "no"
    remediation: "no"
"""
    estate = estate_of(2, afterlife=True, records_per_target=60)
    seen = await auditing(estate, extra=own, options=QUIET)
    open_images = {each.resource_arn for each in seen.found if each.policy == "open-image"}
    public = {each["resource_arn"] for each in seen.findings if each["policy"] == "public-export"}
    assert open_images
    assert open_images <= public
    assert {each for each in seen.found if each.policy in catalogue()} == estate.truth
    unjudged = seen.run["totals"]["unjudged"]
    assert unjudged["by_policy"]["never-known"] == unjudged["records"] == seen.run["totals"]["records"]
    assert set(seen.run["versions"]["policies"]) >= {"open-image", "never-known", "public-export"}


async def test_a_bug_in_comparing_regions_costs_nothing_that_was_found(
    auditing: Auditing, estate_of: EstateMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> frozenset[str]:
        raise ZeroDivisionError

    monkeypatch.setattr("auditor.audit.published.published_regions", broken)
    estate = estate_of(1)
    seen = await auditing(estate, options=QUIET)
    assert seen.found == estate.truth
    assert seen.run["scope"]["regions_compared"] is False
    assert seen.result.exit_code == 0
