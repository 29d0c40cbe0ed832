"""`auditor history`: earlier runs, and the findings that they have left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path

_STATUSES = ("new", "recurring", "reopened", "not_seen", "resolved")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of text.")


@click.group(invoke_without_command=True, short_help="Show earlier runs, and the life of their findings.")
@config_option
@_json_option
@click.option(
    "--last",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many runs are shown, the newest first.",
)
@click.pass_context
def command(context: click.Context, config_path: Path, *, as_json: bool, last: int) -> int:
    """Show earlier runs: when, of what, how much of it was read, and how many findings each told of.

    Needs a history in the configuration. Asks AWS nothing, unless the history is kept in S3.
    """
    context.obj = config_path
    if context.invoked_subcommand is not None:
        return 0
    from auditor.cli.histories import document, reading, runs_table
    from auditor.cli.standard import say
    from auditor.history.reading import run_lines
    from auditor.library import load_config

    with reading(load_config(config_path)) as database:
        runs = run_lines(database, last)
    say(document("auditor.history/1", {"runs": runs}) if as_json else runs_table(runs))
    return 0


@command.command("findings", short_help="Show the findings that are open.")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(_STATUSES),
    multiple=True,
    help="Of this status.  [default: all that are open]",
)
@click.option("--account", "accounts", metavar="ID", multiple=True, help="Of this account.")
@click.option("--policy", "policies", metavar="ID", multiple=True, help="Of this policy.")
@_json_option
@click.pass_obj
def findings(
    config_path: Path,
    *,
    statuses: tuple[str, ...],
    accounts: tuple[str, ...],
    policies: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show findings as the last run that told of each has left them."""
    from auditor.cli.histories import document, findings_table, reading
    from auditor.cli.standard import say
    from auditor.history.reading import finding_lines
    from auditor.library import load_config

    with reading(load_config(config_path)) as database:
        found = finding_lines(database, statuses, accounts, policies)
    say(document("auditor.history.findings/1", {"findings": found}) if as_json else findings_table(found))
    return 0


@command.command("show", short_help="Show the life of one finding.")
@click.argument("finding_id")
@_json_option
@click.pass_obj
def show(config_path: Path, finding_id: str, *, as_json: bool) -> int:
    """Show the life of FINDING_ID, or of the one finding whose id begins like this: each turn, and why."""
    from auditor.cli.histories import document, life_text, reading
    from auditor.cli.standard import say
    from auditor.history.reading import life
    from auditor.library import load_config

    with reading(load_config(config_path)) as database:
        told = life(database, finding_id)
    say(document("auditor.history.finding/1", told) if as_json else life_text(told))
    return 0


@command.command("retire", short_help="Resolve the findings of an account that is no longer audited.")
@click.option("--account", metavar="ID", required=True, help="The account: its twelve digits.")
@click.option("--by", metavar="WHO", required=True, help="Who answers for it; kept.")
@click.option("--reason", metavar="WHY", required=True, help="Why it is no longer audited; kept.")
@click.pass_obj
def retire(config_path: Path, *, account: str, by: str, reason: str) -> int:
    """Resolve every open finding of an account, as retired: the next run tells of them, once.

    An account that leaves the configuration resolves nothing by itself: nobody has looked whether its findings are
    gone. One that is found again afterwards is reopened.
    """
    from datetime import UTC, datetime

    from auditor.cli.histories import writing
    from auditor.cli.standard import say
    from auditor.errors import UsageError
    from auditor.history.retiring import retire as retire_account
    from auditor.library import load_config
    from auditor.model import rfc3339, shown

    for option, value in (("--by", by), ("--reason", reason)):
        if not value.strip():
            raise UsageError(f"{option}: is empty; say who, and why")
    with writing(load_config(config_path), "auditor history retire") as database:
        count = retire_account(database, account, by=by, reason=reason, at=rfc3339(datetime.now(UTC)))
    say(
        f"{count} finding(s) of account {shown(account)} are resolved as retired; the next run tells of them\n"
    )
    return 0
