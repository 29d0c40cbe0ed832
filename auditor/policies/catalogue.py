"""Every policy there is: the built-in ones, those that are installed, and those that a configuration says."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from auditor.config import ExpressionSettings
from auditor.policies import builtin, own
from auditor.policies.installed import installed_policies
from auditor.policies.versions import code_version

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
    """Of the policy's code and the data it rests on, or of its settings where those are all of it: another where a
    single byte is."""

    @property
    def title(self) -> str:
        """The first line of the page."""
        return self.text.partition("\n")[0]

    @property
    def settings_type(self) -> type[PolicySettings]:
        """What the configuration may set for it."""
        return self.policy.settings_type


@cache
def built_in() -> Mapping[str, Entry]:
    """Return every policy that comes with the program by its id, in order of id."""
    names = sorted(module.name for module in pkgutil.iter_modules(builtin.__path__))
    return {entry.id: entry for entry in map(_entry, names)}


@cache
def catalogue() -> Mapping[str, Entry]:
    """Return every policy that needs no configuration by its id, in order of id: the installed ones are among them.

    :raises UsageError: where an installed one can't be used.
    """
    entries = dict(built_in())
    for policy_id, policy, page, version in installed_policies(built_in()):
        entries[policy_id] = Entry(policy_id, policy, page, version)
    return {policy_id: entries[policy_id] for policy_id in sorted(entries)}


def catalogue_of(settings: Mapping[str, PolicySettings]) -> Mapping[str, Entry]:
    """Return a run's own catalogue: every policy there is, and those that are said by these settings.

    :raises UsageError: as above.
    """
    said = {
        policy_id: Entry(policy_id, own.policy_class(each), own.page(each), own.version(each))
        for policy_id, each in settings.items()
        if isinstance(each, ExpressionSettings)
    }
    return {**catalogue(), **said}


def _entry(name: str) -> Entry:
    module = import_module(f"{builtin.__name__}.{name}")
    page = inspect.cleandoc(module.__doc__ or "")
    return Entry(name.replace("_", "-"), module.Policy, page, code_version(module))
