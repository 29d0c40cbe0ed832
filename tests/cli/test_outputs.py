"""Where a run's output goes: the folder, the formats asked for, standard output, and what happens when it can't."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditor.simulator.estate import Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.cli.conftest import Auditor, Process, RunFolder, Serve

QUIET = ("--quiet", "--log-level", "error", "--log-format", "console")
OWN = ["coverage.jsonl", "findings.jsonl", "run.json"]


def found(findings: Iterable[dict[str, Any]]) -> set[Expected]:
    keys = ("policy", "account_id", "region", "resource_arn")
    return {Expected(*(finding[key] for key in keys)) for finding in findings}


def test_without_a_format_standard_output_has_the_summary_and_the_folder_its_three_files(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    ended = auditor("run", "-o", "out", *QUIET)
    assert out.names == OWN
    assert found(out.findings) == served.estate.truth
    grave = sum(each.policy == "stale-failed-export" for each in served.estate.truth)
    assert f"│ high     │ stale-failed-export │ {grave:8} │" in ended.out
    assert ended.out.endswith("80 records read. Each finding and each target stands in\nout/\n")


def test_a_run_without_o_makes_a_folder_named_after_itself(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    serve()
    auditor("run", *QUIET)
    (folder,) = (out.path.parent / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text("utf-8"))["run_id"] == folder.name


def test_jsonl_on_standard_output_is_the_findings_and_nothing_else(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    ended = process("run", "-o", "out", "-f", "jsonl=-")
    assert ended.code == 1
    assert found(map(json.loads, ended.out.splitlines())) == served.estate.truth
    assert ended.out == (out.path / "findings.jsonl").read_text("utf-8")


def test_json_on_standard_output_is_one_document_and_nothing_else(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    ended = process("run", "-o", "out", "-f", "json=-")
    document = json.loads(ended.out)
    assert found(document["findings"]) == served.estate.truth
    assert document["coverage"] == out.coverage
    assert document["run"]["run_id"] == out.run["run_id"]
    assert document["run"]["exit_code"] == ended.code == 1


def test_a_format_with_a_path_goes_there_and_the_summary_is_printed(
    auditor: Auditor, serve: Serve, out: RunFolder, tmp_path: Path
) -> None:
    served = serve()
    ended = auditor("run", "-o", "out", "-f", "json=report.json", *QUIET)
    assert found(json.loads((tmp_path / "report.json").read_text("utf-8"))["findings"]) == served.estate.truth
    assert ended.out.startswith("Complete: coverage 100 %")
    assert out.names == OWN


def test_a_format_without_a_path_stands_in_the_folder(auditor: Auditor, serve: Serve, out: RunFolder) -> None:
    served = serve()
    ended = auditor("run", "-o", "out", "-f", "json", "-f", "jsonl", *QUIET)
    assert out.names == sorted([*OWN, "report.json"])
    report = json.loads((out.path / "report.json").read_text("utf-8"))
    assert found(report["findings"]) == served.estate.truth
    assert ended.out.startswith("Complete: coverage 100 %")


@pytest.mark.parametrize(
    ("formats", "told"),
    [
        (["jsnl"], "-f jsnl: no such format; did you mean jsonl?"),
        (["tape"], "-f tape: no such format; there are asff, csv, gitlab, html, json, jsonl,"),
        (["tape\x1b[2J"], r"-f tape\x1b[2J: no such format; there are asff, csv,"),
        (["json:2"], "-f json:2: json has no variants; write -f json"),
        (["ocsf:\x1b"], r"-f ocsf:\x1b: no such variant of ocsf; there are 1.8.0, 1.6.0, 1.3.0,"),
        (["ocsf:"], "-f ocsf:: no variant after the :; write -f ocsf for the usual"),
        (["json="], "-f json=: no path after the =; write -f json for the run's folder"),
        (["json=-", "jsonl=-"], "-f jsonl=-: would be written to the place of -f json; name another"),
        (["json=x", "jsonl=./x"], "-f jsonl=./x: would be written to the place of -f json; name another"),
        (
            ["json=out/run.json"],
            "-f json=out/run.json: would be written to the place of the run's own run.json",
        ),
        (["json=./out/findings.jsonl"], "would be written to the place of the run's own findings.jsonl"),
        (["json=out/../out/coverage.jsonl"], "would be written to the place of the run's own coverage.jsonl"),
        (
            ["json", "jsonl=out/report.json"],
            "-f jsonl=out/report.json: would be written to the place of -f json",
        ),
    ],
)
def test_a_format_that_cannot_be_written_is_refused_before_anything_is(
    auditor: Auditor, serve: Serve, tmp_path: Path, formats: list[str], told: str
) -> None:
    served = serve()
    before = sorted(tmp_path.rglob("*"))
    options = [option for each in formats for option in ("-f", each)]
    ended = auditor("run", "-o", "out", *options, "--log-format", "console")
    assert ended.code == 2
    said, last = ended.err.splitlines()
    assert told in said
    assert last == "auditor: exit 2: nothing was audited"
    assert sorted(tmp_path.rglob("*")) == before
    assert not served.calls


def test_a_full_device_costs_one_output_and_leaves_the_others_whole(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    ended = process("run", "-o", "out", "-f", "json=/dev/full", "-f", "jsonl=copy.jsonl", *QUIET)
    assert ended.code == 4
    assert out.names == OWN
    assert found(out.findings) == served.estate.truth
    assert (out.path.parent / "copy.jsonl").read_bytes() == (out.path / "findings.jsonl").read_bytes()
    assert out.run["exit_conditions"] == [4, 1]


def test_full_standard_output_under_a_format_is_exit_4(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    with open("/dev/full", "wb") as full:  # noqa: PTH123 -- a device
        ended = process("run", "-o", "out", "-f", "jsonl=-", *QUIET, stdout=full)
    assert ended.code == 4
    assert "standard output: No space left on device" in ended.last
    assert "Traceback" not in ended.err
    assert found(out.findings) == served.estate.truth


@pytest.mark.parametrize("output_format", ["json", "jsonl"])
def test_a_reader_that_goes_away_is_exit_4_and_no_traceback(
    process: Process, serve: Serve, out: RunFolder, output_format: str
) -> None:
    served = serve(records_per_target=400, page_size=100, planted=1.0)  # more than a pipe holds
    head = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.readline()"], stdin=subprocess.PIPE)
    with head:
        assert head.stdin is not None
        ended = process("run", "-o", "out", "-f", f"{output_format}=-", *QUIET, stdout=head.stdin)
        head.stdin.close()
    assert ended.code == 4
    assert ended.last.startswith(
        "auditor: exit 4: not everything could be written: standard output: Broken pipe"
    )
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err
    assert found(out.findings) == served.estate.truth
    assert out.run["exit_code"] == 4


def no_file_larger_than(size: int) -> Callable[[], None]:
    """A disk that fills: Python ignores SIGXFSZ, so that a write fails instead."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_during_the_run_is_exit_4_and_what_was_written_is_kept_aside(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    serve(records_per_target=200, page_size=100, planted=1.0)
    ended = process("run", "-o", "out", "-f", "json", *QUIET, preexec_fn=no_file_larger_than(20_000))
    assert ended.code == 4
    assert "Traceback" not in ended.err
    assert "out/findings.jsonl: File too large" in ended.last
    assert "out/report.json: File too large" in ended.last
    assert out.names == ["coverage.jsonl", "findings.jsonl.part", "report.json.part", "run.json"]
    kept = (out.path / "findings.jsonl.part").read_bytes().split(b"\n")
    assert len(kept) > 2
    assert all(json.loads(line)["schema"] == "auditor.finding/1" for line in kept[:-1])
    assert len(out.coverage) == 4
    assert (out.run["exit_code"], out.run["exit_conditions"]) == (4, [4, 1])


def test_a_disk_that_takes_nothing_is_exit_4_and_says_so_on_the_terminal_at_least(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    serve()
    ended = process("run", "-o", "out", *QUIET, preexec_fn=no_file_larger_than(500))
    assert ended.code == 4
    assert "Traceback" not in ended.err
    for name in OWN:
        assert f"out/{name}: File too large" in ended.last
        assert name not in out.names
    assert "findings.jsonl.part" in out.names


def test_a_device_in_place_of_a_file_stays_a_device_and_is_closed_in_the_end(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    serve()
    watchful = (sys.executable, "-W", "always::ResourceWarning", "-m", "auditor")
    ended = process("run", "-o", "out", "-f", "json=/dev/null", *QUIET, program=watchful)
    assert ended.code == 1
    assert "ResourceWarning" not in ended.err
    with open("/dev/null", "rb") as null:  # noqa: PTH123 -- a device
        assert null.read() == b""
    assert out.names == OWN
