from __future__ import annotations

import json
import resource
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import from_thread

from auditor.audit import FormatRequest
from auditor.audit.findings import FindingMaker
from auditor.audit.writing import Patience, Sink, Writer
from auditor.coverage import Ledger
from auditor.errors import SinkError
from auditor.formats import formats
from auditor.formats.output import Output
from auditor.model import EXPORT_RECORDS, Account, ExportRecord, Finding, Outcome, Target
from auditor.policies import Breach, Found, catalogue
from tests.formats.made import START

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

RUN = {"schema": "auditor.run/1", "exit_code": 0}
ACCOUNT = Account("111122223333", None, "arn:aws:iam::111122223333:role/R", None, "s", 3_600, ("us-east-1",))
TARGET = Target(EXPORT_RECORDS, ACCOUNT, "us-east-1")
LARGE = "x" * 70_000
"""A message that alone is more than is gathered before it is written."""


def finding(name: str, message: str = "It started.") -> Finding:
    entries = catalogue()
    settings = {"stuck-export": entries["stuck-export"].settings_type()}
    maker = FindingMaker("run-1", datetime(2025, 3, 1, tzinfo=UTC), entries, settings)
    return maker.make(TARGET, Found("stuck-export", Breach(ExportRecord({"arn": name}), message, {})))


def settled() -> Ledger:
    ledger = Ledger([TARGET])
    ledger.settle(TARGET, Outcome(pages=1), None)
    return ledger


def arns(lines: Iterable[str | bytes]) -> list[str]:
    return [json.loads(line)["resource_arn"] for line in lines]


class InMemory(Output):
    """Keeps what it gets; fails with each of these in turn, then no more."""

    def __init__(self, *failures: str) -> None:
        super().__init__("in memory")
        self.failures = list(failures)
        self.taken = b""
        self.became = "open"

    def write(self, data: bytes) -> None:
        if self.failures:
            raise SinkError(self.failures.pop(0))
        self.taken += data

    def finish(self) -> None:
        if self.failures:
            raise SinkError(self.failures.pop(0))
        self.became = "finished"

    def abandon(self) -> None:
        self.became = "abandoned"

    def discard(self) -> None:
        self.became = "discarded"


