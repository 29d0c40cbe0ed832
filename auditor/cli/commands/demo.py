"""`auditor demo`: the audit, on an estate that comes with it."""

from __future__ import annotations

import click

from auditor.cli.options import log_options


@click.command(short_help="Audit a simulated estate, with nothing configured.")
@click.option(
    "-o",
    "folder",
    metavar="DIR",
    help="The run's folder.  [default: runs/demo-<time>]",
)
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@log_options("error")
def command(folder: str | None, *, quiet: bool, log_format: str | None, log_level: str) -> int:
    """Run the real audit against a simulated AWS on loopback, in which several things go wrong.

    Needs no AWS account and calls none. Exits 0 once it has shown it, and says what `run` would have exited with.
    """
    from auditor.cli.demonstrating import demonstrate

    return demonstrate(folder, quiet=quiet, log_format=log_format, log_level=log_level)
