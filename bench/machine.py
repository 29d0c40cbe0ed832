"""Where, when and with what it was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_PACKAGES = ("auditor", "aiobotocore", "botocore", "boto3", "aiohttp", "orjson")


def described() -> dict[str, str]:
    """Return the date, the machine and the versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
    }


def load() -> str:
    """Return how busy the machine is: others on these cores are in the figures too."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def _version(name: str) -> str:
    # Read from the metadata: an import would make this process as large as what it measures.
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
