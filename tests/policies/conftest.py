"""One policy, put to work on records of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditor.model import ExportRecord
from auditor.policies import Panel, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Crash, Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    Ago = Callable[..., float]

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


@pytest.fixture(scope="session")
def judge() -> Judge:
    """`judge(policy, record, …, **settings)` → what was found, and the number unjudged by policy; no crash."""

    def by_one_policy(
        policy: str, *raws: object, complete: bool = True, at: datetime = NOW, **settings: Any
    ) -> tuple[list[Found], dict[str, int]]:
        entries = catalogue()
        panel = Panel(entries, {policy: entries[policy].settings_type(**settings)}, at)
        crashes: list[Crash] = []
        one = panel.begin(crashes.append)
        found = one.judge([ExportRecord(raw) for raw in raws])
        found += one.conclude(complete=complete)
        assert crashes == []
        assert {each.policy for each in found} <= {policy}
        return found, one.unjudged

    return by_one_policy
