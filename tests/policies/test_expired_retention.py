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

ID = "expired-retention"


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


def test_an_age_of_exactly_max_age_is_allowed(judge: Judge, facts: MakeFacts, ago: Ago) -> None:
    def at(age: float, **settings: Any) -> int:
        return len(judge(ID, copy(facts(image={"created": age})), **settings)[0])

    assert (at(ago(days=365)), at(ago(days=365, seconds=1))) == (0, 1)
    assert (at(ago(days=30), max_age="30d"), at(ago(days=30, seconds=1), max_age="30d")) == (0, 1)


def test_it_tells_when_the_copy_was_made_and_deletes_it_whole(judge: Judge, facts: MakeFacts) -> None:
    ((found,), _) = judge(ID, copy(facts(image={"created": "400d ago"}, snapshots=[{}])))
    assert found.breach.message == "The copy ami-1 of snapshot nightly is older than 365d."
    assert found.breach.evidence == {
        "image_id": "ami-1",
        "snapshot_ids": ["snap-1"],
        "made_at": "2024-01-26T12:00:00Z",
        "max_age": "365d",
    }
    assert found.breach.remediation == (
        "aws ec2 deregister-image --image-id ami-1 --delete-associated-snapshots --region eu-west-1"
    )


def test_what_stayed_of_an_image_is_as_old_as_any_of_its_snapshots(judge: Judge, facts: MakeFacts) -> None:
    stayed = facts(image=None, snapshots=[{"started": "9d ago"}, {}, {"started": "400d ago"}])
    ((found,), _) = judge(ID, copy(stayed))
    assert found.breach.remediation == " && ".join(
        f"aws ec2 delete-snapshot --snapshot-id snap-{n} --region eu-west-1" for n in (1, 2, 3)
    )
    undated = facts(image=None, snapshots=[{"started": "9d ago"}, {}])
    assert judge(ID, copy(undated)) == ([], {ID: 1})


@pytest.mark.parametrize("state", ["Started", "Failed"])
def test_an_export_without_a_copy_breaks_nothing(state: str, judge: Judge, facts: MakeFacts) -> None:
    none = copy(facts(image=None, snapshots=None), state=state, destinationInfo=None)
    assert judge(ID, none) == ([], {})
