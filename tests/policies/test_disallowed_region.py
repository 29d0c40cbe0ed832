from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.model import IMAGES, SNAPSHOTS, ExportRecord, Facts
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "disallowed-region"


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


def test_a_copy_in_another_region_than_those_allowed_is_found(judge: Judge, facts: MakeFacts) -> None:
    there = copy(facts(image={}))
    assert judge(ID, there, allowed_regions=["eu-central-1", "eu-west-1"]) == ([], {})
    ((found,), _) = judge(ID, there, allowed_regions=["us-east-1", "eu-central-1"])
    assert found.breach.message == "The export of nightly lies in eu-west-1, which is not allowed."
    assert found.breach.evidence["allowed_regions"] == ["eu-central-1", "us-east-1"]
    assert found.breach.remediation == (
        "aws ec2 deregister-image --image-id ami-1 --delete-associated-snapshots --region eu-west-1"
    )


def test_the_region_of_the_arn_does_where_the_location_is_missing(judge: Judge, facts: MakeFacts) -> None:
    arn = "arn:aws:lightsail:us-east-1:111122223333:ExportSnapshotRecord/1"
    nowhere = copy(facts(image={}), location=None, arn=arn)
    ((found,), _) = judge(ID, nowhere, allowed_regions=["eu-west-1"])
    assert found.breach.evidence["region"] == "us-east-1"
    assert judge(ID, nowhere, allowed_regions=["us-east-1"]) == ([], {})


@pytest.mark.parametrize("arn", ["arn:record", "arn:aws:lightsail::1:x", "a:b:c:us-east-1:e:f"])
def test_a_record_that_lies_nowhere_is_unjudged(arn: str, judge: Judge, facts: MakeFacts) -> None:
    nowhere = copy(facts(image={}), location={}, arn=arn)
    assert judge(ID, nowhere, allowed_regions=["us-east-1"]) == ([], {ID: 1})


def test_an_export_that_failed_or_whose_copy_was_deleted_lies_nowhere(judge: Judge, facts: MakeFacts) -> None:
    gone = facts(image=None, snapshots=None)
    assert judge(ID, copy(gone), allowed_regions=["us-east-1"]) == ([], {})
    failed = copy(gone, state="Failed", destinationInfo=None)
    assert judge(ID, failed, allowed_regions=["us-east-1"]) == ([], {})
    started = copy(facts(), state="Started")
    assert len(judge(ID, started, allowed_regions=["us-east-1"])[0]) == 1


def test_where_all_is_allowed_nothing_is_asked_for_and_nothing_found(judge: Judge, facts: MakeFacts) -> None:
    policy, settings = catalogue()[ID].policy, catalogue()[ID].settings_type
    every: list[dict[str, Any]] = [{}, {"allowed_regions": None}, {"allowed_regions": []}]
    for allowed in every:
        assert judge(ID, copy(facts(image={})), **allowed) == ([], {})
        assert policy.needs(settings.model_validate(allowed)) == frozenset()
    assert policy.needs(settings.model_validate({"allowed_regions": ["us-east-1"]})) == {IMAGES, SNAPSHOTS}


@pytest.mark.parametrize("refused", [["Frankfurt"], [1], "us-east-1", ["us-east-1a"]], ids=repr)
def test_what_is_no_region_is_refused(refused: object) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type.model_validate({"allowed_regions": refused})
