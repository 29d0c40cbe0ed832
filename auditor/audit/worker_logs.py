"""What a worker has to say: kept, and handed to the coordinator with the next shard, whose logs it belongs in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from typing import Self

    from structlog.typing import EventDict, WrappedLogger

_MOST = 10_000
"""Lines that are kept: one that says the same of every request must not fill the memory."""


class WorkerLogs:
    """Keeps structlog's lines while its block lasts."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._before: dict[str, Any] = {}
        self._kept: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        self._before = structlog.get_config()
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self._keep],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            cache_logger_on_first_use=False,
        )
        return self

    def __exit__(self, *_: object) -> None:
        structlog.configure(**self._before)

    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what was said since this was asked last: the level, and the event with its fields."""
        kept, self._kept = self._kept, []
        return kept

    def _keep(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if len(self._kept) < _MOST:
            self._kept.append((method, {name: _plain(value) for name, value in event.items()}))
        raise structlog.DropEvent


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def tell_again(logs: list[tuple[str, dict[str, Any]]], log: Any) -> None:
    """Say in this process what a worker has said."""
    for method, event in logs:
        fields = dict(event)
        getattr(log, method)(fields.pop("event", ""), **fields)


def level_of(log: Any) -> int:
    """Return the least that a logger of structlog logs, in the numbers of `logging`."""
    for name in ("get_effective_level", "getEffectiveLevel"):
        try:
            return int(getattr(log, name)())
        except AttributeError:
            continue
    return logging.INFO
