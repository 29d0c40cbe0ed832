from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from auditor.model import ExportRecord, Facts, Severity
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from auditor.policies import Found

    Ago = Callable[..., float]
    Judge = Callable[..., tuple[list[Found], dict[str, int]]]

ID = "stale-failed-export"


def failed(created: object, source: str | None = "arn:snapshot", arn: str = "arn:failed") -> dict[str, Any]:
    return {"arn": arn, "state": "Failed", "createdAt": created, "sourceInfo": {"arn": source}}


def succeeded(created: object, source: str | None = "arn:snapshot") -> dict[str, Any]:
    return {"arn": "arn:ok", "state": "Succeeded", "createdAt": created, "sourceInfo": {"arn": source}}


def found_by(result: tuple[list[Found], dict[str, int]]) -> list[str]:
    found, unjudged = result
    assert unjudged == {}
    return [each.breach.record.arn for each in found]


def test_an_age_of_exactly_max_age_is_allowed(judge: Judge, ago: Ago) -> None:
    assert found_by(judge(ID, failed(ago(days=3)))) == []
    assert found_by(judge(ID, failed(ago(days=3, seconds=1)))) == ["arn:failed"]
    assert found_by(judge(ID, failed(ago(hours=1)), max_age="1h")) == []
    assert found_by(judge(ID, failed(ago(hours=1, seconds=1)), max_age="1h")) == ["arn:failed"]


def test_a_failure_that_is_to_come_is_young(judge: Judge, ago: Ago) -> None:
    assert found_by(judge(ID, failed(ago(days=-400)))) == []


def test_a_later_success_of_the_same_snapshot_ends_it(judge: Judge, ago: Ago) -> None:
    old, later = failed(ago(days=9)), succeeded(ago(days=8, hours=23, minutes=59, seconds=59))
    assert found_by(judge(ID, old, later)) == []
    assert found_by(judge(ID, later, old)) == []


def test_a_success_before_it_or_with_it_does_not_end_it(judge: Judge, ago: Ago) -> None:
    for days in (9, 10):
        assert found_by(judge(ID, failed(ago(days=9)), succeeded(ago(days=days)))) == ["arn:failed"]
        assert found_by(judge(ID, succeeded(ago(days=days)), failed(ago(days=9)))) == ["arn:failed"]


def test_the_latest_of_several_successes_counts(judge: Judge, ago: Ago) -> None:
    for days in ([10, 8, 11], [8, 11, 10], [11, 10, 8]):
        successes = [succeeded(ago(days=back)) for back in days]
        assert found_by(judge(ID, *successes, failed(ago(days=9)))) == []


def test_of_two_failures_only_that_after_the_success_is_found(judge: Judge, ago: Ago) -> None:
    records = [
        failed(ago(days=9), arn="arn:first"),
        succeeded(ago(days=8)),
        failed(ago(days=7), arn="arn:second"),
    ]
    assert found_by(judge(ID, *records)) == ["arn:second"]


def test_a_success_of_another_snapshot_does_not_help(judge: Judge, ago: Ago) -> None:
    assert found_by(judge(ID, failed(ago(days=9)), succeeded(ago(days=1), "arn:other"))) == ["arn:failed"]


def test_a_success_without_a_time_or_a_source_does_not_help(judge: Judge, ago: Ago) -> None:
    for success in (succeeded(None), succeeded(ago(days=1), None), succeeded("yesterday")):
        assert found_by(judge(ID, failed(ago(days=9)), success)) == ["arn:failed"]


@pytest.mark.parametrize("source", [None, "", 7, {}, []], ids=repr)
def test_a_failure_without_a_source_is_found_though_all_else_succeeded(
    source: Any, judge: Judge, ago: Ago
) -> None:
    records = [failed(ago(days=9), source), succeeded(ago(days=1), source), succeeded(ago(days=1))]
    found, unjudged = judge(ID, *records)
    assert unjudged == {}
    (only,) = found
    assert only.breach.message == (
        "The export of a snapshot that it does not name failed, and none succeeded since."
    )
    assert only.breach.evidence["source_snapshot_arn"] is None


@pytest.mark.parametrize("source_info", [None, [], "text", 3], ids=repr)
def test_a_failure_whose_source_is_no_object_is_found(source_info: object, judge: Judge, ago: Ago) -> None:
    record = failed(ago(days=9)) | {"sourceInfo": source_info}
    assert found_by(judge(ID, record)) == ["arn:failed"]


def test_it_names_the_snapshot_or_else_its_arn(judge: Judge, ago: Ago) -> None:
    named = failed(ago(days=9)) | {"sourceInfo": {"arn": "arn:snapshot", "name": "nightly"}}
    found, _ = judge(ID, named, failed(ago(days=9)))
    assert [each.breach.message for each in found] == [
        "The export of snapshot nightly failed, and none succeeded since.",
        "The export of snapshot arn:snapshot failed, and none succeeded since.",
    ]


def test_a_failure_older_than_ignore_after_is_left_alone(judge: Judge, ago: Ago) -> None:
    def at(**back: float) -> list[str]:
        return found_by(judge(ID, failed(ago(**back)), max_age="3d", ignore_after="30d"))

    assert at(days=3) == []
    assert at(days=3, seconds=1) == ["arn:failed"]
    assert at(days=30) == ["arn:failed"]
    assert at(days=30, seconds=1) == []


