"""Options that several commands take, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditor.cli.logs import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

F = TypeVar("F", bound="Callable[..., Any]")


class DurationType(click.ParamType["timedelta"]):
    """A duration such as 90s, 30m, 24h or 3d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration that the text says."""
        from auditor.config import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("accounts.yaml"),
    show_default=True,
    help="The configuration.",
)


def log_options(level: str) -> Callable[[F], F]:
    """Return what adds the options that choose how logs look, `level` being the default of what is logged."""

    def decorate(function: F) -> F:
        function = click.option(
            "--log-level",
            type=click.Choice(LEVELS),
            default=level,
            show_default=True,
            help="The least that is logged.",
        )(function)
        return click.option(
            "--log-format",
            type=click.Choice(("console", "json")),
            default=None,
            help="How logs look.  [default: console on a terminal, else json]",
        )(function)

    return decorate
