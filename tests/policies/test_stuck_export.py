from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.model import Severity
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Ago = Callable[..., float]
    Judge = Callable[..., tuple[list[Found], dict[str, int]]]

ID = "stuck-export"


def record(created: object, state: object = "Started") -> dict[str, Any]:
    return {"arn": "arn:record", "name": "export-1", "state": state, "createdAt": created}


def test_an_age_of_exactly_max_age_is_allowed(judge: Judge, ago: Ago) -> None:
    assert judge(ID, record(ago(hours=24))) == ([], {})
    assert len(judge(ID, record(ago(hours=24, seconds=1)))[0]) == 1
    assert judge(ID, record(ago(days=7)), max_age="7d") == ([], {})
    assert len(judge(ID, record(ago(days=7, seconds=1)), max_age="7d")[0]) == 1


def test_an_export_that_ended_however_long_ago_is_not_stuck(judge: Judge, ago: Ago) -> None:
    for state in ("Succeeded", "Failed"):
        assert judge(ID, record(ago(days=999), state)) == ([], {})


def test_an_export_that_ended_needs_no_time(judge: Judge) -> None:
    assert judge(ID, record(None, "Succeeded")) == ([], {})


def test_a_state_that_nobody_knows_is_judged_and_is_not_started(judge: Judge, ago: Ago) -> None:
    for state in ("Queued", "started"):
        assert judge(ID, record(ago(days=999), state)) == ([], {})


@pytest.mark.parametrize("state", [None, "", 1, True, ["Started"], {}], ids=repr)
def test_a_record_without_a_state_is_unjudged(state: object, judge: Judge, ago: Ago) -> None:
    assert judge(ID, record(ago(days=9), state)) == ([], {ID: 1})


@pytest.mark.parametrize(
    "created",
    [None, "", "2025-01-01T00:00:00Z", True, [], {}, math.nan, math.inf, -math.inf, 1e300, 10**400, 1.7e15],
    ids=repr,
)
def test_an_export_without_a_usable_time_is_unjudged(created: object, judge: Judge) -> None:
    assert judge(ID, record(created)) == ([], {ID: 1})


def test_its_evidence_and_message_say_what_it_rested_on(judge: Judge, ago: Ago) -> None:
    ((found,), unjudged) = judge(ID, record(ago(days=2)), max_age="36h")
    assert unjudged == {}
    assert found.breach.evidence == {
        "state": "Started",
        "created_at": "2025-02-27T12:00:00Z",
        "max_age": "36h",
    }
    assert found.breach.message == "The export of export-1 started and has not ended."


def test_it_names_the_snapshot_rather_than_the_record(judge: Judge, ago: Ago) -> None:
    named = record(ago(days=2)) | {"sourceInfo": {"name": "nightly"}}
    nameless = record(ago(days=2)) | {"name": None}
    messages = [each.breach.message for each in judge(ID, named, nameless)[0]]
    assert messages == [
        "The export of nightly started and has not ended.",
        "The export of a snapshot started and has not ended.",
    ]


@pytest.mark.parametrize(
    "refused", [{"max_age": "0h"}, {"max_age": "24"}, {"max_age": 24}, {"ignore_after": "9d"}], ids=repr
)
def test_settings_that_can_not_be_meant_are_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type(**refused)


def test_it_is_of_medium_severity() -> None:
    assert catalogue()[ID].settings_type().severity is Severity.MEDIUM
