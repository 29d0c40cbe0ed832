"""One policy, put to work on records of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import parse_duration
from auditor.model import (
    ABSENT,
    NOT_ASKED,
    ExportRecord,
    Facts,
    Image,
    Known,
    Operation,
    Snapshot,
    SourceSnapshot,
    StackRecord,
    Volume,
)
from auditor.policies import Panel, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Crash, Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    Ago = Callable[..., float]
    MakeFacts = Callable[..., Facts]

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def ago() -> Ago:
    """Seconds since the epoch, as Lightsail writes them: `ago(days=3)`."""

    def epoch(**back: float) -> float:
        return (NOW - timedelta(**back)).timestamp()

    return epoch


def shape(kind: Any, told: dict[str, Any], **defaults: Any) -> Any:
    """A fact of this kind: what is not told of it is None, and a time is told as `4d ago`."""
    fields = dict.fromkeys(kind._fields) | defaults | told
    for name in ("created", "last_launched", "started"):
        if isinstance(fields.get(name), str):
            back, _, word = fields[name].partition(" ")
            assert word == "ago"
            fields[name] = (NOW - parse_duration(back)).timestamp()
    return kind(**fields)


def make_facts(told: dict[str, Any]) -> Facts:
    read: dict[str, Callable[[Any], Any]] = {
        "snapshots": lambda value: tuple(
            shape(Snapshot, each, id=f"snap-{number}") for number, each in enumerate(value, 1)
        ),
        "image": lambda value: shape(Image, value, id="ami-1", snapshot_ids=made_of),
        "volumes": lambda value: tuple(shape(Volume, each, id="vol-1") for each in value),
        "shared_with": frozenset,
        "operation": lambda value: shape(Operation, value, id="operation-1"),
        "stacks": lambda value: tuple(shape(StackRecord, each) for each in value),
        "source": lambda value: shape(SourceSnapshot, value, arn="arn:of-it"),
    }
    assert set(told) <= set(read)
    made_of = tuple(each.get("id", f"snap-{n}") for n, each in enumerate(told.get("snapshots") or (), 1))
    known = {name: ABSENT if value is None else Known(read[name](value)) for name, value in told.items()}
    return Facts(**{name: known.get(name, NOT_ASKED) for name in read})


@pytest.fixture(scope="session")
def facts() -> MakeFacts:
    """`facts(image={"public": True}, snapshots=None)`, as the examples tell them.

    What is left out was not asked for, None is absent, and a field that is left out is one that AWS did not tell.
    An image is made of the snapshots that stand beside it.
    """
    return lambda **told: make_facts(told)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """`judge(policy, record, …, **settings)` → what was found, and the number unjudged by policy; no crash.

    A record is an ExportRecord, with its facts, or what AWS gave.
    """

    def by_one_policy(
        policy: str,
        *raws: object,
        complete: bool = True,
        at: datetime = NOW,
        own_accounts: frozenset[str] = frozenset(),
        **settings: Any,
    ) -> tuple[list[Found], dict[str, int]]:
        entries = catalogue()
        panel = Panel(entries, {policy: entries[policy].settings_type(**settings)}, at, own_accounts)
        crashes: list[Crash] = []
        one = panel.begin(crashes.append)
        found = one.judge([raw if isinstance(raw, ExportRecord) else ExportRecord(raw) for raw in raws])
        found += one.conclude(complete=complete)
        assert crashes == []
        assert {each.policy for each in found} <= {policy}
        return found, one.unjudged

    return by_one_policy
