"""What is cut of an event that is too large, and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.delivery.fitting import body_of, fitted
from auditor.history import Event


def _finding(**how: Any) -> bytes:
    told = {
        "schema": "auditor.finding/1",
        "finding_id": "f",
        "message": "it is public",
        "evidence": {"a": "b"},
    }
    return json.dumps(told | how).encode()


def _cut(body: bytes, most: int) -> dict[str, Any]:
    cut = fitted(body, most)
    assert cut is not None
    assert len(cut) <= most
    told: dict[str, Any] = json.loads(cut)
    return told


def test_what_fits_is_left_as_it_is() -> None:
    body = _finding()
    assert fitted(body, len(body)) == body


def test_evidence_goes_first_and_the_message_stays() -> None:
    told = _cut(_finding(evidence={"disks": ["x" * 500]}), 200)
    assert told == {
        "schema": "auditor.finding/1",
        "finding_id": "f",
        "message": "it is public",
        "evidence": {},
        "truncated": True,
    }


def test_the_message_is_cut_where_that_is_not_enough() -> None:
    told = _cut(_finding(message="m" * 5_000), 1_000)
    assert told["evidence"] == {}
    assert set(told["message"]) == {"m", "…"}
    assert 800 < len(told["message"]) < 1_000


def test_a_gap_loses_the_end_of_what_aws_said() -> None:
    body = json.dumps({"schema": "auditor.gap/1", "gap_id": "g", "error_message": "e" * 900}).encode()
    told = _cut(body, 500)
    assert told["gap_id"] == "g"
    assert told["error_message"].startswith("eee")
    assert told["truncated"] is True


def test_a_gap_of_very_many_accounts_loses_their_list_and_says_how_many_targets_it_has() -> None:
    accounts = [f"{number:012}" for number in range(5_000)]
    told = {
        "schema": "auditor.gap/1",
        "gap_id": "g",
        "error_message": "lost",
        "accounts": accounts,
        "targets": 7,
    }
    assert _cut(json.dumps(told).encode(), 500) == told | {"accounts": [], "truncated": True}


def test_a_run_loses_its_lists_and_says_all_the_same_what_it_looked_at() -> None:
    scope = {"kind": "subset", "filters": {"accounts": ["1"] * 50}, "accounts_not_planned": ["2"] * 500}
    body = json.dumps({"schema": "auditor.run/1", "run_id": "r", "scope": scope, "waivers": {}}).encode()
    told = _cut(body, 400)
    assert told["scope"] == {"kind": "subset", "filters": {"accounts": []}, "accounts_not_planned": []}
    assert told["truncated"] is True


def test_what_is_too_large_without_all_that_is_given_up() -> None:
    assert fitted(_finding(remediation="r" * 5_000), 1_000) is None


def test_what_is_in_ocsf_already_is_cut_as_well_where_an_envelope_leaves_no_room() -> None:
    body = {
        "class_uid": 2003,
        "message": "m" * 900,
        "unmapped": {"evidence": {"x": "y" * 900}, "waiver": None},
    }
    told = _cut(json.dumps(body).encode(), 500)
    assert told["unmapped"] == {"evidence": {}, "waiver": None, "truncated": True}
    assert set(told["message"]) == {"m", "…"}
    run = {"class_uid": 6007, "message": "m", "unmapped": {"run": {"scope": {"accounts": ["1"] * 900}}}}
    assert _cut(json.dumps(run).encode(), 500)["unmapped"] == {
        "run": {"scope": {"accounts": []}},
        "truncated": True,
    }


@given(st.text(min_size=100, max_size=3_000), st.integers(1_000, 9_000))
def test_what_is_cut_is_never_larger_than_it_may_be_and_still_json(message: str, most: int) -> None:
    body = body_of(Event("e", "finding", _finding(message=message), "f"))
    told = _cut(body, most)
    assert told["finding_id"] == "f"
    assert ("truncated" in told) == (len(body) > most)


@pytest.mark.parametrize("hostile", ["\x7f", "\u2028", "\u202e"])
def test_what_is_hostile_is_sent_escaped(hostile: str) -> None:
    body = json.dumps({"message": f"a{hostile}b"}, ensure_ascii=False).encode()
    sent = body_of(Event("e", "finding", body, "f"))
    assert sent.isascii()
    assert json.loads(sent) == {"message": f"a{hostile}b"}
