"""The demo: the simulator in a thread, the audit pointed at it, and where to look next."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.audit import RunOptions
from auditor.cli.last_word import last_word
from auditor.cli.logs import set_up_logs
from auditor.cli.running import run_and_tell
from auditor.cli.simulating import write_estate_config
from auditor.library import load_config
from auditor.simulator.demo import demo_estate
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from auditor.audit import Result


def demonstrate(folder: Path | None, *, quiet: bool, log_format: str | None, log_level: str) -> int:
    """Audit the demo's estate, and say what was seen."""
    now = datetime.now(UTC)
    folder = folder or Path("runs") / f"demo-{now:%Y%m%dT%H%M%SZ}"
    estate, faults = demo_estate(now)
    config_path = folder / "accounts.yaml"
    write_estate_config(estate, config_path)
    config = load_config(config_path)
    set_up_logs(log_format, log_level, config)
    click.echo(
        f"A simulated organisation of {len(estate.accounts)} accounts, in which several things go wrong.\n"
    )
    with serve_in_thread(estate, faults=faults) as running:
        # The standard ways of pointing an AWS client somewhere, and none of this machine's own.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ |= running.environ
        result = run_and_tell(config, RunOptions(folder=folder, handle_signals=True), quiet=quiet)
    _say_more(result, folder)
    last_word(0, f"the demo is over; `auditor run` would have exited with {result.exit_code}")
    return 0


def _say_more(result: Result, folder: Path) -> None:
    policy = next((policy for _, policy in sorted(result.findings)), "stale-failed-export")
    place = shlex.quote(str(folder))
    program = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "auditor" else "python -m auditor"
    click.echo("\nLook further:")
    for what, command in (
        ("a finding", f"head -n 1 {place}/findings.jsonl"),
        ("what was not read, and why", f"grep -v '\"complete\"' {place}/coverage.jsonl"),
        ("the run, as a machine reads it", f"cat {place}/run.json"),
        ("why that is a finding", f"{program} explain {policy}"),
        ("this estate, for any AWS client", f"{program} simulate"),
    ):
        click.echo(f"  # {what}\n  {command}")
