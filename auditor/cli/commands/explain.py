"""`auditor explain`: one policy's page."""

from __future__ import annotations

import difflib
from pathlib import Path

import click


@click.command(short_help="Explain a policy.")
@click.argument("policy_id", metavar="ID")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=None,
    help="The configuration, for its own policies.  [default: none]",
)
def command(policy_id: str, config_path: Path | None) -> int:
    """Explain a policy: why it is there, what it finds, its settings, what to do, and examples."""
    from auditor.cli.catalogues import known_policies
    from auditor.errors import UsageError
    from auditor.model import shown

    entries, _ = known_policies(config_path)
    entry = entries.get(policy_id)
    if entry is None:
        near = difflib.get_close_matches(policy_id, list(entries), 1)
        hint = f"did you mean {near[0]}?" if near else "`auditor policies` lists them"
        raise UsageError(f"{shown(policy_id)}: no such policy; {hint}")
    click.echo(f"{entry.id}\n\n{entry.text}")
    return 0
