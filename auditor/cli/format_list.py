"""The list of formats at the end of a command's help: found, never written down."""

from __future__ import annotations

import inspect

import click


class WithFormats(click.Command):
    """A command whose help lists the formats that there are."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and what `-f` takes."""
        from auditor.formats import formats

        super().format_options(ctx, formatter)
        with formatter.section("Formats"):
            formatter.write_dl(
                [
                    (name, _told(output_format.variants, inspect.getdoc(output_format) or ""))
                    for name, output_format in formats().items()
                ]
            )


def _told(variants: tuple[str, ...], line: str) -> str:
    return f"{line} Variants: {', '.join(variants)}." if variants else line
