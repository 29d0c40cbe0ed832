"""With `sharing: true` a run tells who a copy is shared with: not of one's own accounts, of strangers, of friends not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from auditor.audit import RunOptions
from auditor.model import IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS
from auditor.simulator.afterlife_cases import STRANGER
from auditor.simulator.organizations import SimMember, SimOrganization

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

ID = "public-export"
OUTSIDER = STRANGER["userId"]
SHARING = "policies:\n  public-export: {sharing: true%s}\n"
ORGANIZATION = "arn:aws:organizations::210987654321:organization/o-abcdefghij"
QUIET = RunOptions(fail_on=None)


@dataclass(frozen=True)
class Shared:
    """What the estate itself says of its copies."""

    public: set[str]
    """Records whose copy everybody can use."""
    by_account: dict[str, set[str]]
    """Records whose copy is shared with an account."""


def shared(estate: Estate) -> Shared:
    """Return the ARNs of records by whom their copies are shared with."""
    by_account = defaultdict(set)
    for account in estate.accounts:
        for region, life in account.afterlife.items():
            for record in account.records[region]:
                copy = record.get("destinationInfo", {}).get("id")
                disks = life.images.get(copy, {}).get("blockDeviceMapping", [])
                granted = [*life.image_permissions.get(copy, ())]
                for snapshot in (copy, *(disk["ebs"]["snapshotId"] for disk in disks)):
                    granted += life.snapshot_permissions.get(snapshot, ())
                for permission in granted:
                    for who in permission.values():
                        by_account[who].add(record["arn"])
    return Shared(by_account.pop("all"), by_account)


def found(seen: Audited) -> dict[str, list[str]]:
    """Return who each copy that is found is shared with, by its record's ARN."""
    assert {(line["verdict"], line["reason"]) for line in seen.coverage} == {("complete", None)}
    assert {IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS} <= {line["source"] for line in seen.coverage}
    assert ID not in seen.run["totals"]["unjudged"]["by_policy"]
    return {
        finding["resource_arn"]: finding["evidence"]["shared_with"]
        for finding in seen.findings
        if finding["policy"] == ID
    }


@pytest.fixture
def estate(estate_of: EstateMaker) -> Estate:
    estate = estate_of(2, afterlife=True, regions=["us-east-1"], records_per_target=150, page_size=50)
    said = shared(estate)
    first, second = (account.id for account in estate.accounts)
    # Each account shares some of its copies with the other, some with a stranger, and some with everybody.
    assert {*said.by_account} == {first, second, OUTSIDER}
    assert said.public
    return estate


def only_the_first(estate: Estate) -> Estate:
    """The same, with its first account alone in the list: the other is one's own only if something says so."""
    return replace(estate, accounts=estate.accounts[:1])


async def test_an_account_of_the_list_may_be_shared_with_and_one_outside_may_not(
    auditing: Auditing, estate: Estate
) -> None:
    said = shared(estate)
    seen = await auditing(estate, extra=SHARING % "", options=QUIET)

    told = found(seen)
    assert {record for record, who in told.items() if OUTSIDER in who} == said.by_account[OUTSIDER]
    assert set(told) == said.public | said.by_account[OUTSIDER]
    assert {name for who in told.values() for name in who} == {OUTSIDER, "all"}
    others = {each for each in seen.found if each.policy != ID}
    assert others == {each for each in estate.truth if each.policy != ID}


async def test_what_is_allowed_may_be_shared_with_too(auditing: Auditing, estate: Estate) -> None:
    allowed = f', allowed_accounts: ["{OUTSIDER}"]'
    seen = await auditing(estate, extra=SHARING % allowed, options=QUIET)
    assert set(found(seen)) == shared(estate).public
    assert seen.found == estate.truth


async def test_an_account_that_is_neither_listed_nor_of_the_organization_is_a_stranger(
    auditing: Auditing, estate: Estate
) -> None:
    other = estate.accounts[1].id
    alone = only_the_first(estate)
    said = shared(alone)
    assert said.by_account[other]

    seen = await auditing(alone, extra=SHARING % "", options=QUIET)

    told = found(seen)
    assert {record for record, who in told.items() if other in who} == said.by_account[other]
    assert set(told) == said.public | said.by_account[other] | said.by_account[OUTSIDER]


async def test_an_account_of_the_organization_may_be_shared_with_though_it_is_left_out_of_the_run(
    auditing: Auditing, estate: Estate
) -> None:
    first, other = (account.id for account in estate.accounts)
    members = (SimMember(first, "here", "r-ab12"), SimMember(other, "there", "r-ab12"))
    organization = SimOrganization(estate.base.account_id, members)
    alone = replace(only_the_first(estate), organization=organization)
    said = shared(alone)
    extra = f'organization: {{exclude: {{accounts: ["{other}"]}}}}\n'

    seen = await auditing(alone, extra=extra + SHARING % "", options=QUIET)

    assert [one["id"] for one in seen.run["scope"]["accounts_excluded"]] == [other]
    told = found(seen)
    assert set(told) == said.public | said.by_account[OUTSIDER]
    assert not [who for who in told.values() if other in who]


@pytest.mark.parametrize("allowed", [False, True])
async def test_an_organization_that_is_shared_with_is_a_stranger_unless_it_is_allowed(
    auditing: Auditing, estate: Estate, *, allowed: bool
) -> None:
    life = estate.accounts[0].afterlife["us-east-1"]
    exported = {
        record.get("destinationInfo", {}).get("id") for record in estate.accounts[0].records["us-east-1"]
    }
    image = next(one for one in life.images if one in exported and one not in life.image_permissions)
    life.image_permissions[image] = [{"organizationArn": ORGANIZATION}]
    text = f', allowed_accounts: ["{OUTSIDER}"]'
    if allowed:
        text += f', allowed_organizations: ["{ORGANIZATION}"]'

    seen = await auditing(estate, extra=SHARING % text, options=QUIET)

    told = found(seen)
    (record,) = shared(estate).by_account[ORGANIZATION] - shared(estate).public
    assert told.get(record) == (None if allowed else [ORGANIZATION])
    assert set(told) - {record} == shared(estate).public


async def test_without_sharing_nothing_is_asked_and_nothing_said_of_it(
    auditing: Auditing, estate: Estate
) -> None:
    seen = await auditing(estate, options=QUIET)
    assert {each.resource_arn for each in seen.found if each.policy == ID} == shared(estate).public
    assert not {"DescribeImageAttribute", "DescribeSnapshotAttribute"} & {
        call.operation for call in seen.calls
    }
    assert {each["evidence"]["sharing_looked_at"] for each in seen.findings if each["policy"] == ID} == {
        False
    }
