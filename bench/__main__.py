"""The command: `python -m bench`."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from bench import cores, custodian, machine, report
from bench.rounds import Rounds, say
from bench.scenarios import SCENARIOS
from bench.serving import serving
from bench.sizes import FULL, QUICK

_FEWEST_RUNS = 3
"""A median of less says little."""


@click.command()
@click.option("--scenario", "names", multiple=True, type=click.Choice(list(SCENARIOS)), help="Default: all.")
@click.option("--runs", type=click.IntRange(min=1), help="Runs of each candidate.  [default: 3, quick 1]")
@click.option("--accounts", type=click.IntRange(min=1), help="Of records, empty and latency.  [default: 100]")
@click.option("--slow-accounts", type=click.IntRange(min=1), help="Of the two slow clients.  [default: 10]")
@click.option("--quick", is_flag=True, help="Tiny sizes: shows in under a minute that it works.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Every figure, to a file."
)
def main(  # noqa: PLR0913 -- click passes each option by its name
    *,
    names: tuple[str, ...],
    runs: int | None,
    accounts: int | None,
    slow_accounts: int | None,
    quick: bool,
    json_file: Path | None,
) -> None:
    """Measure what the audit costs.

    c7n-org is installed into an environment of its own the first time, in `.bench/`; --quick leaves it out before that.

    Exits 0 once everything was measured, whether or not it keeps the limits; 1 where a candidate failed or read
    something else than what was served.
    """
    if not names:
        names = tuple(SCENARIOS)
        if quick and not custodian.ENVIRONMENT.exists:
            # Installing takes as long as all else of --quick, and needs PyPI.
            names = tuple(name for name in names if name != custodian.SCENARIO)
            say(f"{custodian.SCENARIO}: left out, until `--scenario {custodian.SCENARIO}` has installed it")
    sizes = QUICK if quick else FULL
    most = accounts or sizes.accounts
    sizes = replace(sizes, accounts=most, slow_accounts=min(most, slow_accounts or sizes.slow_accounts))
    runs = runs or (1 if quick else _FEWEST_RUNS)
    where = cores.choose()
    told = machine.described() | {"cores": str(where), "runs": str(runs)}
    before = machine.load()
    cores.pin(where.measured)
    with serving(where.server) as server:
        rounds = Rounds(server, runs)
        results = [SCENARIOS[name](rounds, sizes) for name in names]
    told["load"] = f"{before} before, {machine.load()} after (1, 5, 15 minutes)"
    judged = runs >= _FEWEST_RUNS and sizes == FULL
    for line in report.lines(told, results, judged=judged):
        click.echo(line)
    if json_file is not None:
        written = {"machine": told, "sizes": asdict(sizes), "results": [asdict(result) for result in results]}
        json_file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if any(result.failures for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
