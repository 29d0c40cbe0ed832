"""The end of a run: what happens while it is written down is told by what is written after that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.audit import Exit, RunOptions
from auditor.audit.books import open_books
from auditor.audit.closing import Audited, close
from auditor.audit.folder import made_folder
from auditor.audit.preparing import Ready, begin
from auditor.audit.start import run_start
from auditor.audit.stopping import Stopping
from auditor.audit.writing import Sink, Writer
from auditor.aws.clients import Clients
from auditor.aws.roles import Roles
from auditor.coverage import Ledger
from auditor.errors import SinkError
from auditor.formats import Format, formats, open_output
from auditor.formats.output import Output
from auditor.model import Outcome
from tests.audit.test_writing import finding
from tests.formats.made import START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from auditor.audit import Result
    from auditor.model import Finding
    from tests.audit.conftest import Auditing, EstateMaker


class Last(Output):
    """An output in whose last moment something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__("the last output")
        self.happens = happens
        self.taken = b""

    def write(self, data: bytes) -> None:
        self.taken += data

    def finish(self) -> None:
        self.happens()

    def abandon(self) -> None:
        pass

    def discard(self) -> None:
        pass


async def closed(
    auditing: Auditing,
    estate_of: EstateMaker,
    folder: Path,
    happens: Callable[[Stopping], None],
    others: Sequence[type[Format]] = (),
) -> tuple[Result, dict[str, Any], dict[str, Any]]:
    """The end of a run that read everything: what came of it, the run as the last output has it, and run.json."""
    run = begin(auditing.config(estate_of(2)), RunOptions(folder=folder))
    assert run.plan is not None
    clients = Clients(None, None, None, None, {}, ())
    roles = Roles(clients, run.request_timeout)
    ready = Ready(run.plan, clients, roles, anyio.Semaphore(1), caller=None)
    books, stopping = open_books(run, run.plan), Stopping(run)
    for target in run.plan.targets:
        books.ledger.settle(target, Outcome(pages=1, requests=1), None)
    last = Last(lambda: happens(stopping))
    start = run_start(run.id, run.now, run.config, run.options.filters, run.policies)
    with made_folder(folder), Writer(folder, (), start) as writer:
        for number, made in enumerate(others):
            output = open_output(str(folder / f"other-{number}"))
            writer.sinks.append(Sink(made(start), output, writer.patience))
        await writer.add([finding("a"), finding("b")])
        writer.sinks.append(Sink(formats()["json"](start), last, writer.patience))
        result = await close(Audited(run, ready, books, published=None), writer, stopping)
    return result, json.loads(last.taken)["run"], json.loads((folder / "run.json").read_text("utf-8"))


async def test_a_signal_while_outputs_are_ended_is_told_by_run_json_and_by_the_exit(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    def interrupted(stopping: Stopping) -> None:
        stopping.signal = Exit.SIGTERM

    result, before, after = await closed(auditing, estate_of, tmp_path / "out", interrupted)
    assert before["exit_conditions"] == [0]
    assert after["exit_conditions"] == [143]
    assert result.exit_code == 143


async def test_an_output_that_fails_at_its_end_is_told_by_run_json_and_by_the_exit(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    def full(_: Stopping) -> None:
        raise SinkError("the last output: disk full")

    result, before, after = await closed(auditing, estate_of, tmp_path / "out", full)
    assert before["exit_conditions"] == [0]
    assert after["exit_conditions"] == [4]
    assert [condition.text for condition in result.conditions] == [
        "not everything could be written: the last output: disk full"
    ]


class Broken(Format):
    """A format with a bug."""

    file_name = "broken"

    def findings(self, findings: Sequence[Finding]) -> bytes:
        return b"x" * len(findings)


class BrokenHead(Broken):
    def head(self) -> bytes:
        raise KeyError("head")


class BrokenFindings(Broken):
    def findings(self, findings: Sequence[Finding]) -> bytes:
        raise TypeError(f"{len(findings)} of them")


class BrokenTail(Broken):
    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:  # noqa: ARG002
        yield b"begun"
        raise ZeroDivisionError


async def test_a_bug_in_a_format_ends_its_output_alone_and_is_told_loudly(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path
) -> None:
    logged: list[Any] = []

    def keep(_logger: Any, _method: str, event: Any) -> Any:
        logged.append((event["event"], type(event.get("exc_info"))))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger("error"))
    folder = tmp_path / "out"
    broken = [BrokenHead, BrokenFindings, BrokenTail]
    result, told, run = await closed(auditing, estate_of, folder, lambda _: None, broken)
    assert run["exit_conditions"] == [5, 4]
    assert told["exit_conditions"] == [5, 4], "which is written after them"
    texts = [condition.text for condition in result.conditions]
    bugs = [bug for event, bug in logged if event == "internal error: a bug of the auditor"]
    assert bugs == [KeyError, TypeError, ZeroDivisionError]
    for number, bug in enumerate(bugs):
        name = str(folder / f"other-{number}")
        assert f"an output ended in an internal error: {name}: a bug of the auditor: {bug.__name__}" in texts
    lines = (folder / "findings.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["resource_arn"] for line in lines] == ["a", "b"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "coverage.jsonl",
        "findings.jsonl",
        *(f"other-{number}.part" for number in range(3)),
        "run.json",
    ]


async def test_a_run_that_its_own_file_can_not_say_is_a_bug_and_the_rest_is_written(tmp_path: Path) -> None:
    with Writer(tmp_path, (), START) as writer:
        await writer.run_record({"when": object()})
        await writer.end(Ledger([]), {})
        assert writer.bugs == writer.errors == ["run.json: a bug of the auditor: TypeError"]
    assert (tmp_path / "findings.jsonl").exists()