def test_ignore_after_is_off_by_default(judge: Judge, ago: Ago) -> None:
    assert found_by(judge(ID, failed(ago(days=9_999)))) == ["arn:failed"]


@pytest.mark.parametrize(
    "refused",
    [
        {"ignore_after": "3d"},
        {"ignore_after": "72h"},
        {"ignore_after": "2d"},
        {"max_age": "30d", "ignore_after": "30d"},
        {"max_age": "0d"},
        {"max_age": "-1d"},
        {"max_age": "3"},
        {"max_age": 3},
        {"max_age": None},
        {"severity": "grave"},
        {"enabled": "false"},
        {"maxage": "3d"},
    ],
    ids=repr,
)
def test_settings_that_can_not_be_meant_are_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type(**refused)


def test_it_is_of_high_severity_unless_told_otherwise() -> None:
    settings_type = catalogue()[ID].settings_type
    assert settings_type().severity is Severity.HIGH
    assert settings_type.model_validate({"severity": "low"}).severity is Severity.LOW


def test_its_evidence_is_what_it_rested_on(judge: Judge, ago: Ago) -> None:
    found, _ = judge(ID, succeeded(ago(days=10)), failed(ago(days=9, milliseconds=-250)))
    assert found[0].breach.evidence == {
        "state": "Failed",
        "created_at": "2025-02-20T12:00:00.250000Z",
        "source_snapshot_arn": "arn:snapshot",
        "reason": None,
        "last_success_at": "2025-02-19T12:00:00Z",
        "max_age": "3d",
        "target_read_completely": True,
    }


def test_it_tells_the_reason_of_aws_where_that_is_to_be_had_and_is_judged_where_not(
    judge: Judge, ago: Ago, facts: Callable[..., Facts]
) -> None:
    def reason(**told: Any) -> object:
        ((found,), unjudged) = judge(ID, ExportRecord(failed(ago(days=9)), facts(**told)))
        assert unjudged == {}
        return found.breach.evidence["reason"]

    told = {"error_code": "LimitExceeded", "error_details": "too many\x1b[2J"}
    assert reason(operation=told) == {"error_code": "LimitExceeded", "error_details": "too many\\x1b[2J"}
    assert reason(operation={}) == {"error_code": None, "error_details": None}
    assert reason(operation=None) is None
    assert reason() is None


def test_on_a_target_that_was_not_read_to_its_end_it_concludes_and_says_so(judge: Judge, ago: Ago) -> None:
    found, unjudged = judge(ID, failed(ago(days=9)), complete=False)
    assert unjudged == {}
    assert found[0].breach.evidence["target_read_completely"] is False
    assert found[0].breach.evidence["last_success_at"] is None


@pytest.mark.parametrize("state", ["Cancelled", "failed", "FAILED", "Failed "])
def test_a_state_that_nobody_knows_is_judged_and_is_no_failure(state: str, judge: Judge, ago: Ago) -> None:
    assert found_by(judge(ID, failed(ago(days=9)) | {"state": state})) == []


@pytest.mark.parametrize("state", [None, "", 1, True, ["Failed"], {"Failed": True}], ids=repr)
def test_a_record_without_a_state_is_unjudged(state: object, judge: Judge, ago: Ago) -> None:
    assert judge(ID, failed(ago(days=9)) | {"state": state}) == ([], {ID: 1})


@pytest.mark.parametrize(
    "created",
    [None, "", "2025-01-01T00:00:00Z", True, [], {}, math.nan, math.inf, -math.inf, 1e300, 10**400, 1.7e15],
    ids=repr,
)
def test_a_failure_without_a_usable_time_is_unjudged(created: object, judge: Judge) -> None:
    assert judge(ID, failed(created)) == ([], {ID: 1})


def test_one_unusable_record_does_not_hide_the_others(judge: Judge, ago: Ago) -> None:
    found, unjudged = judge(ID, {}, failed(None), failed(ago(days=9), arn="arn:seen"), "text")
    assert [each.breach.record.arn for each in found] == ["arn:seen"]
    assert unjudged == {ID: 3}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Failed", "Succeeded", "Started"]),
            st.integers(1, 8),
            st.sampled_from(["arn:a", "arn:b", None]),
        ),
        max_size=10,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_what_is_found_does_not_depend_on_the_order_of_records(
    judge: Judge, now: datetime, drawn: list[tuple[str, int, str | None]], random: Any
) -> None:
    day = 86_400
    records = [
        {
            "arn": f"arn:{number}",
            "state": state,
            "createdAt": now.timestamp() - days * day,
            "sourceInfo": {"arn": source},
        }
        for number, (state, days, source) in enumerate(drawn)
    ]
    # Said a second time, without a policy's help: failed more than three days ago, and no success after that.
    true = {
        f"arn:{number}"
        for number, (state, days, source) in enumerate(drawn)
        if state == "Failed"
        and days > 3
        and not (source and any(s == "Succeeded" and d < days and of == source for s, d, of in drawn))
    }
    shuffled = random.sample(records, len(records))
    first, second = (
        {one.breach.record.arn: one.breach for one in judge(ID, *each)[0]} for each in (records, shuffled)
    )
    assert set(first) == true
    assert {arn: (one.message, one.evidence) for arn, one in first.items()} == {
        arn: (one.message, one.evidence) for arn, one in second.items()
    }
