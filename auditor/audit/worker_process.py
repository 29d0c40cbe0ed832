"""A worker process of our own: what Dask loads in each before it begins."""

from __future__ import annotations

import logging
import signal

import structlog

# Loaded here, while the process starts, and not with its first shard.
from auditor.audit import shard_audit as _shard_audit  # noqa: F401

log = structlog.get_logger()


def dask_setup(_worker: object) -> None:
    """Make this process a part of the run: Dask calls this as it starts."""
    # Ctrl-C reaches every process of a terminal: the coordinator ends the run then, and asks for what is there. They
    # are blocked already; what a worker starts itself may not inherit that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(logging.WARNING)


class _ToStructlog(logging.Handler):
    """What libraries log goes the way of our own logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)
