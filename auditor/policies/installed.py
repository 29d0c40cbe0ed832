"""Policies of one's own in Python: classes that other distributions offer as entry points."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

from auditor.config import PolicySettings
from auditor.errors import UsageError
from auditor.model import Control, shown
from auditor.policies.contract import Policy, RecordPolicy, TargetPolicy
from auditor.policies.versions import code_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from importlib.metadata import EntryPoint

GROUP = "auditor.policies"
"""The group of entry points; the name of each is a policy's id."""


def installed_policies(taken: Collection[str]) -> Iterator[tuple[str, type[Policy[Any]], str, str]]:
    """Yield each installed policy in order of id: the id, its class, its page, and its version.

    :param taken: ids that there are already.
    :raises UsageError: where one can't be used, or two have one id; it names the distribution.
    """
    origins = dict.fromkeys(taken, "auditor itself")
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        origin = _origin(point)
        if point.name in origins:
            raise UsageError(
                f"two policies have the id {shown(point.name)}: one of {origins[point.name]}, one of {origin}; "
                f"uninstall one, or rename its entry point in the group {GROUP}"
            )
        origins[point.name] = origin
        yield point.name, *_loaded(point, origin)


def _origin(point: EntryPoint) -> str:
    # Of an entry point that was found among the installed ones, the distribution is known.
    return (
        f"the distribution {shown(point.dist.name)} {shown(point.dist.version)}" if point.dist else "nobody"
    )


def _loaded(point: EntryPoint, origin: str) -> tuple[type[Policy[Any]], str, str]:
    where = f"policy {shown(point.name)} ({shown(point.value)} of {origin})"
    try:
        loaded = point.load()
        policy: Any = getattr(loaded, "Policy", None) if isinstance(loaded, ModuleType) else loaded
        fault = _fault(policy)
        page = inspect.cleandoc(loaded.__doc__ or "")
    except (Exception, SystemExit) as error:
        told = shown(f"{type(error).__name__}: {error}")
        raise UsageError(f"{where}: can't be imported: {told}; mend it, or uninstall it") from error
    if fault is None and not page:
        fault = "it has no docstring, which is its page"
    if fault is None:
        try:
            return policy, page, code_version(inspect.getmodule(policy) or policy)
        except (OSError, TypeError):
            fault = "its source is not there, of which its version is made"
    raise UsageError(f"{where}: {fault}; mend it after docs/own-policies.md, or uninstall it")


def _fault(policy: Any) -> str | None:
    """Return why this is no policy that a run can use; None where it is one."""
    if not isinstance(policy, type) or not issubclass(policy, (RecordPolicy, TargetPolicy)):
        return "it is no class derived from RecordPolicy or TargetPolicy, nor a module with one called Policy"
    if missing := sorted(getattr(policy, "__abstractmethods__", ())):
        return f"it does not define {', '.join(missing)}"
    settings = getattr(policy, "settings_type", None)
    if not isinstance(settings, type) or not issubclass(settings, PolicySettings):
        return "its settings_type is no class derived from PolicySettings"
    settings()  # each setting has a default: a policy that is not named is on
    if not isinstance(getattr(policy, "remediation", None), str):
        return "it has no remediation, which is a text"
    if not all(isinstance(control, Control) for control in policy.controls):
        return "one of its controls is no Control"
    return None
