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

import structlog

from auditor import config as _config
from auditor.audit import FormatRequest, Gap, NewFindings, Observer, Progress, Result, RunOptions, audit
from auditor.aws.regions import lightsail_regions
from auditor.config import Config
from auditor.delivery import destination_settings
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
    "NewFindings",
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


async def run(config: Config, options: RunOptions | None = None, observer: Observer | None = None) -> Result:
    """Audit what the configuration names, and return what came of it; its files are written by then.

    Logs go where the program has told structlog to send them, or else to the standard library's loggers.

    :raises UsageError: where the run can't be begun as asked; nothing is written then.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )
    return await audit(config, options, observer)


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
        destination_settings=destination_settings(),
    )


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, for editors."""
    return _config.json_schema(_policy_settings(), lightsail_regions(), destination_settings())


def _policy_settings() -> dict[str, type[PolicySettings]]:
    return {policy_id: entry.settings_type for policy_id, entry in catalogue().items()}
