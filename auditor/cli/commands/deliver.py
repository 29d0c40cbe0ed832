"""`auditor deliver`: send what is left of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.options import DurationType, config_option, log_options

if TYPE_CHECKING:
    from datetime import timedelta


NOT_DONE = "nothing was sent"
"""The last word where it can't be carried out as asked."""


@click.command(short_help="Send what earlier runs could not deliver.")
@config_option
@click.option(
    "-o",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    show_default=True,
    help="Where dead-letter.jsonl is written, with what a destination refuses for good.",
)
@click.option(
    "--drop",
    "dropped",
    metavar="NAME",
    multiple=True,
    help="Let go of what waits for a destination that the configuration no longer names: it is never sent, and each "
    "event is written to dead-letter.jsonl. May be repeated.",
)
@click.option(
    "--deadline",
    metavar="DURATION",
    type=DurationType(),
    default="10m",
    show_default=True,
    help="End after this long, whatever is left.",
)
@click.option("--allow-http", is_flag=True, help="Let events go over plain http to another machine.")
@log_options("info")
def command(  # noqa: PLR0913 -- each is an option
    config_path: Path,
    folder: Path,
    dropped: tuple[str, ...],
    deadline: timedelta,
    *,
    allow_http: bool,
    log_format: str | None,
    log_level: str,
) -> int:
    """Send what waits in the history for the destinations of a configuration.

    Each event leaves the history once its destination has taken it, or has refused it for good and it is written to
    dead-letter.jsonl. What may have been sent before is sent again: receivers drop the copy by its event_id.

    \b
    Exit codes:
      0  nothing is left
      2  usage or configuration, or a run is at the history: nothing was sent
      4  something is left, or was refused for good
    """  # noqa: D301 -- \b keeps click from filling the lines
    import anyio

    from auditor.audit.delivering import check_drop, deliver, drop, unnamed
    from auditor.audit.start import judged_policies
    from auditor.cli.histories import writing
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.delivery import DeadLetters, make_destinations
    from auditor.history.outbox import Outbox
    from auditor.library import load_config
    from auditor.model import shown
    from auditor.policies import catalogue_of

    redactor = set_up_logs(log_format, log_level)
    config = load_config(config_path)
    redactor.hide(config.secrets)
    policies = judged_policies(config, catalogue_of(config.policies), config.policies)
    destinations = make_destinations(config.destinations, allow_http=allow_http, policies=policies)
    with writing(config, holder="auditor deliver") as database:
        outbox = Outbox(database.transaction)
        check_drop(dropped, outbox.left(), destinations)
        dead_letters = DeadLetters(folder)
        lost = {name: drop(name, outbox, dead_letters) for name in dict.fromkeys(dropped)}
        reports = anyio.run(deliver, outbox, destinations, dead_letters, deadline)
        faults = [report.fault for report in reports if report.fault]
        faults += unnamed(outbox.left(), destinations)
    said = "".join(
        f"{count} event(s) for {shown(name)} are lost to it, each in {shown(str(dead_letters.path))}; "
        for name, count in lost.items()
    )
    said += f"{sum(report.taken for report in reports)} event(s) delivered"
    if faults:
        last_word(4, f"{said}; not all: {'; '.join(faults)}")
        return 4
    last_word(0, f"{said}, nothing is left")
    return 0
