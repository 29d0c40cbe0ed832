"""The estate of the simulator, audited to exactly what its generator says is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.audit import RunOptions
from auditor.simulator.estate import Expected
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.audit.conftest import Auditing, EstateMaker

SURVIVED = [
    Fault(FaultKind.THROTTLE, times=2),
    Fault(FaultKind.SERVICE_ERROR, times=2),
    Fault(FaultKind.SERVICE_ERROR, times=1, status=503, page=2),
    Fault(FaultKind.RESET, times=2),
    Fault(FaultKind.CUT_BODY, times=2, page=2),
    Fault(FaultKind.CUT_JSON, times=2),
    Fault(FaultKind.NOT_JSON, times=2),
    Fault(FaultKind.NOT_UTF8, times=2),
    Fault(FaultKind.MISSING_KEY, times=2, page=2),
    Fault(FaultKind.EMPTY_PAGE, times=3),
    Fault(FaultKind.EXPIRED, times=1),
    Fault(FaultKind.TOKEN_REJECTED, times=1),
    Fault(FaultKind.LATENCY, seconds=0.05),
    Fault(FaultKind.THROTTLE, operation="AssumeRole", times=2),
    Fault(FaultKind.SERVICE_ERROR, operation="AssumeRole", times=2),
    Fault(FaultKind.RESET, operation="AssumeRole", times=1),
    Fault(FaultKind.CUT_JSON, operation="AssumeRole", times=1),
    Fault(FaultKind.NOT_JSON, operation="AssumeRole", times=1),
]

FATAL = {
    FaultKind.THROTTLE: "throttled",
    FaultKind.SERVICE_ERROR: "service-error",
    FaultKind.RESET: "network-error",
    FaultKind.CUT_BODY: "bad-response",
    FaultKind.CUT_JSON: "bad-response",
    FaultKind.NOT_JSON: "bad-response",
    FaultKind.NOT_UTF8: "bad-response",
    FaultKind.MISSING_KEY: "bad-response",
    FaultKind.TOKEN_LOOP: "page-token-loop",
    FaultKind.TOKEN_REJECTED: "page-token-rejected",
    FaultKind.EXPIRED: "expired-credentials",
    FaultKind.ACCESS_DENIED: "access-denied",
    FaultKind.UNAUTHENTICATED: "unauthenticated",
    FaultKind.UNRECOGNIZED_CLIENT: "access-denied",
    FaultKind.NOT_FOUND: "not-found",
    FaultKind.OPERATION_FAILURE: "service-error",
    FaultKind.ACCOUNT_SETUP_IN_PROGRESS: "account-setup-in-progress",
    FaultKind.REGION_SETUP_IN_PROGRESS: "region-setup-in-progress",
    FaultKind.OPT_IN_REQUIRED: "access-denied",
    FaultKind.REQUEST_EXPIRED: "clock-skew",
    FaultKind.INVALID_SIGNATURE: "access-denied",
}


async def test_an_estate_without_faults_is_found_out_exactly(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(4, records_per_target=40)

    seen = await auditing(estate)

    assert seen.found == estate.truth
    assert len(seen.findings) == len(seen.found)
    assert set(seen.reasons.values()) == {("complete", None)}
    assert {line["records"] for line in seen.coverage} == {40}
    assert {line["pages"] for line in seen.coverage} == {6}
    assert seen.run["totals"]["records"] == 320
    assert seen.run["coverage_percent"] == 100
    assert seen.result.exit_code == 1


@pytest.mark.parametrize("fault", SURVIVED, ids=lambda fault: f"{fault.operation}-{fault.kind}-{fault.page}")
async def test_a_fault_that_passes_costs_no_finding_and_makes_none(
    auditing: Auditing, estate_of: EstateMaker, fault: Fault
) -> None:
    estate = estate_of(2)

    seen = await auditing(estate, fault)

    assert any(call.fault is fault.kind for call in seen.calls) or fault.kind is FaultKind.LATENCY
    assert seen.found == estate.truth
    assert len(seen.findings) == len(seen.found)
    assert set(seen.reasons.values()) == {("complete", None)}
    assert {line["records"] for line in seen.coverage} == {20}


async def test_a_fault_that_stays_is_a_gap_of_its_target_alone(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2 * len(FATAL), regions=["us-east-1", "eu-west-1"])
    at_once, later = estate.accounts[: len(FATAL)], estate.accounts[len(FATAL) :]
    needs_token = {FaultKind.TOKEN_LOOP, FaultKind.TOKEN_REJECTED}
    faults = [
        Fault(kind, account.id, "us-east-1", page=None if kind in needs_token or group is at_once else 2)
        for group in (at_once, later)
        for kind, account in zip(FATAL, group, strict=True)
    ]

    seen = await auditing(estate, *faults)

    for group in (at_once, later):
        for (kind, reason), account in zip(FATAL.items(), group, strict=True):
            partly = kind in needs_token or group is later
            assert seen.line(account.id, "us-east-1")["reason"] == reason, kind
            assert seen.line(account.id, "us-east-1")["verdict"] == ("partial" if partly else "failed"), kind
            assert seen.reasons[account.id, "eu-west-1"] == ("complete", None), kind
    whole = {expected for expected in estate.truth if expected.region == "eu-west-1"}
    assert whole <= seen.found
    assert seen.result.exit_code == 3
    assert 3 in seen.run["exit_conditions"]
    assert 1 in seen.run["exit_conditions"]


async def test_what_was_read_of_a_partial_target_is_audited(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, regions=["us-east-1"])
    account = estate.accounts[0]
    first_page = {record["arn"] for record in account.records["us-east-1"][:7]}

    seen = await auditing(estate, Fault(FaultKind.ACCESS_DENIED, page=2))

    assert seen.reasons == {(account.id, "us-east-1"): ("partial", "access-denied")}
    assert {finding["resource_arn"] for finding in seen.findings} <= first_page
    # A policy that judges records one by one finds on the first page what it would find in all of it.
    alone = {
        one for one in estate.truth if one.policy != "stale-failed-export" and one.resource_arn in first_page
    }
    assert alone <= seen.found
    assert alone
    for finding in seen.findings:
        if finding["policy"] == "stale-failed-export":
            assert finding["evidence"]["target_read_completely"] is False


async def test_records_that_no_policy_was_written_for_are_neither_lost_nor_passed(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, oddities=True, records_per_target=60)

    seen = await auditing(estate)

    assert seen.found == estate.truth
    unjudged: dict[tuple[str, str], dict[str, int]] = {}
    for expected in estate.unjudgeable:
        counts = unjudged.setdefault((expected.account_id, expected.region), {})
        counts[expected.policy] = counts.get(expected.policy, 0) + 1
    assert {(line["account_id"], line["region"]): line["unjudged"] for line in seen.coverage} == unjudged
    assert estate.unjudgeable
    assert seen.run["totals"]["unjudged"]["records"] == len({one.resource_arn for one in estate.unjudgeable})
    assert seen.run["totals"]["unknown_states"]
    assert 3 in seen.run["exit_conditions"]
    raw = (seen.result.folder / "findings.jsonl").read_bytes()
    assert not any(hostile in raw for hostile in (b"\x1b", "\u202e".encode(), "\u2028".encode()))


async def test_unjudged_records_can_be_allowed(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(1, oddities=True, records_per_target=60, regions=["us-east-1"])
    count = len({one.resource_arn for one in estate.unjudgeable})

    seen = await auditing(estate, options=RunOptions(max_unjudged=count, fail_on=None))
    one_more = await auditing(estate, options=RunOptions(max_unjudged=count - 1, fail_on=None))

    assert seen.result.exit_code == 0
    assert one_more.result.exit_code == 3


async def test_a_run_of_a_subset_says_so_and_touches_nothing_else(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    from auditor.inventory import Filters  # noqa: PLC0415 -- used here alone

    estate = estate_of(3)
    chosen = estate.accounts[1].id
    filters = Filters(policies=("oversized-disk",), accounts=(chosen,), regions=("eu-west-1",))

    seen = await auditing(estate, options=RunOptions(filters=filters))

    assert seen.found == {
        one
        for one in estate.truth
        if (one.policy, one.account_id, one.region) == ("oversized-disk", chosen, "eu-west-1")
    }
    assert {(call.account_id, call.region) for call in seen.calls if call.page} == {(chosen, "eu-west-1")}
    assert seen.run["scope"]["kind"] == "subset"
    assert seen.run["scope"]["filters"] == {
        "policies": ["oversized-disk"],
        "accounts": [chosen],
        "regions": ["eu-west-1"],
    }
    assert seen.run["scope"]["accounts_not_planned"] == [a.id for a in estate.accounts if a.id != chosen]
    assert "us-east-1" in seen.run["scope"]["regions_not_planned"]


async def test_a_record_seen_again_after_a_restart_is_counted_once(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, regions=["us-east-1"])
    account = estate.accounts[0]

    seen = await auditing(estate, Fault(FaultKind.TOKEN_REJECTED, page=3, times=1))

    line = seen.line(account.id, "us-east-1")
    assert (line["verdict"], line["records"], line["pages"], line["requests"]) == ("complete", 20, 5, 6)
    assert len(seen.findings) == len(estate.truth)


async def test_the_ids_of_findings_are_those_of_the_design(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    from hashlib import sha256  # noqa: PLC0415 -- used here alone

    estate = estate_of(1)

    first, second = await auditing(estate), await auditing(estate)

    for finding in first.findings:
        parts = ("aws", finding["account_id"], finding["region"], finding["resource_arn"], finding["policy"])
        assert finding["finding_id"] == sha256("\n".join(parts).encode()).hexdigest()
        event = (finding["finding_id"], finding["run_id"], finding["status"])
        assert finding["event_id"] == sha256("\n".join(event).encode()).hexdigest()
    assert {f["finding_id"] for f in first.findings} == {f["finding_id"] for f in second.findings}
    assert not {f["event_id"] for f in first.findings} & {f["event_id"] for f in second.findings}
    assert all(isinstance(expected, Expected) for expected in first.found)
