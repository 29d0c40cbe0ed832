from __future__ import annotations

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from auditor.model import Resolution, Severity, Status, as_found, event_id, finding_id
from tests.history.conftest import finding


def test_a_finding_is_known_by_the_sha_256_of_what_does_not_change() -> None:
    lines = "aws\n111122223333\nus-east-1\narn:é\nstuck-export"
    expected = hashlib.sha256(lines.encode("utf-8")).hexdigest()
    assert finding_id("aws", "111122223333", "us-east-1", "arn:é", "stuck-export") == expected


def test_an_event_is_known_by_the_sha_256_of_finding_run_and_status() -> None:
    expected = hashlib.sha256(b"abc\nrun-1\nuntracked").hexdigest()
    assert event_id("abc", "run-1", Status.UNTRACKED) == expected


def test_a_finding_in_its_life_differs_in_that_alone() -> None:
    before = finding(resolution=Resolution(None, "not read"))
    now = replace(before, event_id="e", status=Status.REOPENED, first_seen="then", resolution=None)
    assert as_found(before, "e", Status.REOPENED, "then") == now


@given(st.tuples(*[st.text(st.characters(exclude_characters="\n"), max_size=4)] * 5), st.integers(0, 4))
def test_another_value_of_any_part_is_another_finding(parts: tuple[str, ...], changed: int) -> None:
    other = [part + "x" if place == changed else part for place, part in enumerate(parts)]
    assert finding_id(*parts) != finding_id(*other)


@given(st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3))
def test_a_name_that_no_utf_8_can_hold_has_an_id_all_the_same(arn: str) -> None:
    assert len(finding_id("aws", "1", "r", arn, "p")) == 64


def test_severities_are_ordered_gravest_first() -> None:
    order = [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO]
    for place, severity in enumerate(order):
        assert [severity.at_least(other) for other in order] == [place <= rank for rank in range(5)]
