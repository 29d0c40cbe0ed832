"""Audits Amazon Lightsail export snapshot records across accounts and Regions, and says what it could not see.

For programs: `auditor.load_config`, `auditor.run` and what they take and give, documented in `auditor.library`. They
are loaded when they are first used, so that `auditor --help` imports no AWS client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from auditor.library import (
        Account,
        AuditorError,
        Config,
        ConfigError,
        CredentialsError,
        Failure,
        Filters,
        FormatRequest,
        Gap,
        Observer,
        Outcome,
        Problem,
        Progress,
        Reason,
        Result,
        RunOptions,
        Severity,
        Target,
        UsageError,
        Verdict,
        config_schema,
        load_config,
        run,
    )

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
    "__version__",
    "config_schema",
    "load_config",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from auditor import library  # noqa: PLC0415 -- loaded when first used

    return getattr(library, name)
