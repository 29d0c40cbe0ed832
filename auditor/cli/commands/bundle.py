"""`auditor bundle`: one archive for an auditor."""

from __future__ import annotations

from pathlib import Path

import click

NOT_DONE = "nothing was bundled"
"""The last word where it can't be carried out as asked."""


@click.command(short_help="Make one archive of a run and its evidence, for an auditor.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "-o",
    "output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="The archive, a ZIP file that must not be there yet.",
)
def command(folder: Path, output: Path) -> int:
    """Make one archive of a run that was given --evidence.

    It holds the report, the findings as a table, the controls by framework, the run's folder with its evidence, and a
    page that tells how to check it without this tool. Every file is held against the manifest as it is packed.

    \b
    Exit codes:
      0  the archive is there
      1  the evidence is damaged, or is not what its manifest names
      2  usage, or there is no evidence
      4  the archive could not be written
    """  # noqa: D301 -- \b keeps click from filling the lines
    from auditor.audit.bundling import Bundle
    from auditor.cli.last_word import last_word
    from auditor.cli.replays import open_kept
    from auditor.errors import EvidenceFault
    from auditor.model import shown

    try:
        evidence, config = open_kept(folder)
        Bundle(evidence, config).write(output)
    except EvidenceFault as fault:
        last_word(1, f"the evidence can't be trusted: {fault}")
        return 1
    last_word(0, f"{shown(str(output))} is made")
    return 0
