"""`auditor policies`: which there are; `auditor policies test`: whether they find what they should."""

from __future__ import annotations

from pathlib import Path

import click

_config = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=None,
    help="The configuration, for its own policies and its settings.  [default: none]",
)


@click.group(invoke_without_command=True, short_help="List the policies, or test your own.")
@_config
@click.pass_context
def command(ctx: click.Context, config_path: Path | None) -> int | None:
    """List the policies: id, severity and what each finds. `auditor explain ID` tells more."""
    ctx.obj = config_path
    if ctx.invoked_subcommand is not None:
        return None
    from auditor.cli.catalogues import known_policies

    entries, settings = known_policies(config_path)
    width = max(map(len, entries))
    for entry in entries.values():
        click.echo(f"{entry.id:{width}}  {settings[entry.id].severity:8}  {entry.title}")
    return 0


@command.command("test", short_help="Run your own cases of policies.")
@_config
@click.argument("paths", metavar="CASES.yaml...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def test(ctx: click.Context, config_path: Path | None, paths: tuple[Path, ...]) -> int:
    """Run your own cases of policies, without a call to AWS: a record, its facts, and what must be found.

    docs/own-policies.md shows how a case is written. Prints each case that fails.

    \b
    Exit codes:
      0  each case went as expected
      1  some did not
      2  usage, configuration, or a file of cases that can't be used
    """  # noqa: D301 -- \b keeps click from filling the lines
    from auditor.cli.last_word import last_word
    from auditor.cli.testing import run_cases

    code, why = run_cases(config_path or ctx.obj, paths)
    last_word(code, why)
    return code
