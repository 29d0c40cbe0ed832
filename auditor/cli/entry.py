"""Where the program begins and ends: finding the command, and leaving with its exit code and last word."""

from __future__ import annotations

import gc
import pkgutil
import signal
import sys
from importlib import import_module

import click

from auditor import __version__
from auditor.cli import commands
from auditor.cli.last_word import last_word
from auditor.errors import ConfigError, UsageError

_USAGE = 2
_SIGNALLED = 128
_COLLECT_AFTER = 50_000
"""Objects made before the garbage collector looks: at Python's 700 it looks at each page, and finds nothing."""


class _Commands(click.Group):
    """Finds a command by its module, and imports no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{commands.__name__}.{cmd_name}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="auditor")
def auditor() -> None:
    """Audit Amazon Lightsail export snapshot records in every account and Region.

    Findings are what breaks a policy; what could not be looked at is never passed over. New here? Try: auditor demo
    """


def main() -> None:
    """Run the command line, and exit."""
    gc.set_threshold(_COLLECT_AFTER)
    try:
        code = auditor.main(standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        last_word(_USAGE, "the command can't be understood; nothing was audited")
        code = _USAGE
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"auditor: {problem}", err=True)
        count = len(error.problems)
        last_word(
            _USAGE, f"{count} problem{'s' if count > 1 else ''} in the configuration; nothing was audited"
        )
        code = _USAGE
    except UsageError as error:
        click.echo(f"auditor: {error}", err=True)
        last_word(_USAGE, "nothing was audited")
        code = _USAGE
    except (KeyboardInterrupt, click.Abort):
        code = _SIGNALLED + signal.SIGINT
        last_word(code, "interrupted by SIGINT before anything was written")
    sys.exit(code)
