"""Evidence as it was recorded has no fault, whatever went wrong that night; and any change of it is named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from auditor.evidence.verifying import faults_of
from auditor.simulator.faults import Fault, FaultKind
from tests.evidence.conftest import estate_of

if TYPE_CHECKING:
    from tests.evidence.conftest import Record

ALL = "\npolicies:\n  unused-export: {severity: low}\n  public-export: {sharing: true}\n"
NIGHTS: dict[str, tuple[Fault, ...]] = {
    "quiet": (),
    "passing": (
        Fault(FaultKind.THROTTLE, region="us-east-1", page=2, times=2),
        Fault(FaultKind.CUT_BODY, region="us-east-1", page=1, times=1),
        Fault(FaultKind.NOT_JSON, region="eu-west-1", times=1),
        Fault(FaultKind.TOKEN_REJECTED, region="eu-west-1", page=2, times=1),
        Fault(FaultKind.EXPIRED, region="us-east-1", page=2, times=1),
        Fault(FaultKind.EMPTY_PAGE, region="eu-west-1", times=1),
    ),
    "staying": (
        Fault(FaultKind.TOKEN_LOOP, region="us-east-1"),
        Fault(FaultKind.TOKEN_REJECTED, region="eu-west-1", page=2),
        Fault(FaultKind.UNRECOGNIZED_CLIENT, region="ap-southeast-3"),
    ),
    "refused": (
        Fault(FaultKind.ACCESS_DENIED, region="us-east-1"),
        Fault(FaultKind.REGION_SETUP_IN_PROGRESS, region="eu-west-1", page=2),
        Fault(FaultKind.SERVICE_ERROR, operation="DescribeImages", times=1),
        Fault(FaultKind.ACCESS_DENIED, operation="DescribeSnapshots"),
        Fault(FaultKind.OPT_IN_REQUIRED, region="ap-southeast-3"),
    ),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_what_was_recorded_has_no_fault_whatever_went_wrong(record: Record, night: str) -> None:
    estate = estate_of(afterlife=True) if night != "staying" else estate_of()
    run = record(*NIGHTS[night], estate=estate)

    assert list(faults_of(run.folder, allow_unsigned=True)) == []
    (unsigned,) = faults_of(run.folder)
    assert unsigned.startswith("the signature: there is none")


def test_a_role_that_is_refused_is_proved_by_what_sts_said(record: Record) -> None:
    estate = estate_of()
    refused, wrong, _ = estate.accounts
    faults = (
        Fault(FaultKind.ACCESS_DENIED, refused.id, operation="AssumeRole"),
        Fault(FaultKind.WRONG_ACCOUNT, wrong.id, operation="AssumeRole"),
    )

    run = record(*faults, estate=estate)

    reasons = {line["reason"] for line in run.lines("coverage.jsonl")}
    assert reasons >= {"role-not-assumable", "wrong-account"}
    assert list(faults_of(run.folder, allow_unsigned=True)) == []


def test_a_run_that_ends_at_its_deadline_has_evidence_all_the_same(record: Record) -> None:
    run = record(Fault(FaultKind.HANG, region="eu-west-1"), deadline=timedelta(seconds=1.5))

    assert {line["reason"] for line in run.lines("coverage.jsonl")} >= {"deadline"}
    assert list(faults_of(run.folder, allow_unsigned=True)) == []
