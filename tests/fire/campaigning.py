"""One campaign from its seed to what was wrong with it."""

from __future__ import annotations

import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fire.checking import problems
from tests.fire.drawing import HOW, draw
from tests.fire.leftovers import watched
from tests.fire.night import configure, spend
from tests.fire.receiver import Receiver
from tests.fire.troubles import Night

if TYPE_CHECKING:
    from tests.fire.drawing import Campaign
    from tests.fire.microburst import Proxy
    from tests.fire.night import Seen

CHECKPOINT = "checkpoint.jsonl"
"""What a run leaves that was cut off, and nothing else does."""


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
    outcome.how += [name for name in HOW if getattr(campaign, name)]
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
    taken: list[dict[str, Any]] = []
    for number, night in enumerate(campaign.nights):
        outcome.drawn += night.drawn
        # Servers end before it is looked what is left: what they keep for a client is not the client's.
        with watched(folder) as over, ExitStack() as stack:
            receiver = Receiver(night.receiving) if campaign.remembers else None
            if receiver is not None:
                stack.enter_context(receiver.serving())
            configure(campaign, folder, receiver)
            seen = spend(campaign, number, folder, receiver, proxy)
            told = [*taken, *(receiver.taken if receiver is not None else [])]
            wrong = problems(campaign, seen, told, made)
            _note(outcome, seen)
            if (seen.folder / CHECKPOINT).exists():
                outcome.how.append("resumed")
                wrong += _resumed(campaign, folder, receiver, proxy, outcome, taken, made)
        if receiver is not None:
            taken += receiver.taken
            outcome.struck += ["receiver"] * receiver.misdeeds
        outcome.wrong += [f"night {number + 1}: {each}" for each in (*wrong, *over.left)]


def _resumed(  # noqa: PLR0913, PLR0917 -- as above
    campaign: Campaign,
    folder: Path,
    receiver: Receiver | None,
    proxy: Proxy | None,
    outcome: Outcome,
    taken: list[dict[str, Any]],
    made: float,
) -> list[str]:
    """Let a run go on that was cut off, with nothing in its way; return what is wrong with it."""
    calm = replace(campaign, nights=(Night(full_output=campaign.nights[0].full_output),), signal_after=None)
    seen = spend(calm, 0, folder, receiver, proxy, resumes=True)
    _note(outcome, seen)
    told = [*taken, *(receiver.taken if receiver is not None else [])]
    wrong = problems(calm, seen, told, made)
    if (seen.folder / CHECKPOINT).exists():
        wrong.append("a checkpoint of a run that is done")
    return [f"resumed: {each}" for each in wrong]


def _note(outcome: Outcome, seen: Seen) -> None:
    outcome.struck += seen.struck
    outcome.exits.append(seen.exit_code)
    if (seen.folder / "coverage.jsonl").exists():
        outcome.verdicts += [f"{line['verdict']} {line['reason'] or ''}".strip() for line in seen.coverage]
