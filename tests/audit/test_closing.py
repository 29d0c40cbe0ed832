"""The end of a run: what happens while it is written down is told by what is written after that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

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
from auditor.errors import SinkError
from auditor.formats import formats
from auditor.formats.output import Output
from auditor.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditor.audit import Result
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
