"""What `-f` takes, and what comes of it in a whole run."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from auditor.audit import FormatRequest
from auditor.cli.running import format_requests
from auditor.errors import UsageError
from auditor.formats import formats
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, RunFolder, Serve


@pytest.mark.parametrize(
    ("asked", "request_for"),
    [
        ("json", FormatRequest("json")),
        ("json=out.json", FormatRequest("json", "out.json")),
        ("json=-", FormatRequest("json", "-")),
        ("json=a:b=c", FormatRequest("json", "a:b=c")),
        ("ocsf:1.6", FormatRequest("ocsf", None, "1.6")),
        ("ocsf:1.3.0=a:b=c", FormatRequest("ocsf", "a:b=c", "1.3.0")),
    ],
)
def test_a_format_is_asked_for_with_a_variant_and_a_path(asked: str, request_for: FormatRequest) -> None:
    assert format_requests([asked]) == (request_for,)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("json=", "-f json=: no path after the =; write -f json for the run's folder"),
        ("ocsf:1.6=", "-f ocsf:1.6=: no path after the =; write -f ocsf:1.6 for the run's folder"),
        ("ocsf:", "-f ocsf:: no variant after the :; write -f ocsf for the usual"),
        ("ocsf:=x", "-f ocsf:=x: no variant after the :; write -f ocsf for the usual"),
    ],
)
def test_what_is_missing_of_a_format_is_told(asked: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_requests([asked])
    assert str(caught.value) == why


def sums_of(text: str) -> dict[str, float]:
    """The sum over the series of each metric, as Prometheus' own parser reads them."""
    return {
        family.name: sum(sample.value for sample in family.samples)
        for family in text_string_to_metric_families(text)
    }


def test_a_run_with_every_format_tells_each_finding_and_each_gap_in_all_of_them(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, region="us-east-1"))
    asked = [part for name in formats() for part in ("-f", name)]
    assert auditor("run", "-o", "out", "--quiet", "--log-level", "error", *asked).code == 3
    found = {finding["finding_id"] for finding in out.findings}
    gaps = [line for line in out.coverage if line["verdict"] in {"partial", "failed"}]
    assert found
    assert gaps
    (row,) = duckdb.execute(
        "SELECT count(*) FILTER (kind = 'finding'), count(*) FILTER (kind = 'gap') FROM read_parquet(?)",
        [str(out.path / "findings.parquet")],
    ).fetchall()
    assert row == (len(found), len(gaps))
    table = list(csv.DictReader((out.path / "findings.csv").read_text("utf-8").splitlines()))
    assert {line["id"] for line in table if line["kind"] == "finding"} == found
    events = out.lines("findings.ocsf.jsonl")
    assert {event["finding_info"]["uid"] for event in events if event["severity_id"]} == found
    assert len(events) == len(found) + len(gaps)
    (run,) = json.loads((out.path / "findings.sarif").read_bytes())["runs"]
    assert {result["fingerprints"]["auditor/v1"] for result in run["results"]} == found
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == len(gaps)
    at = {result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in run["results"]}
    written = served.config.read_text("utf-8").splitlines()
    assert all(1 <= line <= len(written) for line in at)
    imported = json.loads((out.path / "findings.asff.json").read_bytes())["Findings"]
    assert found < {finding["Id"] for finding in imported}
    issues = json.loads((out.path / "gl-code-quality-report.json").read_bytes())
    assert found < {issue["fingerprint"] for issue in issues}
    cases = [case for suite in JUnitXml.fromfile(str(out.path / "findings.junit.xml")) for case in suite]
    assert len(cases) == len(found) + len(gaps) + 1
    summary = (out.path / "summary.md").read_text("utf-8")
    assert f"**{len(found):,} finding(s); {len(gaps):,} gap(s), and" in summary
    numbers = sums_of((out.path / "auditor.prom").read_text("utf-8"))
    totals, times = out.run["totals"], [out.run[key] for key in ("started_at", "finished_at")]
    began, ended = (datetime.fromisoformat(time).timestamp() for time in times)
    assert numbers["auditor_run_finished_timestamp_seconds"] == pytest.approx(ended, abs=2)
    assert numbers["auditor_run_duration_seconds"] == pytest.approx(ended - began, abs=2)
    assert (
        numbers.items()
        >= {
            "auditor_findings": len(found),
            "auditor_gaps": len(gaps),
            "auditor_targets": totals["targets"]["planned"],
            "auditor_requests": totals["requests"],
            "auditor_records": totals["records"],
            "auditor_coverage_percent": out.run["coverage_percent"],
            "auditor_run_exit_code": 3,
        }.items()
    )


def test_a_version_that_there_is_not_is_refused_before_anything_is_written(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    serve()
    ended = auditor("run", "-o", "out", "-f", "ocsf:9", "--quiet", "--log-level", "error")
    assert ended.code == 2
    assert "-f ocsf:9: no such variant of ocsf; there are 1.8.0, 1.6.0, 1.3.0, 1.8, 1.6, 1.3" in ended.err
    assert not out.path.exists()


def test_one_format_in_two_versions_needs_a_place_for_each(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    serve()
    asked = ("-f", "ocsf:1.3", "-f", "ocsf:1.6=new.jsonl")
    auditor("run", "-o", "out", *asked, "--quiet", "--log-level", "error")
    old = out.lines("findings.ocsf.jsonl")
    new = [json.loads(line) for line in Path("new.jsonl").read_text("utf-8").splitlines()]
    assert {event["metadata"]["version"] for event in old} == {"1.3.0"}
    assert {event["metadata"]["version"] for event in new} == {"1.6.0"}
    assert len(old) == len(new) > 0
    both = auditor(
        "run", "-o", "again", "-f", "ocsf:1.3", "-f", "ocsf:1.6", "--quiet", "--log-level", "error"
    )
    assert both.code == 2
    assert "-f ocsf:1.6=again/findings.ocsf.jsonl: would be written to the place of -f ocsf:1.3" in both.err
