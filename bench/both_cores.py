"""What a second worker is worth: the same estate audited by one process, and by two workers on two cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import cores
from bench.candidates import AUDIT, AUDIT_SHARED
from bench.errors import BenchError
from bench.estate import REGIONS, Workload
from bench.figures import AtLeast, Result, spread
from bench.rounds import say
from bench.sample import measure

if TYPE_CHECKING:
    from bench.rounds import Rounds
    from bench.sample import Sample
    from bench.sizes import Sizes

_CORES = 2


@dataclass(frozen=True, slots=True)
class _Taken:
    """One process and two workers, each with the estate and with one target alone."""

    one: Sample
    one_alone: Sample
    two: Sample
    two_alone: Sample

    @property
    def gain(self) -> float:
        """Pages a second of two workers, as a multiple of those of one process; the server and starting up apart.

        Both may use both cores, and the server has one of them. One process runs on the other: its wall is its own. Two
        workers share both with the server, whose CPU comes off each core by half:

            gain = (wall of one - its wall for one target) / (wall of two - server's CPU / 2 - its wall for one target)
        """
        one = self.one.wall_s - self.one_alone.wall_s
        return one / (self.of_two - self.two_alone.wall_s)

    @property
    def of_two(self) -> float:
        """The wall of two workers without the server's share of it, in seconds."""
        return self.two.wall_s - self.two.server_cpu_s / _CORES

    @property
    def possible(self) -> float:
        """What their CPU alone would allow on two cores, whatever else the machine does meanwhile."""
        one = self.one.cpu_s - self.one_alone.cpu_s
        return _CORES * one / (self.two.cpu_s - self.two_alone.cpu_s)

    @property
    def gain_with_start(self) -> float:
        """The same, with starting up."""
        return self.one.wall_s / self.of_two


def workers(rounds: Rounds, sizes: Sizes) -> Result:
    """Audit by one process, and by two workers."""
    workload = Workload(sizes.shared_accounts, len(REGIONS), 2, 50)
    result = Result(
        "workers",
        f"{workload.accounts} accounts, 50 records a page, 2 pages a target, 16 Regions; both cores",
    )
    taken: list[_Taken] = []
    for number in range(rounds.runs):
        say(f"workers: round {number + 1} of {rounds.runs}")
        try:
            with cores.unpinned():
                one = [measure(AUDIT, each, rounds.server) for each in (workload, workload.alone)]
                two = [measure(AUDIT_SHARED, each, rounds.server) for each in (workload, workload.alone)]
        except BenchError as error:
            result.failures.append(f"workers: {error}")
            return result
        taken.append(_Taken(*one, *two))
    for what, figure in (
        ("wall of one", lambda each: each.one.wall_s),
        ("of one target alone", lambda each: each.one_alone.wall_s),
        ("CPU of one", lambda each: each.one.cpu_s),
        ("wall of two", lambda each: each.two.wall_s),
        ("of one target alone", lambda each: each.two_alone.wall_s),
        ("CPU of two, the coordinator's included", lambda each: each.two.cpu_s),
        ("of one target alone", lambda each: each.two_alone.cpu_s),
        ("CPU of the server meanwhile", lambda each: each.two.server_cpu_s),
        ("their CPU would allow a gain of", lambda each: each.possible),
        ("with starting up the gain is", lambda each: each.gain_with_start),
    ):
        result.about += f"; {what} {spread(map(figure, taken)).shown(2)}"
    largest = spread(each.two.rss_mb for each in taken)
    result.about += f"; RSS of the largest of its processes {largest.shown(0)} MB"
    gain = spread(each.gain for each in taken)
    result.limits.append(AtLeast("throughput of two workers to one, server apart", gain, 1.7))
    return result
