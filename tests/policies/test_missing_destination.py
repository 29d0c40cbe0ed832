from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditor.model import ExportRecord, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "missing-destination"


def copy(facts: Facts, of: str = "ami-1", **fields: Any) -> ExportRecord:
    raw = {
        "arn": "arn:record",
        "state": "Succeeded",
        "createdAt": 1.7e9,
        "location": {"regionName": "eu-west-1"},
        "sourceInfo": {"arn": "arn:of-it", "name": "nightly"},
        "destinationInfo": {"id": of},
    }
    return ExportRecord(raw | fields, facts)


GONE: dict[str, Any] = {"image": None, "snapshots": None}


def test_what_is_gone_is_exported_again_by_the_command(judge: Judge, facts: MakeFacts) -> None:
    ((found,), _) = judge(ID, copy(facts(**GONE)))
    assert found.breach.message == "The copy ami-1 of snapshot nightly is gone, though its export succeeded."
    assert found.breach.evidence == {
        "state": "Succeeded",
        "destination_id": "ami-1",
        "snapshots_that_stayed": [],
    }
    assert found.breach.remediation == (
        "aws lightsail export-snapshot --source-snapshot-name nightly --region eu-west-1"
    )


def test_an_image_of_which_only_snapshots_stayed_is_gone(judge: Judge, facts: MakeFacts) -> None:
    stayed = facts(image=None, snapshots=[{}])
    ((found,), _) = judge(ID, copy(stayed))
    assert found.breach.evidence["snapshots_that_stayed"] == ["snap-1"]
    assert judge(ID, copy(stayed, "snap-1")) == ([], {})


@pytest.mark.parametrize("state", ["Started", "Failed", "Cancelled"])
def test_only_a_success_has_a_copy_to_miss(state: str, judge: Judge, facts: MakeFacts) -> None:
    assert judge(ID, copy(facts(**GONE), state=state)) == ([], {})


@pytest.mark.parametrize("of", ["", "img-1", "AMI-1"])
def test_a_success_that_does_not_say_what_it_became_is_unjudged(
    of: str, judge: Judge, facts: MakeFacts
) -> None:
    assert judge(ID, copy(facts(**GONE), of)) == ([], {ID: 1})


def test_one_older_than_ignore_after_is_left_alone(judge: Judge, facts: MakeFacts, ago: Ago) -> None:
    def at(**back: float) -> tuple[int, dict[str, int]]:
        found, unjudged = judge(ID, copy(facts(**GONE), createdAt=ago(**back)), ignore_after="30d")
        return len(found), unjudged

    assert at(days=30) == (1, {})
    assert at(days=30, seconds=1) == (0, {})
    assert judge(ID, copy(facts(**GONE), createdAt=None), ignore_after="30d") == ([], {ID: 1})
    assert len(judge(ID, copy(facts(**GONE), createdAt=None))[0]) == 1
