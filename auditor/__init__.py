"""Audits Amazon Lightsail export snapshot records across accounts and Regions, and says what it could not see.

For programs: `auditor.load_config`, `auditor.run` and what they take and give, documented in `auditor.library`. They
are loaded when they are first used, so that `auditor --help` imports no AWS client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from auditor.library import *  # noqa: F403 -- the library says itself what it gives


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        library = import_module("auditor.library")
        if name in library.__all__:
            return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
