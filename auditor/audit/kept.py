"""What a run is made by and with, for its evidence: configuration, policies and environment, without a secret."""

from __future__ import annotations

import inspect
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

import orjson

from auditor import __version__
from auditor.config import settings_digest
from auditor.evidence.canaries import holds_secret
from auditor.evidence.layout import CONFIGURATION, ENVIRONMENT, NEEDS, POLICIES
from auditor.policies import built_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditor.audit.preparing import Ready, Run
    from auditor.config import PolicySettings
    from auditor.evidence.chain import Previous
    from auditor.policies import Entry

_WITHHELD = "WITHHELD"
_NAME = re.compile("[A-Za-z0-9._-]+")
"""Of a package, at the beginning of what is required of it."""


def documents(run: Run, ready: Ready, previous: Previous) -> dict[str, bytes]:
    """Return the documents by the name of their file."""
    secrets = run.config.secrets
    public = {account.id for account in run.config.accounts} | {
        account.name for account in run.config.accounts
    }
    hidden = [secret for secret in secrets if secret not in public]
    told = {
        CONFIGURATION: run.config.document,
        POLICIES: {
            policy_id: _policy(run.entries[policy_id], settings)
            for policy_id, settings in ready.plan.policies.items()
        },
        ENVIRONMENT: {**_environment(run, ready), "previous": previous.told()},
    }
    return {name: orjson.dumps(_without(each, hidden)) + b"\n" for name, each in told.items()}


def _policy(entry: Entry, settings: PolicySettings) -> dict[str, Any]:
    return {
        "version": entry.version,
        "digest": settings_digest(settings, entry.version),
        "settings": settings.model_dump(mode="json"),
        "text": entry.text,
        # Of ours the version tells it; an expression stands in the settings.
        "code": None if entry.id in built_in() or hasattr(settings, "expression") else _code(entry),
    }


def _code(entry: Entry) -> str | None:
    try:
        return inspect.getsource(sys.modules[entry.policy.__module__])
    except (OSError, TypeError):
        return None


def _environment(run: Run, ready: Ready) -> dict[str, Any]:
    config = run.config
    return {
        "auditor": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": dict(_packages()),
        "caller_arn": ready.caller,
        "endpoint_overrides": ready.clients.endpoint_overrides,
        "configuration": config.path,
        "config_digest": config.digest,
        "filters": {
            "policies": run.options.filters.policies,
            "accounts": run.options.filters.accounts,
            "regions": run.options.filters.regions,
        },
        "own_accounts": sorted(ready.plan.own_accounts),
        "history": config.history.store.name if config.history else None,
        "destinations": {each.name: each.settings.type for each in config.destinations},
    }


def _packages() -> Iterator[tuple[str, str]]:
    """Yield what the auditor rests on that is installed, each with its version."""
    named = {match[0] for each in requires("auditor") or () if (match := _NAME.match(each))}
    for name in sorted({*named, "botocore", *NEEDS}):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed


def _without(value: Any, secrets: Collection[str]) -> Any:
    """Return `value` with every text withheld in which a secret stands."""
    if isinstance(value, str):
        told = holds_secret(value.encode("utf-8", "surrogatepass"), secrets, is_page=True)
        return _WITHHELD if told else value
    if isinstance(value, list | tuple):
        return [_without(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _without(item, secrets) for key, item in value.items()}
    return value
