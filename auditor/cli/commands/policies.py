"""`auditor policies`: which there are."""

from __future__ import annotations

import click


@click.command(short_help="List the policies.")
def command() -> int:
    """List the policies: id, default severity and what each finds. `auditor explain ID` tells more."""
    from auditor.policies import catalogue

    width = max(map(len, catalogue()))
    for entry in catalogue().values():
        click.echo(f"{entry.id:{width}}  {entry.settings_type().severity:8}  {entry.title}")
    return 0
