"""A loader with policies and Regions of the tests' own, so that the real ones may change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest
from pydantic import Field, model_validator

from auditor.config import Config, Duration, PolicySettings, load_config
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGIONS = ("us-west-2", "eu-west-1", "us-east-1", "eu-central-1")


class _Stale(PolicySettings):
    severity: Severity = Severity.HIGH
    max_age: Duration = timedelta(days=3)
    ignore_after: Duration | None = None

    @model_validator(mode="after")
    def _in_order(self) -> _Stale:
        if self.ignore_after is not None and self.ignore_after <= self.max_age:
            raise ValueError("ignore_after is not longer than max_age; write a longer one")
        return self


class _Oversized(PolicySettings):
    max_gb: float = Field(default=640, gt=0, description="In GB.")


class _Stuck(PolicySettings):
    max_age: Duration = timedelta(hours=24)


POLICIES: dict[str, type[PolicySettings]] = {
    "stale-failed-export": _Stale,
    "oversized-disk": _Oversized,
    "stuck-export": _Stuck,
}


class Load(Protocol):
    def __call__(self, content: str | bytes, environ: Mapping[str, str] | None = None) -> Config: ...


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    path: Path = tmp_path_factory.mktemp("config") / "accounts.yaml"

    def from_text(content: str | bytes, environ: Mapping[str, str] | None = None) -> Config:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_config(path, policy_settings=POLICIES, known_regions=REGIONS, environ=environ or {})

    return from_text


@pytest.fixture(scope="session")
def policies() -> Mapping[str, type[PolicySettings]]:
    return POLICIES


@pytest.fixture(scope="session")
def regions() -> tuple[str, ...]:
    return REGIONS
