"""The audit for programs: what `import auditor` gives.

::

    import anyio
    import auditor

    config = auditor.load_config("accounts.yaml")
    result = anyio.run(auditor.run, config)
    for gap in result.gaps():
        print(gap.target.account.id, gap.target.region, gap.outcome.failure)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor import config as _config
from auditor.audit import FormatRequest, Gap, Observer, Progress, Result, RunOptions
from auditor.audit import audit as run
from auditor.aws.regions import lightsail_regions
from auditor.config import Config
from auditor.errors import (
    AuditorError,
    ConfigError,
    CredentialsError,
    Problem,
    UsageError,
)
from auditor.inventory import Filters
from auditor.model import Account, Failure, Outcome, Reason, Severity, Target, Verdict
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.config import PolicySettings

__all__ = [
    "Account",
    "AuditorError",
    "Config",
    "ConfigError",
    "CredentialsError",
    "Failure",
    "Filters",
    "FormatRequest",
    "Gap",
    "Observer",
    "Outcome",
    "Problem",
    "Progress",
    "Reason",
    "Result",
    "RunOptions",
    "Severity",
    "Target",
    "UsageError",
    "Verdict",
    "config_schema",
    "load_config",
    "run",
]


def load_config(path: str | Path, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration at `path`, checked against the policies and Regions there are.

    :param environ: what `${NAME}` reads; the process's environment unless given.
    :raises ConfigError: with everything that is wrong with it.
    """
    return _config.load_config(
        Path(path),
        policy_settings=_policy_settings(),
        known_regions=lightsail_regions(),
        environ=os.environ if environ is None else environ,
    )


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, for editors."""
    return _config.json_schema(_policy_settings(), lightsail_regions())


def _policy_settings() -> dict[str, type[PolicySettings]]:
    return {policy_id: entry.settings_type for policy_id, entry in catalogue().items()}
