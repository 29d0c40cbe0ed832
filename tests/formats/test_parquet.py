from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pyarrow import parquet

from auditor.audit import FormatRequest
from auditor.audit.asked import check_formats
from auditor.errors import UsageError
from auditor.formats import formats
from tests.formats.made import (
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    GAPS,
    HOSTILE,
    HOSTILE_FINDING,
    LONG_FINDING,
    RUN,
    START,
    SUBSET,
    finding,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, query: str, *found: Any, **arguments: Any) -> list[Any]:
    """What DuckDB answers, asked of `findings`."""
    path = folder / "findings.parquet"
    path.write_bytes(written("parquet", found, **arguments))
    return duckdb.execute(query.replace("findings", f"'{path}'")).fetchall()


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_a_row_tells_the_life_of_its_finding(tmp_path: Path, status: str) -> None:
    found = EVERY_STATUS[status]
    query = """
        SELECT id, status, resolution, waiver IS NOT NULL, epoch(first_seen), epoch(observed_at)
        FROM findings WHERE kind = 'finding'
    """
    ((known_as, told, kind, waived, first_seen, observed_at),) = read(tmp_path, query, found)
    assert (known_as, told) == (found.finding_id, found.status)
    assert kind == (found.resolution.kind if found.resolution is not None else None)
    assert waived == (status == "waived")
    assert first_seen == (None if status == "untracked" else 1_738_411_200)
    assert observed_at == 1_740_830_400


def test_times_and_numbers_have_types(tmp_path: Path) -> None:
    types = {name: kind for name, kind, *_ in read(tmp_path, "DESCRIBE SELECT * FROM findings", finding())}
    assert types["observed_at"] == types["first_seen"] == "TIMESTAMP WITH TIME ZONE"
    assert types["unjudged_records"] == types["coverage_percent"] == "BIGINT"
    assert types["severity"] == "VARCHAR"


def test_evidence_can_be_asked(tmp_path: Path) -> None:
    query = "SELECT json_extract(evidence, '$.disks[0].size_gb') FROM findings WHERE kind = 'finding'"
    assert read(tmp_path, query, finding()) == [("700",)]


def test_what_is_hostile_or_too_long_is_read_as_it_was(tmp_path: Path) -> None:
    query = "SELECT resource_name, length(evidence) FROM findings WHERE kind = 'finding'"
    (hostile, _), (long, length) = read(tmp_path, query, HOSTILE_FINDING, LONG_FINDING)
    assert hostile == HOSTILE.replace("\ud800", r"\ud800")
    assert long == LONG_FINDING.resource_name
    assert length > 300_000


def test_gaps_are_rows_of_their_own_and_the_run_is_the_last(tmp_path: Path) -> None:
    query = "SELECT kind, reason, verdict, unjudged_records, coverage_percent FROM findings"
    *gaps, run = read(tmp_path, query, coverage=COVERAGE)
    assert len(gaps) == GAPS
    assert gaps[0] == ("gap", "role-not-assumable", "failed", None, None)
    assert gaps[3] == ("gap", "unjudged", "complete", 2, None)
    assert run == ("run", None, "partial", None, 33)


def test_a_clean_run_says_that_everything_was_seen(tmp_path: Path) -> None:
    assert read(tmp_path, "SELECT kind, verdict FROM findings", coverage=[COMPLETE]) == [("run", "complete")]


def test_a_subset_says_so_in_every_row_and_in_the_file(tmp_path: Path) -> None:
    query = "SELECT DISTINCT scope FROM findings"
    assert read(tmp_path, query, finding(), start=SUBSET) == [
        ("a subset alone: accounts 111122223333; Regions eu-west-1",)
    ]
    told = parquet.read_metadata(tmp_path / "findings.parquet").metadata
    assert told[b"auditor.scope"] == b"subset"
    assert json.loads(told[b"auditor.run"])["scope"]["kind"] == "subset"


def test_it_is_compressed_in_groups_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "findings.parquet"
    made = [finding(f"export-{number}") for number in range(20_000)]
    path.write_bytes(written("parquet", *([each] for each in made)))
    told = parquet.read_metadata(path)
    assert [told.row_group(each).num_rows for each in range(told.num_row_groups)] == [8_192, 8_192, 3_617]
    assert {told.row_group(0).column(each).compression for each in range(told.num_columns)} == {"ZSTD"}
    (total,) = duckdb.execute(f"SELECT count(DISTINCT id) FROM '{path}' WHERE kind = 'finding'").fetchall()  # noqa: S608
    assert total == (20_000,)


def test_groups_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    path = tmp_path / "findings.parquet"
    large = [finding(f"export-{number}", message="m" * 1_000_000) for number in range(40)]
    path.write_bytes(written("parquet", large))
    told = parquet.read_metadata(path)
    assert [told.row_group(each).num_rows for each in range(told.num_row_groups)] == [17, 17, 7]


def test_without_pyarrow_it_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python does where a package is not there: a None among its modules is one that can't be imported.
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError) as caught:
        check_formats([FormatRequest("parquet")], tmp_path, "accounts.yaml")
    assert str(caught.value) == (
        "-f parquet: pyarrow is not installed; install it: pip install '.[parquet]', with "
        "auditor's checkout or the path of its wheel for the dot"
    )


def test_a_run_that_does_not_write_it_does_not_import_it() -> None:
    tell = "import sys; from auditor.formats import formats; formats(); print('pyarrow' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True, text=True)
    assert told.stdout == "False\n"


def test_a_file_is_given_away_as_it_grows() -> None:
    output_format = formats()["parquet"](START)
    assert output_format.head() == b"PAR1"
    first = output_format.findings([finding(f"a-{number}") for number in range(8_192)])
    assert len(first) > 10_000
    assert output_format.findings([finding("b")]) == b""
    assert b"".join(output_format.tail([], RUN)).endswith(b"PAR1")