class Stuck(InMemory):
    """Does not take what it is given until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = anyio.Event()
        self.let_go = threading.Event()

    def write(self, data: bytes) -> None:  # noqa: ARG002 -- it does not take it
        from_thread.run_sync(self.asked.set)
        self.let_go.wait(10)


def jsonl_to(output: Output) -> Sink:
    return Sink(formats()["jsonl"](START), output, Patience())


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def write(writer: Writer, *batches: Sequence[Finding]) -> None:
    """Everything that a run writes."""
    for batch in batches:
        await writer.add(batch)
    await writer.end(settled(), RUN)
    await writer.run_record(RUN)


async def test_a_sink_writes_all_findings_in_order_and_finishes() -> None:
    output = InMemory()
    sink = jsonl_to(output)
    await sink.add([finding("a"), finding("b", LARGE)])
    await sink.add([])
    await sink.add([finding("c")])
    await sink.end([], RUN)
    assert arns(output.taken.splitlines()) == ["a", "b", "c"]
    assert (output.became, sink.error) == ("finished", None)


async def test_a_sink_does_not_keep_a_runs_findings_until_its_end() -> None:
    output = InMemory()
    sink = jsonl_to(output)
    for number in range(10):
        await sink.add([finding(f"arn:{number}", LARGE)])
        assert len(arns(output.taken.splitlines())) == number + 1


@pytest.mark.parametrize("name", ["jsonl", "json"])
async def test_a_sink_that_failed_takes_no_more_and_keeps_the_first_reason(name: str) -> None:
    output = InMemory("first reason", "second reason")
    sink = Sink(formats()[name](START), output, Patience())
    await sink.add([finding("a", LARGE)])
    assert sink.error == "first reason"
    await sink.add([finding("b", LARGE)])
    await sink.end([], RUN)
    assert sink.error == "first reason"
    assert output.failures == ["second reason"], "it was written to again"
    assert (output.taken, output.became) == (b"", "abandoned")


async def test_a_sink_that_fails_at_the_very_end_says_so() -> None:
    output = InMemory()
    sink = jsonl_to(output)
    await sink.add([finding("a", LARGE)])
    output.failures = ["disk full"]
    await sink.end([], RUN)
    assert sink.error == "disk full"
    assert output.became == "open"


async def test_an_output_that_takes_nothing_is_given_up_when_the_run_has_to_end() -> None:
    output, patience = Stuck(), Patience()
    sink = Sink(formats()["jsonl"](START), output, patience)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(sink.add, [finding("a", LARGE)])
            await output.asked.wait()
            patience.ends_by(anyio.current_time())
    finally:
        output.let_go.set()
    assert sink.error == "in memory: did not take what was written, and the run had to end"


async def test_an_output_that_takes_nothing_costs_the_others_nothing(tmp_path: Path) -> None:
    writer, output = Writer(tmp_path, [], START), Stuck()
    writer.sinks.insert(0, Sink(formats()["jsonl"](START), output, writer.patience))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(write, writer, [finding("a", LARGE)], [finding("b", LARGE)])
            await output.asked.wait()
            writer.patience.ends_by(anyio.current_time() + 0.1)
    finally:
        output.let_go.set()
    assert len(writer.errors) == 1
    assert arns((tmp_path / "findings.jsonl").read_bytes().splitlines()) == ["a", "b"]


async def test_a_writer_writes_the_findings_the_ledger_and_the_run(tmp_path: Path) -> None:
    writer = Writer(tmp_path, [], START)
    await write(writer, [finding("a")], [finding("b"), finding("c")])
    assert writer.errors == []
    assert names_in(tmp_path) == {"findings.jsonl", "coverage.jsonl", "run.json"}
    assert arns((tmp_path / "findings.jsonl").read_text().splitlines()) == ["a", "b", "c"]
    assert [json.loads(line) for line in (tmp_path / "coverage.jsonl").read_text().splitlines()] == list(
        settled().lines()
    )
    assert json.loads((tmp_path / "run.json").read_bytes()) == RUN


async def test_a_run_that_found_nothing_has_its_files_all_the_same(tmp_path: Path) -> None:
    await write(Writer(tmp_path, [], START))
    assert (tmp_path / "findings.jsonl").read_bytes() == b""
    assert names_in(tmp_path) == {"findings.jsonl", "coverage.jsonl", "run.json"}


async def test_nothing_has_its_name_before_the_end(tmp_path: Path) -> None:
    writer = Writer(tmp_path, [FormatRequest("json")], START)
    assert names_in(tmp_path) == {"findings.jsonl.part", "report.json.part"}
    await write(writer)
    assert names_in(tmp_path) == {"findings.jsonl", "report.json", "coverage.jsonl", "run.json"}


async def test_formats_go_where_they_are_asked_to_go(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    requests = [
        FormatRequest("json"),
        FormatRequest("json", str(tmp_path / "mine.json")),
        FormatRequest("jsonl", str(tmp_path / "mine.jsonl")),
        FormatRequest("jsonl"),
    ]
    writer = Writer(folder, requests, START)
    await write(writer, [finding("a")], [finding("b")])
    assert writer.errors == []
    assert names_in(folder) == {"findings.jsonl", "report.json", "coverage.jsonl", "run.json"}
    assert (tmp_path / "mine.jsonl").read_bytes() == (folder / "findings.jsonl").read_bytes()
    assert (tmp_path / "mine.json").read_bytes() == (folder / "report.json").read_bytes()
    report = json.loads((folder / "report.json").read_bytes())
    assert [each["resource_arn"] for each in report["findings"]] == ["a", "b"]
    assert report["coverage"] == list(settled().lines())


@pytest.mark.parametrize("place", ["missing/out.json", "a-folder"])
async def test_where_one_output_can_not_be_opened_none_is_left_behind(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-folder").mkdir()
    requests = [
        FormatRequest("json"),
        FormatRequest("json", str(tmp_path / place)),
        FormatRequest("jsonl", "x"),
    ]
    with pytest.raises(SinkError, match=place):
        Writer(tmp_path, requests, START)
    assert names_in(tmp_path) == {"a-folder"}


async def test_one_output_that_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    writer = Writer(tmp_path, [FormatRequest("json")], START)
    (tmp_path / "report.json.part").unlink()
    await write(writer, [finding("a")])
    (error,) = writer.errors
    assert error.startswith(f"{tmp_path / 'report.json'}: ")
    assert names_in(tmp_path) == {"findings.jsonl", "coverage.jsonl", "run.json"}
    assert arns((tmp_path / "findings.jsonl").read_text().splitlines()) == ["a"]


@pytest.mark.parametrize("name", ["coverage.jsonl", "run.json"])
async def test_a_ledger_or_record_that_can_not_be_written_is_told_and_the_rest_is_kept(
    tmp_path: Path, name: str
) -> None:
    writer = Writer(tmp_path, [], START)
    (tmp_path / name).mkdir()
    await write(writer, [finding("a")])
    (error,) = writer.errors
    assert error.startswith(f"{tmp_path / name}: ")
    others = {"findings.jsonl", "coverage.jsonl", "run.json"} - {name}
    assert all((tmp_path / other).is_file() for other in others)


async def test_a_disk_that_fills_is_told_and_half_a_file_does_not_look_whole(tmp_path: Path) -> None:
    writer = Writer(tmp_path, [], START)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        await write(writer, *([finding(f"arn:{number}", LARGE)] for number in range(10)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (error,) = writer.errors
    assert error.startswith(f"{tmp_path / 'findings.jsonl'}: ")
    assert names_in(tmp_path) == {"findings.jsonl.part", "coverage.jsonl", "run.json"}
    whole = (tmp_path / "findings.jsonl.part").read_bytes().splitlines()[:-1]
    assert arns(whole) == ["arn:0", "arn:1"], "what could be kept is kept"
