"""`python -m tests.fire campaigns` and `python -m tests.fire soak`: what CI does for seconds, for as long as one likes."""

from __future__ import annotations

import argparse
import math
import sys
import time
from typing import TYPE_CHECKING

from tests.fire.many import Asked, command_of, run_many, summary
from tests.fire.microburst import NoMicroburst
from tests.fire.soaking import soak, verdict

if TYPE_CHECKING:
    from tests.fire.campaigning import Outcome
    from tests.fire.soaking import Sample

_LINES = 60
"""Of a soak's table."""


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fire", description=__doc__)
    commands = parser.add_subparsers(required=True)
    many = commands.add_parser("campaigns", help="random campaigns of faults, each repeatable by its seed")
    many.add_argument("--campaigns", type=int, default=2000, metavar="N")
    many.add_argument("--seed", type=int, default=1, metavar="N", help="of the first; the others follow")
    many.add_argument(
        "--proxied", type=int, metavar="N", help="how many go through microburst; a third, unless said"
    )
    many.add_argument("--workers", type=int, default=2, metavar="N", help="processes")
    many.add_argument("--minutes", type=float, metavar="N", help="after which no campaign begins any more")
    many.set_defaults(do=campaigns)
    long = commands.add_parser("soak", help="runs in one process for a long time: does anything grow?")
    long.add_argument("--minutes", type=float, default=30.0, metavar="N")
    long.add_argument(
        "--lifetime", type=float, default=60.0, metavar="S", help="seconds that credentials last"
    )
    long.add_argument("--seed", type=int, default=1, metavar="N")
    long.set_defaults(do=soaked)
    asked = parser.parse_args()
    raise SystemExit(asked.do(asked))


def campaigns(given: argparse.Namespace) -> int:
    """Run campaigns; 0 where all is well, 1 where something was found."""
    proxied = given.campaigns // 3 if given.proxied is None else given.proxied
    seconds = math.inf if given.minutes is None else given.minutes * 60
    asked = Asked(given.campaigns, given.seed, proxied, given.workers, seconds)
    began = time.monotonic()
    failed = 0

    def tell(outcome: Outcome, done: int) -> None:
        nonlocal failed
        if outcome.wrong:
            failed += 1
            say(f"seed {outcome.seed} failed: {outcome.story}")
            say(*(f"    {wrong}" for wrong in outcome.wrong))
            say(f"  repeat it by: {command_of(outcome)}")
        if done % 50 == 0 or done == asked.campaigns:
            say(f"{done} of {asked.campaigns}, {failed} failed, {time.monotonic() - began:.0f} s")

    try:
        outcomes = run_many(asked, tell)
    except NoMicroburst as error:
        sys.stderr.write(f"microburst can't be had: {error}\n")
        return 2
    say(summary(outcomes, began))
    return int(any(outcome.wrong for outcome in outcomes))


def soaked(given: argparse.Namespace) -> int:
    """Soak the audit; 0 where nothing grew and nothing was wrong."""
    seconds, shown = given.minutes * 60, -1.0

    def tell(sample: Sample) -> None:
        nonlocal shown
        if sample.at - shown >= seconds / _LINES:
            say(sample.line)
            shown = sample.at

    come = soak(seconds=seconds, lifetime=given.lifetime, seed=given.seed, tell=tell)
    grew, told = verdict(come.samples)
    least = come.long_seconds / given.lifetime - 1
    if come.roles_of_an_account < least:
        come.wrong.append(
            f"sessions of the long run: {come.roles_of_an_account} an account, below {least:.1f}"
        )
    say(
        f"{len(come.samples)} nights, exit codes {dict(sorted(come.exits.items()))}, {come.events} events delivered, "
        f"{come.most_due} left for the next night at most, {come.loud} warnings and errors in the logs",
        f"the long run: {come.pages} pages, {come.roles} sessions, {come.roles_of_an_account:.1f} an account",
        told,
        *come.wrong,
        *grew,
        "failed"
        if come.wrong or grew
        else "flat, and every loud line of the logs is in the ledger or run.json",
    )
    return int(bool(come.wrong or grew))


def say(*lines: str) -> None:
    """Print lines now, and not when a buffer is full."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
