"""A resolver that fails: what the operating system says of `localhost`, lookup by lookup."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FINE, UNKNOWN, BUSY, ELSEWHERE, SLOW = "fine", "unknown", "busy", "elsewhere", "slow"
NOBODY = "127.0.0.2"
"""Where no server of a campaign listens."""
_SLOW_SECONDS = 0.2


class Lookups:
    """Counts those that went wrong."""

    def __init__(self) -> None:
        self.failed = 0


@contextmanager
def resolving(script: Sequence[str], then: str = FINE) -> Iterator[Lookups]:
    """Let the lookups of `localhost` in this process go as the script says, and after its end like `then`."""
    real, lookups, lock = socket.getaddrinfo, Lookups(), threading.Lock()
    outcomes = itertools.chain(script, itertools.repeat(then))

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "localhost":
            return real(host, port, *rest, **more)
        with lock:
            outcome = next(outcomes)
            lookups.failed += outcome != FINE
        match outcome:
            case "unknown":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            case "busy":
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            case "elsewhere":
                return real(NOBODY, port, *rest, **more)
            case "slow":
                time.sleep(_SLOW_SECONDS)  # in a thread of the resolver's
        return real("127.0.0.1", port, *rest, **more)

    socket.getaddrinfo = look_up
    try:
        yield lookups
    finally:
        socket.getaddrinfo = real
