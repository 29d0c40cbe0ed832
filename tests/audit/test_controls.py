"""What is said of a control: neither a gap, nor what a run left out, nor what nobody could list is a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit.controls import COLUMNS, Controls
from auditor.model import EXPORT_RECORDS, IMAGES, LIST_ACCOUNTS
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY = "stuck-export"


def rows(*lines: Mapping[str, Any], is_subset: bool = False) -> list[dict[str, str]]:
    controls = Controls({POLICY: catalogue()[POLICY].settings_type()}, is_subset=is_subset)
    for line in lines:
        controls.covered(line)
    return [dict(zip(COLUMNS, row, strict=True)) for row in controls.rows()]


def line(verdict: str, source: str = EXPORT_RECORDS, **other: Any) -> dict[str, Any]:
    told = {"account_id": "111122223333", "region": "us-east-1", "unjudged": {}}
    return told | {"verdict": verdict, "source": source} | other


READ = line("complete")


def test_what_was_read_to_its_end_and_holds_nothing_has_passed() -> None:
    told = rows(READ, line("failed", IMAGES))  # which this policy does not need
    assert told
    assert {(row["result"], row["places_passed"]) for row in told} == {("passed", "1")}


@pytest.mark.parametrize(
    "gap",
    [
        line("failed", region="eu-west-1"),
        line("partial", region="eu-west-1"),
        line("complete", region="eu-west-1", unjudged={POLICY: 2}),
        line("failed", LIST_ACCOUNTS, account_id="unknown"),
    ],
    ids=["failed", "partial", "unjudged", "organization"],
)
def test_a_gap_is_no_pass(gap: dict[str, Any]) -> None:
    told = rows(READ, gap)
    assert {(row["result"], row["places_passed"], row["places_not_seen"]) for row in told} == {
        ("not all seen", "1", "1")
    }


def test_a_subset_has_passed_nothing() -> None:
    assert {row["result"] for row in rows(READ, is_subset=True)} == {"not all seen"}


def test_where_there_is_nothing_to_read_nothing_has_passed() -> None:
    told = rows(READ, line("skipped", region="ap-southeast-3"))
    assert {(row["places_passed"], row["places_with_nothing_to_read"]) for row in told} == {("1", "1")}
    assert {row["result"] for row in rows(line("skipped"))} == {"nothing to read"}
