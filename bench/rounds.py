"""Rounds: in each, every candidate reads its workload once, so that slow changes of the machine touch all alike."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.candidates import FLOOR
from bench.errors import BenchError
from bench.figures import Result, Row, Spread, spread
from bench.sample import Sample, measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.candidates import Candidate
    from bench.estate import Workload
    from bench.serving import Server


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate and the workload that it reads in a scenario."""

    candidate: Candidate
    workload: Workload
    with_net: bool = False
    """Whether one target alone is measured beside it, to be subtracted."""


@dataclass(slots=True)
class Rounds:
    """Takes samples, in rounds, of entries; a candidate that failed once is out of the scenario."""

    server: Server
    runs: int
    _warm: set[str] = field(default_factory=set)

    def take(self, result: Result, entries: list[Entry]) -> dict[int, list[Sample]]:
        """Return the samples of each entry, by its place, and add its row to the result."""
        wholes: dict[int, list[Sample]] = defaultdict(list)
        alones: dict[int, list[Sample]] = defaultdict(list)
        failed: set[int] = set()
        for number in range(self.runs):
            # Forth and back, so that none is always first.
            for at in range(len(entries)) if number % 2 == 0 else reversed(range(len(entries))):
                if at in failed:
                    continue
                entry = entries[at]
                say(f"{result.scenario}: round {number + 1} of {self.runs}: {entry.candidate.name}")
                try:
                    self._warm_up(entry)
                    if entry.with_net:
                        alones[at].append(measure(entry.candidate, entry.workload.alone, self.server))
                    wholes[at].append(measure(entry.candidate, entry.workload, self.server))
                except (BenchError, OSError, ValueError, KeyError) as error:
                    # What a candidate wrote may be of any form; the others are measured all the same.
                    failed.add(at)
                    failure = f"{result.scenario}: {entry.candidate.name}: {type(error).__name__}: {error}"
                    result.failures.append(failure)
                    say(f"FAILED: {failure.splitlines()[0]}")
        whole = {at: samples for at, samples in sorted(wholes.items()) if at not in failed}
        for at, samples in whole.items():
            result.rows.append(_row(entries[at], samples, alones[at]))
        _compare(result, entries, whole, alones)
        return whole

    def _warm_up(self, entry: Entry) -> None:
        # Byte code compiled and files read into the system's cache: once, and in nobody's figures.
        if entry.candidate.name not in self._warm:
            measure(entry.candidate, entry.workload.alone, self.server)
            self._warm.add(entry.candidate.name)


def paired(
    above: list[Sample],
    below: list[Sample],
    figure: Callable[[Sample], float] = lambda sample: sample.cpu_ms_a_page,
) -> Spread:
    """Return the ratios of a figure, round by round."""
    return spread(figure(one) / figure(other) for one, other in zip(above, below, strict=True))


def say(line: str) -> None:
    """Tell on standard error how far it is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _compare(
    result: Result, entries: list[Entry], whole: dict[int, list[Sample]], alones: dict[int, list[Sample]]
) -> None:
    floor = next((at for at in whole if entries[at].candidate is FLOOR), None)
    if floor is None:
        return
    for place, (at, samples) in enumerate(whole.items()):
        compared = replace(result.rows[place], to_floor=paired(samples, whole[floor]))
        if alones[at] and alones[floor]:
            net = map(Sample.net_of, samples, alones[at])
            floor_net = map(Sample.net_of, whole[floor], alones[floor])
            ratios = (one / other for one, other in zip(net, floor_net, strict=True))
            compared = replace(compared, net_to_floor=spread(ratios))
        result.rows[place] = compared


def _row(entry: Entry, samples: list[Sample], alone: list[Sample]) -> Row:
    return Row(
        candidate=entry.candidate.name,
        accounts=entry.workload.accounts,
        pages=samples[0].pages,
        requests=samples[0].requests,
        cpu_ms_a_page=spread(sample.cpu_ms_a_page for sample in samples),
        net_cpu_ms_a_page=spread(map(Sample.net_of, samples, alone)) if alone else None,
        wall_s=spread(sample.wall_s for sample in samples),
        rss_mb=spread(sample.rss_mb for sample in samples),
        first_page_s=spread(sample.first_page_s for sample in samples),
        server_busy=spread(sample.server_cpu_s / sample.wall_s for sample in samples),
        to_floor=None,
        net_to_floor=None,
    )
