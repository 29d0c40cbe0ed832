from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from auditor.model import ExportRecord, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "only-copy"


def copied(number: int, facts: Facts, of: str | None = None) -> ExportRecord:
    raw = {
        "arn": f"arn:record:{number}",
        "state": "Succeeded",
        "sourceInfo": {"arn": "arn:of-it", "name": "nightly"},
        "destinationInfo": {"id": of or f"ami-{number}"},
    }
    return ExportRecord(raw, facts)


def test_the_last_copy_of_what_is_gone_is_found_and_protected(judge: Judge, facts: MakeFacts) -> None:
    ((found,), _) = judge(ID, copied(1, facts(image={}, source=None)), complete=False)
    assert found.breach.message == (
        "The copy ami-1 of snapshot nightly is the only one, and the snapshot itself is gone."
    )
    assert found.breach.remediation == "aws ec2 enable-image-deregistration-protection --image-id ami-1"
    assert found.breach.evidence["target_read_completely"] is False
    disk = facts(image=None, snapshots=[{}], source=None)
    ((found,), _) = judge(ID, copied(1, disk, "snap-1"))
    assert found.breach.remediation == (
        "aws ec2 lock-snapshot --snapshot-id snap-1 --lock-mode governance --lock-duration 365"
    )
    assert found.breach.evidence["target_read_completely"] is True


def test_of_several_copies_none_is_the_only_one(judge: Judge, facts: MakeFacts) -> None:
    three = [copied(n, facts(image={"id": f"ami-{n}"}, source=None)) for n in (1, 2, 3)]
    for records in itertools.permutations(three):
        assert judge(ID, *records) == ([], {})


def test_a_copy_that_may_be_there_keeps_the_other_from_being_the_only_one(
    judge: Judge, facts: MakeFacts
) -> None:
    records = [copied(1, facts(image={}, source=None)), copied(2, facts(source=None))]
    for order in (records, records[::-1]):
        assert judge(ID, *order) == ([], {ID: 1})


def test_copies_that_were_deleted_do_not_count(judge: Judge, facts: MakeFacts) -> None:
    gone = copied(2, facts(image=None, snapshots=None, source=None))
    assert len(judge(ID, copied(1, facts(image={}, source=None)), gone)[0]) == 1


def test_two_records_of_one_copy_are_one_finding_whatever_their_order(judge: Judge, facts: MakeFacts) -> None:
    both = [copied(n, facts(image={}, source=None), "ami-1") for n in (1, 2)]
    for order in (both, both[::-1]):
        assert [each.breach.record.arn for each in judge(ID, *order)[0]] == ["arn:record:1"]


def test_what_is_still_in_lightsail_is_no_last_copy(judge: Judge, facts: MakeFacts) -> None:
    assert judge(ID, copied(1, facts(image={}, source={}))) == ([], {})
