from __future__ import annotations

import csv
import io
import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.made import (
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    FIRST_SEEN,
    GAPS,
    HOSTILE_FINDING,
    LONG_FINDING,
    SUBSET,
    finding,
    written,
)


def rows(*found: Any, **arguments: Any) -> list[dict[str, str]]:
    text = written("csv", found, **arguments).decode()
    read = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for row in read:
        for cell in row.values():
            assert len(cell) <= 32_767
            assert cell.lstrip()[:1] not in set("=+-@＝＋－＠"), cell  # noqa: RUF001
            assert cell.isprintable()
    return read


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_a_row_tells_the_life_of_its_finding(status: str) -> None:
    found = EVERY_STATUS[status]
    row, _ = rows(found)
    assert (row["kind"], row["id"], row["status"]) == ("finding", found.finding_id, found.status)
    kind = found.resolution.kind if found.resolution is not None else None
    assert row["resolution"] == (kind or "")
    assert row["first_seen"] == ("" if status == "untracked" else FIRST_SEEN)
    assert bool(row["waiver"]) == (status == "waived")


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1", "\u2003=1"],  # noqa: RUF001
)
def test_what_would_be_a_formula_is_text(formula: str) -> None:
    row, _ = rows(finding(resource_name=formula))
    assert row["resource_name"].startswith(("'", "\\")), row["resource_name"]


def test_what_is_no_formula_stays_as_it_is() -> None:
    row, _ = rows(finding(resource_name='a "b", c; d|e\'s'))
    assert row["resource_name"] == 'a "b", c; d|e\'s'
    assert row["account_id"] == "111122223333"
    assert json.loads(row["evidence"]) == {"disks": [{"path": "/dev/xvda", "size_gb": 700}]}


def test_what_is_hostile_or_too_long_is_a_row_each() -> None:
    hostile, long, _ = rows(HOSTILE_FINDING, LONG_FINDING)
    assert hostile["message"].startswith(r"\x1b[2J\u2028\x85\u202e")
    assert long["evidence"].endswith("…")
    assert len(written("csv", [HOSTILE_FINDING, LONG_FINDING]).splitlines()) == 4


def test_gaps_are_rows_of_their_own_and_the_run_is_the_last() -> None:
    *gaps, run = rows(coverage=COVERAGE)
    assert len(gaps) == GAPS
    assert {row["kind"] for row in gaps} == {"gap"}
    assert [row["reason"] for row in gaps][:2] == ["role-not-assumable", "throttled"]
    assert gaps[2]["accepted"].startswith("Accepted by security until 2025-06-30")
    assert (gaps[3]["policy"], gaps[3]["unjudged_records"]) == ("stuck-export", "2")
    assert (run["kind"], run["verdict"], run["coverage_percent"]) == ("run", "partial", "33")


def test_a_clean_run_says_that_everything_was_seen() -> None:
    (run,) = rows(coverage=[COMPLETE])
    assert (run["kind"], run["verdict"]) == ("run", "complete")
    assert run["scope"] == "everything that the configuration names"


def test_a_subset_says_so_in_every_row_and_in_one_of_its_own() -> None:
    found, gap, run = rows(finding(), coverage=[COMPLETE], start=SUBSET)
    said = "a subset alone: accounts 111122223333; Regions eu-west-1"
    assert {row["scope"] for row in (found, gap, run)} == {said}
    assert (gap["kind"], gap["reason"], run["verdict"]) == ("gap", "subset", "partial")


def test_another_reader_reads_the_same(tmp_path: Any) -> None:
    path = tmp_path / "findings.csv"
    path.write_bytes(written("csv", [HOSTILE_FINDING, *EVERY_STATUS.values()], coverage=COVERAGE))
    counted = (
        "SELECT kind, count(*) FROM read_csv(?, all_varchar=true, header=true) GROUP BY kind ORDER BY kind"
    )
    assert duckdb.execute(counted, [str(path)]).fetchall() == [
        ("finding", len(EVERY_STATUS) + 1),
        ("gap", GAPS),
        ("run", 1),
    ]


@given(st.text(max_size=50))
def test_no_text_is_a_formula_or_breaks_a_row(text: str) -> None:
    found = finding(resource_arn=text, resource_name=text, account_name=text, message=text, remediation=text)
    row, _ = rows(found)
    assert row["id"] == found.finding_id
