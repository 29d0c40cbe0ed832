"""A campaign, drawn from its seed: an estate, how it is audited, and what goes wrong in each night."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from auditor.simulator.estate import generate
from tests.fire import rules
from tests.fire.troubles import IN_PROCESS, OF_OUTPUTS, TROUBLES, Draw, Night

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3", "eu-central-1")
"""The third is opt-in."""


HOW = ("remembers", "as_process", "proxied", "by_name", "keeps")
"""What a campaign may be, by the names of its fields."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One or two nights over one estate."""

    seed: int
    estate: Estate
    nights: tuple[Night, ...]
    remembers: bool
    """Whether there is a history, and a receiver that is told of it."""
    as_process: bool
    """Whether the command is run, and not the library."""
    proxied: bool
    """Whether microburst stands between."""
    by_name: bool
    """Whether the endpoint is named, and not numbered."""
    deadline: float
    """Seconds, as the next."""
    request_timeout: float
    concurrency: int
    keeps: bool = False
    """Whether it keeps its evidence, which has to be verified afterwards."""
    signal_after: float | None = None
    """Seconds after the first request; None for no signal."""

    @property
    def story(self) -> str:
        """What was drawn, in a line."""
        how = [name for name in HOW if getattr(self, name)]
        size = f"{len(self.estate.accounts)} x {len(self.estate.regions)}"
        drawn = " | ".join(", ".join(night.drawn) for night in self.nights)
        times = f"deadline {self.deadline} s, timeout {self.request_timeout} s, {self.concurrency} at once"
        return f"{size}, {times}, {' '.join(how) or 'plain'}: {drawn}"


def draw(seed: int, *, as_process: bool | None = None, proxied: bool | None = None) -> Campaign:
    """Return the campaign of a seed; what is not asked for is drawn too.

    :param proxied: None for never, since it takes a proxy.
    """
    chance = random.Random(seed)  # noqa: S311 -- to be repeated
    drawn = chance.random() < 0.03
    as_process = drawn if as_process is None else as_process
    proxied = bool(proxied)
    estate = _estate(chance, seed)
    remembers = chance.random() < 0.45
    by_name = not as_process and not proxied and chance.random() < 0.25
    deadline = chance.choice((0.5, 1.2, 2.0, 2.0, 3.0, 6.0))
    request_timeout = chance.choice((0.15, 0.3, 0.5))
    if as_process:  # whose options are whole seconds
        deadline, request_timeout = chance.choice((1.0, 2.0, 3.0)), 1.0
    drawing = Draw(chance, estate, request_timeout)
    nights = tuple(
        _night(drawing, proxied=proxied, remembers=remembers, by_name=by_name)
        for _ in range(2 if remembers and not as_process and chance.random() < 0.5 else 1)
    )
    signal_after = chance.uniform(0.0, 0.5) if as_process and chance.random() < 0.3 else None
    return Campaign(
        seed=seed,
        estate=estate,
        nights=nights,
        remembers=remembers,
        as_process=as_process,
        proxied=proxied,
        by_name=by_name,
        deadline=deadline,
        request_timeout=request_timeout,
        concurrency=chance.choice((1, 2, 4, 16, 64)),
        # Drawn apart, so that nothing else depends on it.
        keeps=not as_process and random.Random(f"evidence {seed}").random() < 0.15,  # noqa: S311 -- as above
        signal_after=signal_after,
    )


def _estate(chance: random.Random, seed: int) -> Estate:
    return generate(
        seed,
        accounts=chance.choice((1, 2, 2, 3, 4)),
        regions=REGIONS[: chance.choice((1, 2, 2, 3))],
        # A little ago, so that no record is of the future; nothing else rests on the moment.
        now=datetime.now(UTC) - timedelta(seconds=1),
        records_per_target=chance.choice((0, 3, 8, 14, 25)),
        page_size=chance.choice((2, 4, 7)),
        planted=chance.choice((0.0, 0.4, 0.8)),
        oddities=chance.random() < 0.15,
        afterlife=chance.random() < 0.2,
        hub=chance.random() < 0.1,
        chained=chance.random() < 0.1,
    )


def _night(drawing: Draw, *, proxied: bool, remembers: bool, by_name: bool) -> Night:
    chance, night = drawing.chance, Night()
    there = TROUBLES | (IN_PROCESS if by_name else {})
    count = chance.choice((0, 1, 1, 2, 2, 3, 4))
    if proxied:
        for name in chance.sample(sorted(rules.TROUBLES), max(count, 1)):
            rules.TROUBLES[name](drawing, night)
            night.drawn.append(f"proxy: {name}")
        count = chance.choice((0, 0, 1))
    for name in chance.sample(sorted(there), count):
        there[name](drawing, night)
        night.drawn.append(name)
    if by_name and "failing names" not in night.drawn:
        IN_PROCESS["failing names"](drawing, night)
        night.drawn.append("failing names")
    if remembers and chance.random() < 0.7:
        OF_OUTPUTS["dying destination"](drawing, night)
        night.drawn.append("dying destination")
    if chance.random() < 0.05:
        OF_OUTPUTS["full disk"](drawing, night)
        night.drawn.append("full disk")
    return night
