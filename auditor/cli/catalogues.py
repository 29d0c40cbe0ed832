"""The policies that a command can speak of: those there are, and those that a configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.policies import catalogue, catalogue_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditor.config import PolicySettings
    from auditor.policies import Entry


def known_policies(config_path: Path | None) -> tuple[Mapping[str, Entry], Mapping[str, PolicySettings]]:
    """Return every policy and its settings: those of the configuration, or their defaults without one.

    :raises UsageError: where the configuration, or an installed policy, can't be used.
    """
    if config_path is None:
        return catalogue(), {policy_id: entry.settings_type() for policy_id, entry in catalogue().items()}
    from auditor.library import load_config  # what knows the Regions takes its time

    settings = load_config(config_path).policies
    return catalogue_of(settings), settings
