from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import pytest

import auditor
from auditor.audit import EvidenceOptions
from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread
from tests.evidence.relay import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditor.audit import Result
    from auditor.simulator.estate import Estate
    from auditor.simulator.server import Running

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3")


@dataclass(frozen=True)
class Recorded:
    """A run with its evidence, and what was really sent to it."""

    folder: Path
    result: Result
    running: Running
    sent: dict[str, tuple[int, bytes]]

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file of the run's folder."""
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]


class Record(Protocol):
    """Runs an audit that keeps its evidence."""

    def __call__(self, *faults: Fault, **how: Any) -> Recorded: ...


def estate_of(**how: Any) -> Estate:
    now = datetime.now(UTC) - timedelta(seconds=1)
    merged: dict[str, Any] = {
        "accounts": 3,
        "regions": REGIONS,
        "now": now,
        "records_per_target": 20,
        "page_size": 7,
    } | how
    return generate(merged.pop("seed", 7), **merged)


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    with ExitStack() as clean_up:
        yield _recording(tmp_path, monkeypatch, clean_up)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """An eventful night, recorded once; not to be changed."""
    faults = (
        Fault(FaultKind.THROTTLE, region="us-east-1", page=2, times=1),
        Fault(FaultKind.ACCESS_DENIED, region="ap-southeast-3"),
        Fault(FaultKind.REGION_SETUP_IN_PROGRESS, region="eu-west-1", page=3),
    )
    with ExitStack() as clean_up, pytest.MonkeyPatch.context() as monkeypatch:
        record = _recording(tmp_path_factory.mktemp("recorded"), monkeypatch, clean_up)
        estate = estate_of(accounts=2, records_per_target=15, page_size=5, afterlife=True)
        yield record(*faults, estate=estate, formats=(auditor.FormatRequest("json"),))


def _recording(folder: Path, monkeypatch: pytest.MonkeyPatch, clean_up: ExitStack) -> Record:
    def run(  # noqa: PLR0913 -- all that a night may differ in
        *faults: Fault,
        estate: Estate | None = None,
        extra: str = "",
        text: str | None = None,
        options: EvidenceOptions | None = None,
        change: Callable[[bytes, dict[str, str]], bytes] | None = None,
        into: str = "run",
        **how: Any,
    ) -> Recorded:
        estate = estate or estate_of()
        running = clean_up.enter_context(serve_in_thread(estate, faults=faults))
        passing = clean_up.enter_context(relay(running.url, change))
        for name, value in (running.environ | {"AWS_ENDPOINT_URL": passing.url}).items():
            monkeypatch.setenv(name, value)
        path = folder / "accounts.yaml"
        path.write_text(estate.accounts_yaml() + extra if text is None else text, "utf-8")
        config = auditor.load_config(path)
        asked = auditor.RunOptions(
            folder=folder / into, evidence=options or EvidenceOptions(), min_coverage=0, **how
        )
        result = anyio.run(auditor.run, config, asked)
        return Recorded(folder / into, result, running, passing.sent)

    return run
