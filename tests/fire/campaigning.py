"""One campaign from its seed to what was wrong with it."""

from __future__ import annotations

import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fire.checking import problems
from tests.fire.drawing import draw
from tests.fire.leftovers import watched
from tests.fire.night import configure, spend
from tests.fire.receiver import Receiver

if TYPE_CHECKING:
    from tests.fire.drawing import Campaign
    from tests.fire.microburst import Proxy


@dataclass(slots=True)
class Outcome:
    """What came of a campaign."""

    seed: int
    story: str
    wrong: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    """What went wrong in it indeed, each time by its kind."""
    verdicts: list[str] = field(default_factory=list)
    """Verdict and reason of each target."""
    exits: list[int] = field(default_factory=list)
    how: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_campaign(seed: int, proxy: Proxy | None = None, *, as_process: bool | None = None) -> Outcome:
    """Draw a campaign, run it, and look at all that it left.

    :param proxy: stands between, where there is one.
    """
    campaign = draw(seed, as_process=as_process, proxied=proxy is not None)
    outcome = Outcome(seed, campaign.story)
    began = time.monotonic()
    outcome.how += [n for n in ("remembers", "as_process", "proxied", "by_name") if getattr(campaign, n)]
    outcome.how += ["two nights"] * (len(campaign.nights) > 1)
    with tempfile.TemporaryDirectory(prefix="auditor-fire-") as name:
        try:
            _run(campaign, Path(name), proxy, outcome)
        except Exception:  # noqa: BLE001 -- whatever it is, the seed has to be told
            outcome.wrong.append(traceback.format_exc())
    outcome.seconds = time.monotonic() - began
    return outcome


def _run(campaign: Campaign, folder: Path, proxy: Proxy | None, outcome: Outcome) -> None:
    made = time.time()
    taken = []
    for number, night in enumerate(campaign.nights):
        outcome.drawn += night.drawn
        # Servers end before it is looked what is left: what they keep for a client is not the client's.
        with watched(folder) as over, ExitStack() as stack:
            receiver = Receiver(night.receiving) if campaign.remembers else None
            if receiver is not None:
                stack.enter_context(receiver.serving())
            configure(campaign, folder, receiver)
            seen = spend(campaign, number, folder, receiver, proxy)
        seen.left += over.left
        if receiver is not None:
            taken += receiver.taken
            outcome.struck += ["receiver"] * receiver.misdeeds
        outcome.struck += seen.struck
        outcome.exits.append(seen.exit_code)
        if seen.error is None:
            outcome.verdicts += [
                f"{line['verdict']} {line['reason'] or ''}".strip() for line in seen.coverage
            ]
        outcome.wrong += [f"night {number + 1}: {wrong}" for wrong in problems(campaign, seen, taken, made)]
