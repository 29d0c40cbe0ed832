from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.model import ExportRecord, Facts
from auditor.policies import Resource, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "repeated-failure"


def tried(
    number: int, created: float, state: str = "Failed", facts: Facts | None = None, **of: Any
) -> ExportRecord:
    raw = {
        "arn": f"arn:record:{number}",
        "state": state,
        "createdAt": created,
        "location": {"regionName": "eu-west-1"},
        "sourceInfo": {"arn": "arn:of-it", "name": "nightly", "resourceType": "DiskSnapshot"} | of,
    }
    return ExportRecord(raw, facts or Facts())


def failures(ago: Ago, *days: int) -> list[ExportRecord]:
    return [tried(each, ago(days=each)) for each in days]


def test_as_many_failures_as_times_are_found_and_one_less_is_not(judge: Judge, ago: Ago) -> None:
    assert judge(ID, *failures(ago, 1, 2)) == ([], {})
    assert len(judge(ID, *failures(ago, 1, 2, 3))[0]) == 1
    assert len(judge(ID, *failures(ago, 1, 2), times=2)[0]) == 1
    assert judge(ID, *failures(ago, 1, 2, 3), times=4) == ([], {})


def test_the_finding_is_of_the_source_and_has_each_reason_that_is_known(
    judge: Judge, ago: Ago, facts: MakeFacts
) -> None:
    told = facts(operation={"error_code": "Bad\x1b", "error_details": "so\u202e"})
    records = [tried(1, ago(days=1), facts=told), tried(2, ago(days=2), facts=facts(operation=None))]
    ((found,), unjudged) = judge(ID, *records, tried(3, ago(days=3)))
    assert unjudged == {}
    assert found.breach.resource == Resource("arn:of-it", "DiskSnapshot", "nightly")
    assert found.breach.message == "At least 3 exports of snapshot nightly failed, and none succeeded since."
    assert found.breach.remediation == (
        "aws lightsail get-operations-for-resource --resource-name nightly --region eu-west-1"
    )
    evidence = found.breach.evidence
    assert evidence["failures"] == 3
    assert evidence["target_read_completely"] is True
    assert [each["reason"] for each in evidence["latest_failures"]] == [  # type: ignore[attr-defined]
        {"error_code": "Bad\\x1b", "error_details": "so\\u202e"},
        None,
        None,
    ]


def test_only_what_failed_since_the_last_success_counts(judge: Judge, ago: Ago) -> None:
    for success, found in ((1.5, 0), (2.5, 0), (3, 1), (4, 1)):
        records = [*failures(ago, 1, 2, 3), tried(9, ago(days=success), "Succeeded")]
        assert len(judge(ID, *records)[0]) == found, success
        assert len(judge(ID, *reversed(records))[0]) == found, success


def test_the_failures_of_two_snapshots_are_not_added_up(judge: Judge, ago: Ago) -> None:
    other = [tried(each, ago(days=each), arn="arn:other") for each in (4, 5)]
    assert judge(ID, *failures(ago, 1, 2), *other) == ([], {})


def test_a_success_at_no_known_time_helps_nothing(judge: Judge, ago: Ago) -> None:
    success = tried(9, 0, "Succeeded")
    assert len(judge(ID, *failures(ago, 1, 2, 3), success)[0]) == 1


def test_of_a_thousand_failures_the_latest_are_listed(judge: Judge, ago: Ago) -> None:
    ((found,), _) = judge(ID, *failures(ago, *range(1, 1_001)), complete=False)
    listed: Any = found.breach.evidence["latest_failures"]
    assert [each["record_arn"] for each in listed] == [f"arn:record:{n}" for n in range(1, 21)]
    assert found.breach.evidence["failures"] == 1_000
    assert found.breach.evidence["target_read_completely"] is False


@pytest.mark.parametrize("times", [1, 0, "3", 2.5, True], ids=repr)
def test_times_that_can_not_be_meant_are_refused(times: object) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type.model_validate({"times": times})
