"""The demo: the simulator in a thread, the audit pointed at it, and where to look next."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.audit import RunOptions, choose_folder
from auditor.cli.last_word import last_word
from auditor.cli.logs import set_up_logs
from auditor.cli.running import named_folder, run_and_tell
from auditor.cli.simulating import write_estate_config
from auditor.cli.standard import say
from auditor.library import load_config
from auditor.simulator.demo import demo_estate
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from auditor.simulator.server import Running


def demonstrate(folder: str | None, *, quiet: bool, log_format: str | None, log_level: str) -> int:
    """Audit the demo's estate, and say what was seen."""
    redactor = set_up_logs(log_format, log_level)
    now = datetime.now(UTC)
    place = choose_folder(named_folder(folder) or Path("runs") / f"demo-{now:%Y%m%dT%H%M%SZ}", "demo")
    estate, faults = demo_estate(now)
    config_path = place / "accounts.yaml"
    write_estate_config(estate, config_path)
    config = load_config(config_path)
    redactor.hide(config.external_ids)
    say(f"A simulated organisation of {len(estate.accounts)} accounts, in which several things go wrong.\n\n")
    with serve_in_thread(estate, faults=faults) as running:
        _point_at(running)
        code, _ = run_and_tell(config, RunOptions(folder=place, handle_signals=True), quiet=quiet)
    _say_more(place)
    last_word(0, f"the demo is over; `auditor run` would have exited with {code}")
    return 0


def _point_at(running: Running) -> None:
    """Point this process's AWS clients at the simulator, in the standard ways, and let nothing lead elsewhere."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "*"}
    os.environ |= running.environ | nothing


def _say_more(folder: Path) -> None:
    place = shlex.quote(str(folder))
    called = sys.argv[0]
    program = (
        shlex.quote(called) if Path(called).name == "auditor" else f"{shlex.quote(sys.executable)} -m auditor"
    )
    commands = {
        "a finding": f"head -n 1 {place}/findings.jsonl",
        "what was not read, and why": f"grep -v '\"complete\"' {place}/coverage.jsonl",
        "the run, as a machine reads it": f"cat {place}/run.json",
        "what a policy finds, and why": f"{program} explain stale-failed-export",
        "this estate, for any AWS client": f"{program} simulate",
    }
    say("\nLook further:\n" + "".join(f"  # {what}\n  {command}\n" for what, command in commands.items()))
