"""`auditor explain`: one policy's page."""

from __future__ import annotations

import difflib

import click


@click.command(short_help="Explain a policy.")
@click.argument("policy_id", metavar="ID")
def command(policy_id: str) -> int:
    """Explain a policy: why it is there, what it finds, its settings, what to do, and examples."""
    from auditor.errors import UsageError
    from auditor.model import shown
    from auditor.policies import catalogue

    entry = catalogue().get(policy_id)
    if entry is None:
        near = difflib.get_close_matches(policy_id, list(catalogue()), 1)
        hint = f"did you mean {near[0]}?" if near else "`auditor policies` lists them"
        raise UsageError(f"{shown(policy_id)}: no such policy; {hint}")
    click.echo(f"{entry.id}\n\n{entry.text}")
    return 0
