"""Where the program begins and ends: finding the command, and leaving with its exit code and last word."""

from __future__ import annotations

import gc
import pkgutil
import signal
from importlib import import_module

import click

from auditor import __version__
from auditor.cli import commands
from auditor.cli.last_word import last_word
from auditor.cli.standard import complain, leave, prepare
from auditor.errors import CasesError, ConfigError, InterruptedRun, SinkError, UsageError

_USAGE = 2
_NOT_WRITTEN = 4
_BUG = 5
_SIGNALLED = 128
_COLLECT_AFTER = 200_000
"""Objects made before the garbage collector looks: at Python's 700 it looks at each page, and finds nothing."""


class _Commands(click.Group):
    """Finds a command by its module, and imports no other."""

    not_done = "nothing was audited"
    """What is said where the command that was asked for can't be carried out; its module's `NOT_DONE` says otherwise."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        module = import_module(f"{commands.__name__}.{name}")
        self.not_done = getattr(module, "NOT_DONE", type(self).not_done)
        return name, command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = self.list_commands(ctx)
        if cmd_name not in known:
            raise click.exceptions.NoSuchCommand(cmd_name, possibilities=known, ctx=ctx)
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
    prepare()
    leave(_run())


def _run() -> int:
    try:
        code: int = auditor.main(standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        complain(f"{error.format_message()}\n")
        code = _ended(_USAGE, "no command given")
    except click.ClickException as error:
        usage = error.ctx.get_usage() + "\n" if isinstance(error, click.UsageError) and error.ctx else ""
        complain(f"{usage}auditor: {error.format_message()}\n")
        code = _ended(_USAGE, "the command can't be understood; nothing was done")
    except ConfigError as error:
        complain("".join(f"auditor: {problem}\n" for problem in error.problems))
        count = len(error.problems)
        cases = isinstance(error, CasesError)
        where = "the cases; nothing was tested" if cases else f"the configuration; {auditor.not_done}"
        code = _ended(_USAGE, f"{count} problem{'s' if count > 1 else ''} in {where}")
    except UsageError as error:
        complain(f"auditor: {error}\n")
        code = _ended(_USAGE, auditor.not_done)
    except SinkError as error:
        code = _ended(_NOT_WRITTEN, f"not everything could be written: {error}")
    except InterruptedRun as error:
        code = _ended(error.exit_code, str(error))
    except (KeyboardInterrupt, click.Abort):
        code = _ended(_SIGNALLED + signal.SIGINT, "interrupted by SIGINT")
    except BaseException as error:  # noqa: BLE001 -- the last resort: no bug may exit as a finding, or as none
        from auditor.cli.logs import log_bug

        log_bug(error)
        code = _ended(_BUG, f"a bug of the auditor: {type(error).__name__}")
    return code


def _ended(code: int, text: str) -> int:
    last_word(code, text)
    return code
