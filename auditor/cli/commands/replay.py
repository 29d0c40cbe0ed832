"""`auditor replay`: judge a run again from its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import log_options

if TYPE_CHECKING:
    from datetime import datetime


class _Instant(click.ParamType["datetime"]):
    """An instant as RFC 3339 writes it; without an offset it is in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from datetime import UTC, datetime

        try:
            instant = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write one such as 2026-11-25T03:17:00Z", param, ctx)
        return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)


NOT_DONE = "nothing was replayed"
"""The last word where it can't be carried out as asked."""


@click.command(short_help="Judge a run again from its evidence, without AWS.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Judge by the policies and waivers of this configuration.  [default: the run's own]",
)
@click.option(
    "--now",
    metavar="TIME",
    type=_Instant(),
    help="Judge as of this instant, such as 2026-11-25T03:17:00Z.  [default: the run's own]",
)
@click.option(
    "-o",
    "output",
    metavar="FILE",
    default="-",
    show_default=True,
    help="Where the findings go, as JSON lines; - is standard output.",
)
@log_options("error")
def command(  # noqa: PLR0913 -- each is an option
    folder: Path,
    config_path: Path | None,
    now: datetime | None,
    output: str,
    *,
    log_format: str | None,
    log_level: str,
) -> int:
    """Judge what a run kept with --evidence once more, without AWS: by the run's own policies, or by others.

    The findings are those of the run, byte for byte, where configuration, policies and instant are its own. What other
    policies ask for and was not kept leaves the records unjudged by them, and is counted.

    \b
    Exit codes:
      0  everything was judged
      1  the evidence is damaged, or is not what its manifest names
      2  usage or configuration
      3  records could not be judged, or targets were not read to their end: as in
         the run, or since the evidence does not have them
      4  the findings could not be written
    """  # noqa: D301 -- \b keeps click from filling the lines
    import anyio

    from auditor.audit.replaying import replay
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.cli.replays import open_kept, outcome_of, shortfall_of, write_lines
    from auditor.errors import EvidenceFault
    from auditor.library import load_config

    set_up_logs(log_format, log_level)
    try:
        evidence, own = open_kept(folder)
        config = own if config_path is None else load_config(config_path)
        with anyio.run(replay, evidence, config, now) as replayed:
            write_lines(output, replayed.lines())
            told, shortfall = outcome_of(replayed), shortfall_of(replayed)
    except EvidenceFault as fault:
        last_word(1, f"the evidence can't be trusted: {fault}")
        return 1
    if shortfall is not None:
        last_word(3, f"{told}; {shortfall}")
        return 3
    last_word(0, told)
    return 0
