"""Many campaigns, in several processes, and a summary of what was drawn, what struck, and how it ended."""

from __future__ import annotations

import gc
import math
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.fire.campaigning import Outcome, run_campaign
from tests.fire.microburst import Proxy, installed, proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_OWN = ExitStack()
"""What a worker keeps until it ends: its proxy."""
_WARM_UP = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """How many campaigns, of which seeds, and how."""

    campaigns: int
    seed: int
    """Of the first; the others follow."""
    proxied: int
    """How many of them go through microburst, spread evenly over all."""
    workers: int
    seconds: float = math.inf
    """After which no campaign begins any more."""

    def seeds(self) -> Iterator[tuple[int, bool]]:
        """Yield each seed, and whether its campaign is proxied."""
        for number in range(self.campaigns):
            through = (number + 1) * self.proxied // self.campaigns > number * self.proxied // self.campaigns
            yield self.seed + number, through


_PROXY: list[Proxy] = []


def _own_proxy(program: Path) -> Proxy:
    if not _PROXY:
        _PROXY.append(_OWN.enter_context(proxy(program)))
        multiprocessing.util.Finalize(None, _OWN.close, exitpriority=100)
        run_campaign(
            _WARM_UP, _PROXY[0], as_process=False
        )  # it reads AWS's service models once, which takes seconds
    return _PROXY[0]


def _one(seed: int, program: Path | None) -> Outcome:
    return run_campaign(seed, None if program is None else _own_proxy(program))


def _begin() -> None:
    """Leave what every campaign needs out of the look for what it has left."""
    run_campaign(_WARM_UP, as_process=False)
    gc.collect()
    gc.freeze()


def run_many(asked: Asked, tell: Callable[[Outcome, int], None]) -> list[Outcome]:
    """Run them all, and return what came of each.

    :param tell: told of each as it ends, and of how many have ended.
    :raises NoMicroburst: where it is asked for and can't be had.
    """
    program = installed() if asked.proxied else None
    outcomes: list[Outcome] = []
    # Spawned: a fork would have the parent's threads and files.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.workers, mp_context=context, initializer=_begin) as pool:
        running = [
            pool.submit(partial(_one, seed, program if proxied else None)) for seed, proxied in asked.seeds()
        ]
        began = time.monotonic()
        for done in as_completed(running):
            if time.monotonic() - began > asked.seconds:
                for each in running:
                    each.cancel()  # but for those that have begun
            if done.cancelled():
                continue
            outcomes.append(done.result())
            tell(outcomes[-1], len(outcomes))
    return outcomes


def command_of(outcome: Outcome) -> str:
    """Return the command that repeats a campaign."""
    through = " --proxied 1" if "proxied" in outcome.how else " --proxied 0"
    return f"python -m tests.fire campaigns --campaigns 1 --seed {outcome.seed}{through}"


def summary(outcomes: list[Outcome], began: float) -> str:
    """Return what was drawn, what struck, and how it ended, in a few tables."""
    exits = Counter(code for each in outcomes for code in each.exits)
    wrong = [each for each in outcomes if each.wrong]
    lines = [
        f"{len(outcomes)} campaigns, {exits.total()} runs, {time.monotonic() - began:.0f} s; {len(wrong)} failed",
        *_table("how (campaigns)", Counter(how for each in outcomes for how in each.how)),
        *_table("drawn (runs)", Counter(name for each in outcomes for name in each.drawn)),
        *_table("struck (times)", Counter(name for each in outcomes for name in each.struck)),
        *_table("targets", Counter(name for each in outcomes for name in each.verdicts)),
        *_table("exit codes (runs)", exits),
    ]
    return "\n".join(lines)


def _table(title: str, counts: Counter[str] | Counter[int]) -> list[str]:
    return ["", title, *(f"{count:>8}  {name}" for name, count in counts.most_common())]
