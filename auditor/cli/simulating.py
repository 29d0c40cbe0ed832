"""The simulated estate as the command line serves it."""

from __future__ import annotations

import asyncio
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.aws.regions import lightsail_regions
from auditor.cli.standard import say
from auditor.errors import UsageError
from auditor.model import shown
from auditor.simulator.demo import demo_estate
from auditor.simulator.estate import Estate, generate
from auditor.simulator.server import serve

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.faults import Fault
    from auditor.simulator.server import Running


def serve_estate(*, port: int, seed: int | None, accounts: int, write_config: Path | None) -> int:
    """Serve an estate until Ctrl-C, and say how to point a client at it."""
    estate, faults = _estate(seed, accounts)

    def ready(running: Running) -> None:
        lines = ["# Serving. Point any AWS client at it with:"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in running.environ.items()]
        if write_config is not None:
            write_estate_config(estate, write_config)
            lines.append(f"# Then audit it: auditor run -c {shlex.quote(str(write_config))}")
        say("\n".join((*lines, "# Ctrl-C ends it.", "")))

    try:
        asyncio.run(serve(estate, faults=faults, port=port, ready=ready))
    except KeyboardInterrupt:
        say("# Ended.\n")
    return 0


def write_estate_config(estate: Estate, path: Path) -> None:
    """Write the configuration that audits the estate.

    :raises UsageError: where it can't be written, or something stands there already.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(estate.accounts_yaml())
    except FileExistsError as error:
        raise UsageError(f"{shown(str(path))}: exists already; name another file, or move it away") from error
    except OSError as error:
        raise UsageError(f"{shown(str(path))}: can't be written: {error.strerror}") from error


def _estate(seed: int | None, accounts: int) -> tuple[Estate, tuple[Fault, ...]]:
    now = datetime.now(UTC)
    if seed is None:
        return demo_estate(now)
    return generate(seed, accounts=accounts, regions=lightsail_regions(), now=now), ()
