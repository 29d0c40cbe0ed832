"""Regions that an account has to enable: skipped by proof, and by nothing less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.audit import RunOptions
from auditor.aws.regions import is_opt_in, lightsail_regions
from auditor.inventory import Filters
from auditor.simulator.estate import OPT_IN_REGIONS
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.audit.conftest import Auditing, EstateMaker

HOME, OPT_IN = "us-east-1", "ap-southeast-3"
"""On in every account; off in every third one of an estate."""
UNTOLD = Fault(FaultKind.ACCESS_DENIED, operation="ListRegions")
"""No account gives its own word, so that other evidence decides. What it decides where it does: test_own_word."""


def test_the_opt_in_regions_of_lightsail_are_known() -> None:
    assert {region for region in lightsail_regions() if is_opt_in(region)} == OPT_IN_REGIONS
    assert not is_opt_in("us-east-1")
    assert is_opt_in("xx-future-9")  # no Region is on by default any more


async def test_a_region_that_is_not_enabled_is_skipped_and_no_gap(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, regions=[HOME, OPT_IN])
    account = estate.accounts[1]
    assert OPT_IN not in account.enabled_regions

    seen = await auditing(estate, options=RunOptions(fail_on=None))

    line = seen.line(account.id, OPT_IN)
    assert (line["verdict"], line["reason"]) == ("skipped", "region-not-enabled")
    assert (line["error_code"], line["pages"], line["requests"]) == ("UnrecognizedClientException", 0, 1)
    assert seen.found == estate.truth
    assert seen.run["coverage_percent"] == 100
    assert seen.run["totals"]["targets"]["skipped"] == 1
    assert seen.result.exit_code == 0
    assert seen.result.gaps() == []


async def test_a_region_is_proved_off_where_the_account_has_no_other(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, regions=[OPT_IN])
    on, off = (account.id for account in estate.accounts)

    seen = await auditing(estate, UNTOLD, options=RunOptions(fail_on=None))
    alone = await auditing(estate, UNTOLD, options=RunOptions(fail_on=None, filters=Filters(accounts=(off,))))

    assert seen.reasons == {
        (on, OPT_IN): ("complete", None),
        (off, OPT_IN): ("skipped", "region-not-enabled"),
    }
    assert seen.run["coverage_percent"] == 100
    proofs = [call for call in seen.calls if call.operation == "GetCallerIdentity" and call.account_id == off]
    assert [call.status for call in proofs] == [200]
    assert alone.run["coverage_percent"] == 0  # nothing to divide by is no success
    assert alone.result.exit_code == 3


async def test_only_what_is_proved_is_skipped(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(10, regions=[HOME, OPT_IN])
    bad_key, no_proof, no_sts, opt_in, opt_in_home, later, denied = (
        account.id for account in estate.accounts if OPT_IN in account.enabled_regions
    )
    unknown, everywhere = FaultKind.UNRECOGNIZED_CLIENT, None

    seen = await auditing(
        estate,
        UNTOLD,
        # A Region that is on by default: the key is bad, whatever else.
        Fault(unknown, bad_key, HOME),
        # The key is refused everywhere, by STS too.
        Fault(unknown, no_proof, everywhere),
        Fault(unknown, no_proof, operation="GetCallerIdentity"),
        # STS says nothing of the key.
        Fault(unknown, no_sts, everywhere),
        Fault(FaultKind.SERVICE_ERROR, no_sts, operation="GetCallerIdentity"),
        Fault(FaultKind.OPT_IN_REQUIRED, opt_in, OPT_IN),
        Fault(FaultKind.OPT_IN_REQUIRED, opt_in_home, HOME),
        Fault(unknown, later, OPT_IN, page=2),
        # Accepted elsewhere means that the key is known there, not that it may read.
        Fault(FaultKind.ACCESS_DENIED, denied, HOME),
        Fault(FaultKind.OPT_IN_REQUIRED, denied, OPT_IN),
    )

    refused, skipped, whole = (
        ("failed", "access-denied"),
        ("skipped", "region-not-enabled"),
        ("complete", None),
    )
    expected = {
        bad_key: (refused, whole),
        no_proof: (refused, refused),
        no_sts: (refused, refused),
        opt_in: (whole, skipped),
        opt_in_home: (refused, whole),
        later: (whole, ("partial", "access-denied")),
        denied: (refused, skipped),
    }
    for account, verdicts in expected.items():
        assert (seen.reasons[account, HOME], seen.reasons[account, OPT_IN]) == verdicts, account
    assert seen.line(opt_in, OPT_IN)["error_code"] == "OptInRequired"
    # Three accounts of the estate have not enabled it, beside the two that are told so.
    assert seen.run["totals"]["targets"]["skipped"] == 5
    assert seen.result.exit_code == 3
