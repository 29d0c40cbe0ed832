from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import auditor
from auditor.formats import Format, formats
from tests.formats.made import COVERAGE, EVERY_STATUS, RUN, START, finding, write, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.model import Finding

HOSTILE = "\x1b[2J\u2028\x85\u202e\x7f\U000e0001 =1+1 <b>"

FORMAT = """
from auditor.formats.contract import Format

class OutputFormat(Format):
    file_name = "findings.txt"

    def findings(self, findings):
        return b""
"""


def as_json(one: Finding) -> Any:
    """What a reader has to find, made by somebody else's encoder."""
    return json.loads(json.dumps(dataclasses.asdict(one)))


def read_jsonl(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.decode().splitlines()]


def read_json(raw: bytes) -> list[Any]:
    return list(json.loads(raw)["findings"])


def test_the_formats_are_the_modules_that_define_one() -> None:
    assert set(formats()) >= {"json", "jsonl"}
    for name, output_format in formats().items():
        assert issubclass(output_format, Format)
        assert output_format.__module__ == f"auditor.formats.{name}"
        assert "/" not in output_format.file_name
    names = [output_format.file_name for output_format in formats().values()]
    assert len(set(names)) == len(names), "two formats would be written to one file"
    assert {"coverage.jsonl", "run.json"}.isdisjoint(names), "these are the run's own"


def test_a_new_module_is_a_new_format_and_no_file_is_edited(tmp_path: Path) -> None:
    (original,) = auditor.__path__
    shutil.copytree(original, tmp_path / "auditor", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "auditor" / "formats" / "just_added.py").write_text(FORMAT)
    tell = "from auditor.formats import formats; print(*formats())"
    command = [sys.executable, "-c", tell]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert sorted(told.stdout.split()) == sorted([*formats(), "just_added"])


@pytest.mark.parametrize(("name", "read"), [("jsonl", read_jsonl), ("json", read_json)])
@pytest.mark.parametrize("batches", [[], [0], [1], [3], [1, 1], [2, 0, 1]], ids=repr)
def test_findings_come_back_as_they_were_however_they_arrived(
    name: str, read: Callable[[bytes], list[Any]], batches: list[int]
) -> None:
    made = [[finding(f"export-{batch}-{each}") for each in range(size)] for batch, size in enumerate(batches)]
    assert read(written(name, *made)) == [as_json(one) for batch in made for one in batch]


@pytest.mark.parametrize(("name", "read"), [("jsonl", read_jsonl), ("json", read_json)])
def test_hostile_text_is_escaped_and_comes_back(name: str, read: Callable[[bytes], list[Any]]) -> None:
    hostile = finding(HOSTILE, evidence={HOSTILE: [HOSTILE]}, account_name=HOSTILE)
    raw = written(name, [hostile])
    for char in "\x1b\u2028\x85\u202e\x7f\U000e0001":
        assert char.encode() not in raw
    assert read(raw) == [as_json(hostile)]


@pytest.mark.parametrize(("name", "read"), [("jsonl", read_jsonl), ("json", read_json)])
@pytest.mark.parametrize("status", EVERY_STATUS)
def test_a_status_comes_back_with_its_resolution(
    name: str, read: Callable[[bytes], list[Any]], status: str
) -> None:
    found = EVERY_STATUS[status]
    (line,) = read(written(name, [found]))
    assert line["status"] == found.status
    if found.resolution is None:
        assert line["resolution"] is None
    else:
        assert line["resolution"] == {"kind": found.resolution.kind, "why": found.resolution.why}


def test_jsonl_is_one_line_a_finding_for_any_reader_of_lines() -> None:
    raw = written("jsonl", [finding(HOSTILE), finding("\r\n\v\f\x1c\x1d\x1e")])
    assert len(raw.decode().splitlines()) == 2
    assert raw.count(b"\n") == 2
    assert raw.endswith(b"\n")


def test_jsonl_of_a_run_that_found_nothing_is_empty() -> None:
    assert written("jsonl") == b""


def test_json_is_one_document_with_the_ledger_and_the_run() -> None:
    lines = [line | {"error_message": HOSTILE} for line in COVERAGE]
    document = json.loads(written("json", [finding()], coverage=lines))
    assert document == {
        "schema": "auditor.report/1",
        "findings": [as_json(finding())],
        "coverage": lines,
        "run": RUN,
    }


def test_json_of_a_run_without_findings_or_targets_is_a_document_too() -> None:
    assert json.loads(written("json")) == {
        "schema": "auditor.report/1",
        "findings": [],
        "coverage": [],
        "run": RUN,
    }


def test_json_with_several_coverage_lines_keeps_their_order() -> None:
    lines = [{"region": region} for region in ("b", "a", "c")]
    raw = write(formats()["json"](START), [finding()], coverage=lines)
    assert json.loads(raw)["coverage"] == lines
