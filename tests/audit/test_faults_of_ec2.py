"""EC2 that answers with what was not asked for, or with less: whole runs, over its own protocol."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from auditor.audit import RunOptions
from auditor.aws.sources import IDS_AT_ONCE
from auditor.model import IMAGES
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

LISTINGS = ("DescribeImages", "DescribeSnapshots", "DescribeVolumes")
OF_COPIES = {
    "public-export",
    "unencrypted-export",
    "expired-retention",
    "unsupported-blueprint",
    "unused-export",
}
"""Policies that find something only in a copy that is there."""
QUIET = RunOptions(fail_on=None)


def struck(seen: Audited, kind: FaultKind) -> int:
    return sum(call.fault is kind for call in seen.calls)


def more_unjudged(seen: Audited, estate: Estate) -> Counter[str]:
    """How many records each policy could not judge, beyond those that nobody can."""
    unjudged = Counter(seen.run["totals"]["unjudged"]["by_policy"])
    return unjudged - Counter(each.policy for each in estate.unjudgeable)


@pytest.fixture
def estate(estate_of: EstateMaker) -> Estate:
    return estate_of(2, afterlife=True, records_per_target=IDS_AT_ONCE * 3, page_size=50)


async def test_ids_that_were_not_asked_for_are_never_believed(auditing: Auditing, estate: Estate) -> None:
    # The first question for snapshots names no ids: it is which are public, and all own ones may be.
    faults = [
        Fault(FaultKind.UNASKED, operation=operation, spares=int(operation == "DescribeSnapshots"))
        for operation in LISTINGS
    ]
    seen = await auditing(estate, *faults, options=QUIET)
    assert struck(seen, FaultKind.UNASKED) >= len(LISTINGS) * len(estate.accounts) * len(estate.regions)
    assert seen.found == estate.truth
    assert not more_unjudged(seen, estate)
    assert seen.run["coverage_percent"] == 100


@pytest.mark.parametrize("operation", LISTINGS)
async def test_what_a_whole_answer_leaves_out_is_absent_and_misleads_in_nothing_else(
    auditing: Auditing, estate: Estate, operation: str
) -> None:
    seen = await auditing(estate, Fault(FaultKind.FEWER, operation=operation), options=QUIET)
    assert struck(seen, FaultKind.FEWER)
    assert seen.run["coverage_percent"] == 100
    more, lost = seen.found - estate.truth, estate.truth - seen.found
    gone = {each.resource_arn for each in more if each.policy == "missing-destination"}
    if operation == "DescribeVolumes":
        assert {each.policy for each in more} == {"unused-export"}, "no volume is known of it now"
        assert not lost
        return
    assert gone
    # Of two copies of one source, the one that EC2 left is the last, and no duplicate.
    assert {each.policy for each in more} <= {"missing-destination", "only-copy"}
    assert not {each for each in seen.found if each.resource_arn in gone and each.policy in OF_COPIES}
    # An image of whose snapshots EC2 says nothing is there, but can't be judged by them.
    silent = {each.policy for each in lost if each.policy in OF_COPIES and each.resource_arn not in gone}
    assert silent <= more_unjudged(seen, estate).keys()


async def test_what_an_answer_that_was_cut_short_leaves_out_is_unknown(
    auditing: Auditing, estate: Estate
) -> None:
    seen = await auditing(
        estate,
        Fault(FaultKind.EMPTY_PAGE, operation="DescribeImages"),
        Fault(FaultKind.ACCESS_DENIED, operation="DescribeImages"),
        options=QUIET,
    )
    lines = [line for line in seen.coverage if line["source"] == IMAGES]
    assert {(line["verdict"], line["reason"], line["pages"]) for line in lines} == {
        ("partial", "access-denied", 1)
    }
    assert seen.found <= estate.truth, "that nothing came of it before it ended proves nothing"
    disks = {each for each in seen.found if each.policy == "missing-destination"}
    of_images = {each for each in estate.truth if each.policy == "missing-destination"} - disks
    assert of_images
    assert more_unjudged(seen, estate)["missing-destination"] >= len(of_images)


async def test_only_what_was_left_out_before_a_lookup_failed_is_absent(
    auditing: Auditing, estate: Estate
) -> None:
    seen = await auditing(
        estate,
        Fault(FaultKind.FEWER, operation="DescribeImages", times=1),
        Fault(FaultKind.ACCESS_DENIED, operation="DescribeImages"),
        options=QUIET,
    )
    lines = [line for line in seen.coverage if line["source"] == IMAGES]
    assert {(line["verdict"], line["reason"], line["pages"]) for line in lines} == {
        ("partial", "access-denied", 1)
    }
    whole = await auditing(estate, Fault(FaultKind.FEWER, operation="DescribeImages"), options=QUIET)
    gone, all_gone = (
        {each for each in run.found - estate.truth if each.policy == "missing-destination"}
        for run in (seen, whole)
    )
    assert set() < gone < all_gone
    assert more_unjudged(seen, estate)["missing-destination"] >= len(all_gone - gone)
