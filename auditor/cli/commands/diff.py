"""`auditor diff`: what has changed between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Show what has changed between two runs.")
@click.argument("older", metavar="RUN")
@click.argument("newer", metavar="RUN")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of text.")
def command(config_path: Path, older: str, newer: str, *, as_json: bool) -> int:
    """Show which findings are new, reopened, resolved, not seen or still open in the second run.

    A RUN is a run's id, or how it begins, or `latest` or `previous` of those that have finished:
    `auditor diff previous latest`. Needs a history in the configuration.

    Exits 0 whatever has changed; 2 where a run is not there, or did not finish.
    """
    from auditor.cli.histories import difference_text, document, reading
    from auditor.cli.standard import say
    from auditor.history.reading import difference
    from auditor.library import load_config

    with reading(load_config(config_path)) as database:
        told = difference(database, older, newer)
    say(document("auditor.diff/1", told) if as_json else difference_text(told))
    return 0
