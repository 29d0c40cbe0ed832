"""What a checkpoint says comes back as it was, and what a disk has made of it otherwise is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.checkpoint_lines import (
    Header,
    header_line,
    place_line,
    read_header_line,
    read_place_line,
)
from auditor.audit.place import PlaceEnd
from auditor.audit.tally import Counts
from auditor.errors import UsageError
from auditor.model import EXPORT_RECORDS, Account, Failure, Outcome, Place, Reason

HERE = Path("run/checkpoint.jsonl")
GATES = {"fail_on": "new:high", "min_coverage": 90, "max_unjudged": 5}
HEADER = Header(
    run_id="20261125T010000Z-00000000",
    started_at="2026-11-25T01:00:00Z",
    config_path="/conf/\udcff/accounts.yaml",  # a folder whose name is no UTF-8
    config_digest="d",
    history=None,
    policies={"stuck-export": "a"},
    filters={"policies": [], "accounts": ["111122223333"], "regions": []},
    gates=GATES,
    formats=[("json", "/out/\udcfe.json", None)],
    resumed_at=["2026-11-25T02:00:00Z"],
)
OUTCOMES = {
    EXPORT_RECORDS: Outcome(
        pages=2, records=7, requests=3, retries=1, throttles=1, duration_s=0.5, unjudged={"p": 1}
    ),
    "ec2:DescribeImages": Outcome(failure=Failure(Reason.THROTTLED, "Throttling", "slow down")),
}
COUNTS = Counts(7, Counter({"Odd": 2}), Counter({"p": 1}), 1)


def _place_line() -> bytes:
    account = Account("111122223333", "shop \ud800", "arn", None, "session", 3600, ("eu-west-1",))
    end = PlaceEnd(Place(account, "eu-west-1", tuple(OUTCOMES)), COUNTS, lambda _arn: True)
    return place_line(end, OUTCOMES, 4711)


def test_what_was_asked_comes_back_as_it_was() -> None:
    line = header_line(HEADER)

    assert line.count(b"\n") == 1
    assert read_header_line(line, HERE) == HEADER


def test_what_was_done_comes_back_as_it_was() -> None:
    key, done = read_place_line(_place_line(), HERE)

    assert key == ("111122223333", "eu-west-1")
    assert (done.account_name, done.findings_end, done.counts) == ("shop \ud800", 4711, COUNTS)
    assert done.outcomes == OUTCOMES


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": "soon"},
        {"started_at": 5},
        {"started_at": "2026-11-25T01:00:00"},
        {"run_id": 7},
        {"config_path": None},
        {"policies": []},
        {"filters": []},
        {"filters": {"x": []}},
        {"filters": {"policies": 5, "accounts": [], "regions": []}},
        {"gates": None},
        {"gates": {}},
        {"gates": GATES | {"fail_on": "often"}},
        {"gates": GATES | {"fail_on": 5}},
        {"gates": GATES | {"min_coverage": "90"}},
        {"gates": GATES | {"min_coverage": 101}},
        {"gates": GATES | {"max_unjudged": -1}},
        {"formats": [5]},
        {"formats": [["json"]]},
        {"resumed_at": 7},
    ],
)
def test_a_header_that_no_run_has_written_is_damaged(change: dict[str, Any]) -> None:
    told = json.loads(header_line(HEADER)) | change

    with pytest.raises(UsageError, match=r"run/checkpoint\.jsonl: is damaged; begin a new run"):
        read_header_line(json.dumps(told).encode(), HERE)


@pytest.mark.parametrize("line", [b"", b"\0\0", b"\xff{}", b"[]", b'{"run_id"', b"9" * 5_000])
def test_what_is_no_line_of_a_checkpoint_is_damaged(line: bytes) -> None:
    with pytest.raises(UsageError, match="is damaged"):
        read_header_line(line, HERE)
    with pytest.raises(UsageError, match="is damaged"):
        read_place_line(line, HERE)


@pytest.mark.parametrize(
    "change",
    [
        {"region": None},
        {"records": "seven"},
        {"records": -1},
        {"findings_end": -1},
        {"findings_end": "x"},
        {"unknown_states": []},
        {"unjudged": {"p": "many"}},
        {"targets": 5},
        {"targets": {EXPORT_RECORDS: {"pages": "two"}}},
        {"targets": {EXPORT_RECORDS: {"failure": ["no-such-reason", None, None]}}},
        {"targets": {EXPORT_RECORDS: {"failure": []}}},
    ],
)
def test_a_place_that_no_run_has_written_is_damaged(change: dict[str, Any]) -> None:
    told = json.loads(_place_line()) | change

    with pytest.raises(UsageError, match="is damaged"):
        read_place_line(json.dumps(told).encode(), HERE)
