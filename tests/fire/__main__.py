"""`python -m tests.fire campaigns` and `python -m tests.fire soak`: what CI does for seconds, for as long as one likes."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.fire.many import Asked, command_of, run_many, summary
from tests.fire.microburst import NoMicroburst

if TYPE_CHECKING:
    from tests.fire.campaigning import Outcome


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
    many.set_defaults(do=campaigns)
    asked = parser.parse_args()
    raise SystemExit(asked.do(asked))


def campaigns(given: argparse.Namespace) -> int:
    """Run campaigns; 0 where all is well, 1 where something was found."""
    proxied = given.campaigns // 3 if given.proxied is None else given.proxied
    asked = Asked(given.campaigns, given.seed, proxied, given.workers)
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


def say(*lines: str) -> None:
    """Print lines now, and not when a buffer is full."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
