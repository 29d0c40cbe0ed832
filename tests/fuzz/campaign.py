"""A fuzzing campaign: one target, fed with what Hypothesis makes up until its time is over.

`AUDITOR_FUZZ_SECONDS` is how long each target is fed, `AUDITOR_FUZZ_SEED` which round is the first: a failure names
the one that repeats it. See docs/fuzzing.md.
"""

from __future__ import annotations

import os
import resource
import signal
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

SECONDS = float(os.environ.get("AUDITOR_FUZZ_SECONDS", "2"))
# Every ordinary run tries the same; who asks for longer ones means to see something new each time.
_FIRST = int(
    os.environ.get("AUDITOR_FUZZ_SEED") or (time.time() if "AUDITOR_FUZZ_SECONDS" in os.environ else 0)
)
_ROUND = 200
"""Inputs with one seed."""
_MOST_GROWTH = 400
"""MB by which a process may grow in a campaign, however long: what is cached on the way is bounded."""

limited = pytest.mark.timeout(SECONDS + 180, method="thread")
"""Ends the process where even a library written in C does not return."""


class TooSlowError(AssertionError):
    """An input took longer than anything of its size should."""


def campaign(
    made: SearchStrategy[T], target: Callable[[T], str], *, patience: float, outcomes: Collection[str]
) -> None:
    """Feed `target` until the time is over, and print what came of it.

    :param target: returns in a word what came of an input; raises where that should not have come of any.
    :param patience: seconds of CPU that one input may take.
    :param outcomes: the words that each have to be heard: a campaign of refusals alone shows nothing.
    """
    heard: Counter[str] = Counter()
    slowest = 0.0

    def feed(given_input: T) -> None:
        nonlocal slowest
        begun = time.process_time()
        with _patient(patience):
            outcome = target(given_input)
        slowest = max(slowest, time.process_time() - begun)
        heard[outcome] += 1

    before, begun, number = 0.0, time.monotonic(), _FIRST
    while not heard or time.monotonic() < begun + SECONDS or not _enough(heard, outcomes, number):
        checks = settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        try:
            with warnings.catch_warnings():
                # It speaks of how long an input is, in the place of what went wrong with it.
                warnings.simplefilter("ignore", HypothesisWarning)
                seed(number)(checks(given(made)(feed)))()
        except BaseException as error:
            error.add_note(f"To repeat it: AUDITOR_FUZZ_SEED={number}, and this test alone.")
            raise
        number += 1
        before = before or _peak()  # after the first round: what it imported and cached is nobody's growth
    grown = _peak() - before
    print(  # noqa: T201 -- `pytest -rP` shows it
        f"{sum(heard.values()):,} inputs in {time.monotonic() - begun:,.0f} s, seeds {_FIRST} to {number - 1}; "
        + ", ".join(f"{word} {count:,}" for word, count in heard.most_common())
        + f"; the slowest took {slowest * 1000:,.0f} ms, and the process grew by {grown:,.0f} MB"
    )
    assert set(outcomes) <= set(heard)
    assert grown < _MOST_GROWTH


def _enough(heard: Counter[str], outcomes: Collection[str], number: int) -> bool:
    """Say whether each outcome was heard, or three rounds have passed: a busy machine makes few in a second."""
    return set(outcomes) <= set(heard) or number > _FIRST + 3


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """Raise `TooSlowError` in what takes more of the CPU; a machine that is busy with others counts for nothing."""

    def ring(*_: object) -> None:
        raise TooSlowError(f"more than {seconds} s of CPU")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
