"""Every policy there is, found by looking into `auditor.policies.builtin`."""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from auditor.policies import builtin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.config import PolicySettings
    from auditor.policies.contract import Policy


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of the catalogue."""

    id: str
    policy: type[Policy[Any]]
    text: str
    """The policy's page: its module's docstring."""

    version: str
    """Of the policy's code: another where a single byte of it is."""

    @property
    def title(self) -> str:
        """The first line of the page."""
        return self.text.partition("\n")[0]

    @property
    def settings_type(self) -> type[PolicySettings]:
        """What the configuration may set for it."""
        return self.policy.settings_type


@cache
def catalogue() -> Mapping[str, Entry]:
    """Return every policy by its id, in order of id."""
    names = sorted(module.name for module in pkgutil.iter_modules(builtin.__path__))
    return {entry.id: entry for entry in map(_entry, names)}


def _entry(name: str) -> Entry:
    module = import_module(f"{builtin.__name__}.{name}")
    version = hashlib.sha256(inspect.getsource(module).encode()).hexdigest()[:12]
    return Entry(name.replace("_", "-"), module.Policy, inspect.cleandoc(module.__doc__ or ""), version)
