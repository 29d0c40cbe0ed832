"""`auditor doctor`: does each account let a run in, and what is to be done where it does not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option, log_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Try what a run needs in each account.")
@config_option
@click.option(
    "--account", "accounts", metavar="ID", multiple=True, help="Try this account alone; may be repeated."
)
@click.option(
    "--region",
    "regions",
    metavar="R",
    multiple=True,
    help="Try in this Region; may be repeated.  [default: one of each account's]",
)
@click.option(
    "--probe-external-id",
    is_flag=True,
    help="Try as well that no role can be assumed without its ExternalId. Each such try is an AccessDenied event in "
    "the account's CloudTrail, which may raise an alarm: so it is off by default.",
)
@click.option("--allow-http", is_flag=True, help="Let calls go over plain http to another machine.")
@log_options("error")
def command(  # noqa: PLR0913 -- each is an option
    config_path: Path,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    *,
    probe_external_id: bool,
    allow_http: bool,
    log_format: str | None,
    log_level: str,
) -> int:
    """Try, for each account, what a run needs, and say what to fix.

    The role is assumed, and each source that an enabled policy uses is called once, in one Region. Nothing is
    audited or written.

    \b
    Exit codes:
      0  all is well
      2  usage, configuration, base credentials or hub: no account was tried
      3  something is to be fixed
    """  # noqa: D301 -- \b keeps click from filling the lines
    import anyio

    from auditor.audit.doctor import DoctorOptions, examine
    from auditor.cli.diagnoses import told
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.cli.standard import say
    from auditor.library import load_config

    redactor = set_up_logs(log_format, log_level)
    config = load_config(config_path)
    redactor.hide(config.secrets)
    options = DoctorOptions(accounts, regions, probe_external_id=probe_external_id, allow_http=allow_http)
    diagnoses = anyio.run(examine, config, options)
    say(told(diagnoses))
    ill = sum(bool(one.problems) for one in diagnoses)
    if ill:
        last_word(3, f"{ill} of {len(diagnoses)} account(s) have something to be fixed")
        return 3
    tried = sum(bool(one.well) for one in diagnoses)
    last_word(0, f"all is well in {tried} account(s)")
    return 0
