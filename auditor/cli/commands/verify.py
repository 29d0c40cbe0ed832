"""`auditor verify`: is this evidence what was recorded?"""

from __future__ import annotations

from pathlib import Path

import click

NOT_DONE = "nothing was verified"
"""The last word where it can't be carried out as asked."""


@click.command(short_help="Verify the evidence of a run, offline.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public key (PEM) that the signature is held against.",
)
@click.option(
    "--allow-unsigned", is_flag=True, help="Take evidence without a signature, or without --key, as it is."
)
@click.option(
    "--after",
    metavar="DIR",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The run before, which this one has to name; may be repeated, the latest first.",
)
def command(folder: Path, key: Path | None, after: tuple[Path, ...], *, allow_unsigned: bool) -> int:
    """Verify that the evidence of the run in DIR is what was recorded, without a call to anyone.

    Held against each other: the signature and the key, every file and its digest, the ledger and the answers, each
    answer and the ones before it, and the findings and what follows from the answers. What is wrong is told on
    standard output, a line for each thing.

    Exits 0 where all is well, 1 where anything is wrong, 2 where there is nothing to verify.
    """
    from auditor.audit.contradictions import contradictions
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.cli.replays import own_configuration
    from auditor.cli.standard import say
    from auditor.evidence.layout import check_installed
    from auditor.evidence.signing import load_public_key
    from auditor.evidence.verifying import faults_of
    from auditor.model import shown

    set_up_logs("console", "error")
    check_installed("verify")
    public = load_public_key(key) if key is not None else None
    count = 0
    faults = faults_of(
        folder,
        key=public,
        allow_unsigned=allow_unsigned,
        after=after,
        follow=lambda evidence: contradictions(evidence, own_configuration),
    )
    for fault in faults:
        count += 1
        say(f"{fault}\n")
    name = shown(str(folder))
    if count:
        last_word(1, f"{name}: {count} thing{'s' if count > 1 else ''} wrong")
        return 1
    signed = "" if public is not None else "; no signature was checked"
    last_word(0, f"{name}: the evidence is what was recorded{signed}")
    return 0
