"""An outbox with something in it, and destinations that answer as they are told to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from moto.server import ThreadedMotoServer

from auditor.audit.delivering import deliver
from auditor.config import DestinationSettings, Receiver, SQLiteStore
from auditor.delivery import DeadLetters, Destination, Limits, Taken, make_destinations
from auditor.delivery.sending import Delivery
from auditor.delivery.store import Store
from auditor.history import Destination as ToldOf
from tests.history.conftest import Night, Nights, finding, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from auditor.delivery import Receipt, Report
    from auditor.delivery.contract import AnyDestination
    from auditor.history import Due, Event
    from auditor.history.outbox import Outbox
    from auditor.model import Finding

Answer = "Callable[[Sequence[Due]], Sequence[Receipt]]"


def taken(batch: Sequence[Due]) -> list[Receipt]:
    return [Taken()] * len(batch)


class Fake(Destination[DestinationSettings]):
    """A destination at the seam: it keeps what it was sent, and answers with what it is told to."""

    def __init__(
        self,
        name: str = "siem",
        answer: Callable[[Sequence[Due]], Sequence[Receipt]] = taken,
        limits: Limits | None = None,
        **settings: Any,
    ) -> None:
        told = DestinationSettings(type="fake", **settings)
        super().__init__(Receiver(name, told), told, allow_http=False)
        self.answer = answer
        self._limits = limits or Limits(100, 1_000_000, 100_000)
        self.batches: list[list[Due]] = []

    @property
    def limits(self) -> Limits:
        return self._limits

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        self.batches.append(list(batch))
        return self.answer(batch)

    @property
    def sent(self) -> list[list[str]]:
        """The batches, each event by its resource's name, or its kind."""
        return [
            [json.loads(due.event.body).get("resource_name", due.event.kind) for due in batch]
            for batch in self.batches
        ]


@dataclass
class Post:
    """A history whose outbox is filled and emptied."""

    folder: Path
    store: SQLiteStore
    nights: Nights
    number: int = 0
    dead: DeadLetters = field(init=False)

    def __post_init__(self) -> None:
        self.dead = DeadLetters(self.folder)

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        with opened(self.store) as history:
            yield history.outbox

    def fill(
        self, found: Sequence[Finding], events: Sequence[Event] = (), to: Sequence[str] = ("siem",)
    ) -> None:
        """Let one more run find these, and tell of it."""
        self.number += 1
        night = Night(found=found, destinations=tuple(map(ToldOf, to)))
        with opened(self.store) as history:
            run = history.begin(self.nights.begun(night, self.number))
            run.see(found)
            run.post(events)

    async def deliver(self, *destinations: AnyDestination, seconds: float = 20) -> list[Report]:
        with self.outbox() as outbox:
            return await deliver(outbox, destinations, self.dead, timedelta(seconds=seconds))

    async def send(self, destination: AnyDestination, *, seconds: float = 20, pause: float = 0.01) -> Report:
        """Deliver to one destination, with short pauses."""
        import anyio  # noqa: PLC0415

        with self.outbox() as outbox:
            delivery = Delivery(destination, Store(outbox, self.dead), lambda _failures: pause)
            return await delivery.run(anyio.current_time() + seconds)

    def dead_letters(self) -> list[dict[str, Any]]:
        if not self.dead.path.exists():
            return []
        return [json.loads(line) for line in self.dead.path.read_text("utf-8").splitlines()]

    def left(self) -> dict[str, int]:
        with self.outbox() as outbox:
            return outbox.left()


REGION = "eu-west-1"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Serve AWS as moto plays it; return its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lead every client to moto; return what makes clients to look at it with."""
    aws_environment(monkeypatch, moto)
    return lambda service: boto3.client(service, region_name=REGION, endpoint_url=moto)


def aws_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Lead every client to this URL, with credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    store = SQLiteStore(tmp_path / "history.sqlite3")
    return Post(tmp_path, store, Nights(store))


def findings(count: int, **how: Any) -> list[Finding]:
    return [finding(number, **how) for number in range(1, count + 1)]


def names(first: int, last: int) -> list[str]:
    return [f"export-{number}" for number in range(first, last + 1)]


def made(
    kind: str,
    secrets: dict[str, str] | None = None,
    *,
    name: str = "siem",
    allow_http: bool = False,
    **settings: Any,
) -> AnyDestination:
    """Return a destination as the configuration's settings make it."""
    from auditor.delivery import destination_settings  # noqa: PLC0415

    told = destination_settings()[kind](type=kind, **settings)
    (destination,) = make_destinations([Receiver(name, told, secrets or {})], allow_http=allow_http)
    return destination
