from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test reads the credentials or settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OTEL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    nowhere: Path = tmp_path_factory.getbasetemp() / "no-aws-config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # boto3's own session keeps the credentials that it once found, for all that come after.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()
