"""`auditor simulate`: an AWS estate on loopback, for any AWS client."""

from __future__ import annotations

from pathlib import Path

import click

_DEFAULT_PORT = 8766


@click.command(short_help="Serve a simulated AWS estate on loopback.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="0 takes any free port.",
)
@click.option(
    "--seed", type=int, default=None, help="Another estate than the demo's: the same seed, the same estate."
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 5000),
    default=3,
    show_default=True,
    help="How many accounts it has; with --seed.",
)
@click.option(
    "--write-config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a configuration for it, to audit it with.",
)
def command(port: int, seed: int | None, accounts: int, write_config: Path | None) -> int:
    """Serve the demo's estate, or one made from a seed, until Ctrl-C.

    It speaks real AWS protocol, checks signatures, and prints the environment that points any AWS client at it.
    """
    from auditor.cli.simulating import serve_estate

    return serve_estate(port=port, seed=seed, accounts=accounts, write_config=write_config)
