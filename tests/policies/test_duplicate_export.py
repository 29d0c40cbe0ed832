from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import ExportRecord, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "duplicate-export"


def copied(
    number: int, created: float, facts: Facts, source: str = "arn:of-it", of: str | None = None
) -> ExportRecord:
    raw = {
        "arn": f"arn:record:{number}",
        "state": "Succeeded",
        "createdAt": created,
        "sourceInfo": {"arn": source, "name": "nightly"},
        "destinationInfo": {"id": of or f"ami-{number}"},
    }
    return ExportRecord(raw, facts)


def test_all_but_the_newest_are_found_whatever_their_order(judge: Judge, facts: MakeFacts, ago: Ago) -> None:
    for order in ((1, 2, 3), (3, 1, 2), (2, 3, 1)):
        records = [copied(n, ago(days=n), facts(image={"id": f"ami-{n}"})) for n in order]
        found, unjudged = judge(ID, *records)
        assert unjudged == {}
        assert sorted(each.breach.record.arn for each in found) == ["arn:record:2", "arn:record:3"]
        for each in found:
            assert each.breach.evidence["newest_copy_id"] == "ami-1"
            assert each.breach.evidence["copies"] == 3


def test_it_says_what_the_surplus_costs_and_how_to_delete_it(
    judge: Judge, facts: MakeFacts, ago: Ago
) -> None:
    old = facts(image={"id": "ami-2"}, snapshots=[{"volume_gb": 20, "tier": "standard"}])
    ((found,), _) = judge(
        ID, copied(2, ago(days=2), old), copied(1, ago(days=1), facts(image={})), complete=False
    )
    assert found.breach.message == "The copy ami-2 of snapshot nightly is one too many: a newer one is there."
    assert found.breach.cost is not None
    assert found.breach.cost.monthly_usd == 1.0
    assert found.breach.remediation == (
        "aws ec2 deregister-image --image-id ami-2 --delete-associated-snapshots"
    )
    assert found.breach.evidence["target_read_completely"] is False


def test_copies_of_the_same_moment_are_told_apart_by_their_arns(
    judge: Judge, facts: MakeFacts, ago: Ago
) -> None:
    both = [copied(n, ago(days=1), facts(image={"id": f"ami-{n}"})) for n in (1, 2)]
    for records in (both, both[::-1]):
        assert [each.breach.record.arn for each in judge(ID, *records)[0]] == ["arn:record:1"]


def test_two_records_of_one_copy_are_no_duplicate(judge: Judge, facts: MakeFacts, ago: Ago) -> None:
    records = [copied(n, ago(days=n), facts(image={}), of="ami-1") for n in (1, 2)]
    assert judge(ID, *records) == ([], {})


def test_one_whose_copy_is_not_known_to_be_there_is_no_duplicate(
    judge: Judge, facts: MakeFacts, ago: Ago
) -> None:
    there = copied(1, ago(days=1), facts(image={}))
    assert judge(ID, there, copied(2, ago(days=2), facts())) == ([], {ID: 1})
    assert judge(ID, there, copied(2, ago(days=2), facts(image=None, snapshots=None))) == ([], {})
