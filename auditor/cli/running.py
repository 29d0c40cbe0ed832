"""A run as the command line does it: told of while it goes, summed up at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from click.core import ParameterSource

from auditor.audit import Exit, FormatRequest, audit
from auditor.audit.resuming import read_header
from auditor.cli.progress import observer
from auditor.cli.standard import expect_a_stuck_thread, say
from auditor.errors import SinkError, UsageError
from auditor.formats import STDOUT
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from auditor.audit import RunOptions
    from auditor.config import Config


def format_requests(asked: Sequence[str]) -> tuple[FormatRequest, ...]:
    """Return what the `-f` options ask for.

    :raises UsageError: where a path or variant is missing.
    """
    requests: list[FormatRequest] = []
    for text in asked:
        before, equals, path = text.partition("=")
        if equals and not path:
            raise UsageError(
                f"-f {shown(text)}: no path after the =; write -f {shown(before)} for the run's folder"
            )
        name, colon, variant = before.partition(":")
        if colon and not variant:
            raise UsageError(
                f"-f {shown(text)}: no variant after the :; write -f {shown(name)} for the usual"
            )
        requests.append(FormatRequest(name, path or None, variant or None))
    return tuple(requests)


def named_folder(name: str | None) -> Path | None:
    """Return the folder that `-o` names.

    :raises UsageError: where the name is empty.
    """
    if name == "":
        raise UsageError("-o: an empty name; name a folder, or leave -o out")
    return None if name is None else Path(name)


_AS_BEFORE = {
    "folder": "-o",
    "formats": "-f",
    "policies": "--policy",
    "accounts": "--account",
    "regions": "--region",
}
"""Options that a run which goes on has from its beginning."""


def configuration_of(resume: Path, context: click.Context) -> Path:
    """Return the configuration of a run that goes on: the one that is named, or else the one that it began with.

    :raises UsageError: where an option would make it another run, or there is none.
    """
    given = [
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    for name in given:
        if name in _AS_BEFORE:
            raise UsageError(f"--resume goes on as the run was asked: leave {_AS_BEFORE[name]} out")
    header = read_header(resume)
    return Path(context.params["config_path"] if "config_path" in given else header.config_path)


def run_and_tell(config: Config, options: RunOptions, *, quiet: bool) -> tuple[int, str]:
    """Run the audit and print its summary; return the exit code, and why it is that."""
    with observer(quiet=quiet) as watching:
        result = anyio.run(audit, config, options, watching)
    if result.gave_up:
        expect_a_stuck_thread()
    held = [condition.text for condition in result.conditions]
    if result.is_cut_off:
        held.append(f"go on with it by: auditor run --resume {shlex.quote(str(result.folder))}")
    code = result.exit_code
    if not any(request.path == STDOUT for request in options.formats):
        from auditor.cli.summary import summary  # what draws tables need not hold up the first request

        try:
            say(summary(result))
        except SinkError as error:
            held.append(f"the summary could not be written: {error}")
            if code in (Exit.CLEAN, Exit.FINDINGS, Exit.INCOMPLETE):
                code = Exit.NOT_WRITTEN
                held.insert(0, held.pop())
    clean = "everything planned was audited and judged, and nothing found that counts"
    return int(code), "; ".join(held) or clean
