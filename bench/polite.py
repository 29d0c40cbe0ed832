"""What is measured of politeness: that throttled accounts slow down nobody else, and that a budget is kept."""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bench.candidates import audit_command
from bench.errors import BenchError
from bench.estate import REGIONS, Workload
from bench.figures import Limit, Result, spread
from bench.process import environment, run
from bench.rounds import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.process import Usage
    from bench.rounds import Rounds
    from bench.serving import Served
    from bench.sizes import Sizes

_APART = 2
"""Accounts that are throttled, or have a budget."""


def throttled(rounds: Rounds, sizes: Sizes) -> Result:
    """Two accounts throttled at every request, or not: when the last page of all others was asked for."""
    many = sizes.beside_throttled
    others = many - _APART
    result = Result(
        "throttled",
        f"empty pages, 1 page a target, 16 Regions, {many} accounts; two of them throttled, or not",
    )
    calm = Workload(many, len(REGIONS), 1, 0, apart=_APART)
    hard = Workload(many, len(REGIONS), 1, 0, apart=_APART, throttled=True)
    took: dict[Workload, list[float]] = {calm: [], hard: []}
    cpu: dict[Workload, list[float]] = {calm: [], hard: []}
    sent, ended = [], []
    for number in range(rounds.runs):
        for workload in (calm, hard) if number % 2 == 0 else (hard, calm):
            what = "two throttled" if workload.throttled else "none throttled"
            say(f"throttled: round {number + 1} of {rounds.runs}: {what}")
            try:
                used, served = _audited(rounds, workload)
            except BenchError as error:
                result.failures.append(f"throttled: {error}")
                return result
            took[workload].append(served.others_last_at - used.started)
            cpu[workload].append(used.cpu_s)
            if workload.throttled:
                sent.append(sum(map(len, served.apart)))
                ended.append(max(map(max, served.apart)) - used.started)
    for what, figures in ((f"last page of the other {others}", took), ("throttled: CPU of the run", cpu)):
        ratios = (with_two / without for with_two, without in zip(figures[hard], figures[calm], strict=True))
        result.limits.append(Limit(f"{what}, to none throttled", spread(ratios), 1.1))
    result.about += (
        f"; the other {others} were read after {spread(took[hard]).shown(2)} s beside the throttled two, "
        f"after {spread(took[calm]).shown(2)} s without; the two were sent {spread(sent).shown(0)} requests for "
        f"{_APART * len(REGIONS)} targets, the last after {spread(ended).shown(2)} s"
    )
    return result


def budget(rounds: Rounds, sizes: Sizes) -> Result:
    """Two accounts with a budget each: how near to it the server sees them, in every span."""
    rate, pages, seconds = sizes.budget
    result = Result(
        "budget",
        f"empty pages, {pages} pages a target, 16 Regions, two accounts, with {rate:g} requests a second each",
    )
    workload = Workload(_APART, len(REGIONS), pages, 0, apart=_APART, budget=rate)
    busiest, idlest, whole = [], [], []
    for number in range(rounds.runs):
        say(f"budget: round {number + 1} of {rounds.runs}")
        try:
            _, served = _audited(rounds, workload)
        except BenchError as error:
            result.failures.append(f"budget: {error}")
            return result
        for came in served.apart:
            counts = list(_in_each_span(came, seconds))
            busiest.append(max(counts) / (rate * seconds))
            idlest.append(min(counts) / (rate * seconds))
            whole.append((len(came) - 1) / (came[-1] - came[0]) / rate)
    span = f"any {seconds:g} s"
    result.limits.append(Limit(f"budget: most in {span}, to it", spread(busiest), 1.1))
    # A limit is what is not to be gone beyond: at least 0.9 of the budget is at most 0.1 below it.
    result.limits.append(
        Limit(f"budget: furthest below it, {span}", spread(1 - each for each in idlest), 0.1, "")
    )
    result.about += f"; over the whole run {spread(whole).shown(3)} of the budget"
    return result


def _in_each_span(came: Sequence[float], seconds: float) -> Iterator[int]:
    """Yield how many of these came in the seconds from each of them on, as far as these seconds are among them."""
    for begin, first in enumerate(came):
        if first + seconds > came[-1]:
            return
        yield bisect_right(came, first + seconds) - begin


def _audited(rounds: Rounds, workload: Workload) -> tuple[Usage, Served]:
    """Audit a workload, and return what that took, and what was asked for.

    :raises BenchError: where a target ended otherwise than it should.
    """
    rounds.server.reset(workload)
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        folder = Path(name)
        command = [*audit_command(workload, folder), "--min-coverage", "0"]
        used = run(command, environment(rounds.server.url))
        with (folder / "run" / "coverage.jsonl").open(encoding="utf-8") as lines:
            told = Counter((line["verdict"], line["reason"]) for line in map(json.loads, lines))
    refused = workload.apart * workload.regions if workload.throttled else 0
    due = Counter(
        {
            ("complete", None): workload.accounts * workload.regions - refused,
            ("failed", "throttled"): refused,
        }
    )
    if told != due:
        raise BenchError(f"auditor run ended with {dict(told)}, not {dict(due)}")
    return used, rounds.server.stats()
