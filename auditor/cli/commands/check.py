"""`auditor check`: is this configuration valid?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Validate a configuration without a call to AWS.")
@config_option
@click.option(
    "--schema",
    is_flag=True,
    help="Print the JSON Schema of the configuration, for editors, and check nothing.",
)
def command(config_path: Path, *, schema: bool) -> int:
    """Validate a configuration without a call to AWS: exit 0 if it is valid, 2 with every problem in it if not."""
    from datetime import UTC, datetime

    from auditor.audit.start import judged_policies
    from auditor.delivery import make_destinations
    from auditor.library import config_schema, load_config
    from auditor.model import shown
    from auditor.policies import catalogue_of, sources_of
    from auditor.waivers import ended

    if schema:
        click.echo(json.dumps(config_schema(), indent=2))
        return 0
    config = load_config(config_path)
    policies = judged_policies(config, catalogue_of(config.policies), config.policies)
    # Looked at as before a run, and let go of: where events may go over plain http is the run's to say.
    make_destinations(config.destinations, allow_http=True, policies=policies)
    places = sum(len(account.regions) for account in config.accounts)
    enabled = {policy_id: settings for policy_id, settings in config.policies.items() if settings.enabled}
    targets = places * len(sources_of(catalogue_of(config.policies), enabled)) if enabled else 0
    found = ", and those of the organization (see `auditor accounts`)" if config.organization else ""
    click.echo(
        f"{shown(config.path)} is valid: {len(config.accounts)} accounts, {targets} targets, "
        f"{len(enabled)} policies{found}"
    )
    for warning in ended(config, datetime.now(UTC).date()):
        click.echo(f"auditor: warning: {shown(warning)}", err=True)
    return 0
