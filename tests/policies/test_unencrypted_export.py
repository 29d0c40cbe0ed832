from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.model import ExportRecord, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "unencrypted-export"


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


def test_the_snapshots_that_are_not_encrypted_are_listed_and_copied(judge: Judge, facts: MakeFacts) -> None:
    mixed = facts(image={}, snapshots=[{"encrypted": True}, {"encrypted": False}])
    ((found,), unjudged) = judge(ID, copy(mixed))
    assert unjudged == {}
    assert found.breach.evidence == {"image_id": "ami-1", "unencrypted_snapshot_ids": ["snap-2"]}
    assert found.breach.message == "The copy ami-1 of snapshot nightly is not encrypted."
    assert found.breach.remediation == (
        "aws ec2 copy-snapshot --source-snapshot-id snap-2 --source-region eu-west-1 --encrypted"
        " --region eu-west-1"
    )


def test_one_that_is_not_encrypted_is_found_though_another_does_not_say(
    judge: Judge, facts: MakeFacts
) -> None:
    assert len(judge(ID, copy(facts(image={}, snapshots=[{}, {"encrypted": False}])))[0]) == 1
    assert judge(ID, copy(facts(image={}, snapshots=[{}, {"encrypted": True}]))) == ([], {ID: 1})


def test_an_image_that_hides_one_of_its_snapshots_is_unjudged(judge: Judge, facts: MakeFacts) -> None:
    hidden = facts(image={"snapshot_ids": ("snap-1", "snap-2")}, snapshots=[{"encrypted": True}])
    assert judge(ID, copy(hidden)) == ([], {ID: 1})


def test_an_export_without_a_copy_breaks_nothing(judge: Judge, facts: MakeFacts) -> None:
    for state in ("Started", "Failed", "Cancelled"):
        none = copy(facts(image=None, snapshots=None), state=state, destinationInfo=None)
        assert judge(ID, none) == ([], {})


def test_nothing_under_an_id_of_no_known_kind_shows_nothing(judge: Judge, facts: MakeFacts) -> None:
    assert judge(ID, copy(facts(image=None, snapshots=None), of="img-1")) == ([], {ID: 1})
