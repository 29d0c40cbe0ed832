"""`auditor accounts`: which would be audited, from where, and which not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option, log_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Show which accounts would be audited, and why others are not.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of a table.")
@click.option("--allow-http", is_flag=True, help="Let calls go over plain http to another machine.")
@log_options("warning")
def command(
    config_path: Path, *, as_json: bool, allow_http: bool, log_format: str | None, log_level: str
) -> int:
    """Show which accounts a run would audit, where each comes from, and why any other is left out.

    Asks AWS Organizations where the configuration has an organization, and nobody where it has none.

    Exits 0; 2 where nothing is known of the accounts; 3 where the organization could not be read, and the list alone
    is shown.
    """
    from auditor.cli.accounts import show_accounts
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.library import load_config

    redactor = set_up_logs(log_format, log_level)
    config = load_config(config_path)
    redactor.hide(config.secrets)
    code, why = show_accounts(config, as_json=as_json, allow_http=allow_http)
    if code:
        last_word(code, why)
    return code
