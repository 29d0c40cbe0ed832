"""Which core measures and which serves, so that neither takes the other's time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Cores:
    """The two cores; both None where processes can't be kept apart."""

    measured: int | None
    server: int | None

    def __str__(self) -> str:
        if self.measured is None:
            return "not pinned (one core, or a system that pins no process): figures include the server's disturbance"
        return f"candidates on core {self.measured}, server on core {self.server}"


def choose() -> Cores:
    """Return two different cores of those that this process may use, where there are two."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[-1], usable[0]) if len(usable) > 1 else Cores(None, None)


def pin(core: int | None) -> None:
    """Keep this process, and those that it starts from now on, on one core; None leaves it free."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def unpinned() -> Iterator[None]:
    """Let this process, and those that it starts in the block, use two cores; the server keeps to its own."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    every = range(os.cpu_count() or 1)
    try:
        os.sched_setaffinity(0, every)
        both = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {both[0], both[-1]})
        yield
    finally:
        os.sched_setaffinity(0, before)
