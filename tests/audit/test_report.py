"""The report of real runs: what it has from the history, and where it can't be written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.audit import FormatRequest, RunOptions
from auditor.config import History, SQLiteStore
from auditor.errors import UsageError
from auditor.inventory import Filters
from tests.formats.pages import blocks, details, rows, text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.conftest import Auditing, EstateMaker

REPORT = RunOptions(formats=(FormatRequest("html"),))


async def test_a_report_has_the_nights_before_and_every_finding(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    history = History(SQLiteStore(tmp_path / "history.sqlite3"))
    estate = estate_of(2)
    subset = RunOptions(filters=Filters(regions=("eu-west-1",)))
    first = await auditing(estate, history=history)
    await auditing(estate, history=history, options=subset)
    third = await auditing(estate, history=history, options=REPORT)
    page = (third.result.folder / "report.html").read_bytes()
    made = [row | rest for row, rest in zip(rows(page), details(page), strict=True)]
    assert made == third.findings
    (about,) = blocks(page, "about")
    past = json.loads(about)["past"]
    assert past[0]["run_id"] == first.run["run_id"]
    assert [each["is_subset"] for each in past] == [False, True, False]
    assert [each["open"] for each in past] == [len(estate.truth)] * 3
    assert [each["new"] for each in past] == [len(estate.truth), 0, 0]
    assert [each["coverage_percent"] for each in past] == [100] * 3
    assert "Is the audit complete? + Complete" in text(page)
    assert "What is new? 0 new" in text(page)
    assert third.run["caller_arn"] in text(page)


async def test_a_first_night_has_no_trend_and_says_so(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    history = History(SQLiteStore(tmp_path / "history.sqlite3"))
    seen = await auditing(estate_of(1), history=history, options=REPORT)
    page = text((seen.result.folder / "report.html").read_bytes())
    assert "This is the first run in its history." in page
    assert f"{len(seen.findings)} new" in page


async def test_a_report_that_cannot_be_written_stops_the_run_before_it_begins(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("mine", "utf-8")
    place = tmp_path / "taken" / "report.html"
    options = replace(REPORT, formats=(FormatRequest("html", str(place)),))
    with pytest.raises(UsageError, match="Not a directory") as raised:
        await auditing(estate_of(1), options=options)
    assert str(place) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (tmp_path / "taken").read_text("utf-8") == "mine"
