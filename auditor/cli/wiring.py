"""What a command needs to begin: the configuration, checked against the policies and Regions there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from auditor.aws.regions import lightsail_regions
from auditor.config import json_schema, load_config
from auditor.policies import catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.config import Config, PolicySettings


def read_config(path: Path) -> Config:
    """Return the configuration at `path`.

    :raises ConfigError: with all that is wrong with it.
    """
    return load_config(
        path,
        policy_settings=_policy_settings(),
        known_regions=lightsail_regions(),
        environ=os.environ,
    )


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, for editors."""
    return json_schema(_policy_settings(), lightsail_regions())


def _policy_settings() -> dict[str, type[PolicySettings]]:
    return {policy_id: entry.settings_type for policy_id, entry in catalogue().items()}


def secrets_in(config: Config) -> list[str | None]:
    """Return what this process knows that must not be shown."""
    return [
        *(account.external_id for account in config.accounts),
        *(
            os.environ.get(name)
            for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
        ),
    ]
