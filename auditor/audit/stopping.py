"""What ends a run before it is done, its deadline or a signal, and how soon it has to be over then."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor.audit.record import Exit
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from auditor.audit.preparing import Run
    from auditor.audit.writing import Patience

log = structlog.get_logger()

_LAST_WORDS = 1.5
"""Seconds that outputs may take once the run is to end."""


class Stopping:
    """Ends one run in order, so that what was done is kept."""

    def __init__(self, run: Run) -> None:
        self._deadline = run.deadline
        self._patience: Patience | None = None
        self.preparing = anyio.CancelScope()
        """Around what comes before the first target: a signal ends it. What comes in it minds the deadline itself."""
        self.work = anyio.CancelScope(deadline=run.ends_at)
        """Around the targets."""
        self.delivering = anyio.CancelScope()
        """Around what is sent at the end, each destination for as long as it may take: a signal ends it."""
        self.signal: Exit | None = None
        """The signal that came, if one did."""

    def limit(self, patience: Patience) -> None:
        """Let outputs take little time once the run is to end."""
        self._patience = patience
        patience.ends_by(self.work.deadline + _LAST_WORDS)

    async def watch_signals(self, *, task_status: TaskStatus[None]) -> None:
        """End the run at SIGINT and SIGTERM."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                self.signal = Exit.SIGINT if number == signal.SIGINT else Exit.SIGTERM
                log.warning("interrupted; keeping what was done", signal=self.signal.name)
                self.preparing.cancel()
                self.work.cancel()
                self.delivering.cancel()
                if self._patience is not None:
                    self._patience.ends_by(anyio.current_time() + _LAST_WORDS)

    def why(self) -> Failure:
        """Return why a target is not read on, where the run is to end."""
        if self.signal is not None:
            return Failure(Reason.INTERRUPTED, None, f"the run was ended by {self.signal.name}")
        return self.over

    @property
    def over(self) -> Failure:
        """Why it is not read on once the deadline is over."""
        return Failure(Reason.DEADLINE, None, f"the run's deadline of {self._deadline} was over")
