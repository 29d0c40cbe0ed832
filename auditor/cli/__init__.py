"""The command line: one command a module of `auditor.cli.commands`; each parses, wires, prints and exits.

Nothing here imports an AWS client before a command that needs one runs: `auditor --help` is for looking things up.
"""

from auditor.cli.entry import main

__all__ = ["main"]
