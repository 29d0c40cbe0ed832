"""Logs on standard error: structlog, with what must not be shown taken out of every line."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from auditor.cli.last_word import last_word_as_json
from auditor.cli.standard import complain, is_terminal
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import EventDict, Processor, WrappedLogger


LEVELS = ("debug", "info", "warning", "error")

# An access key id, and what is as long as a session token. IAM user guide, "IAM identifiers", "Unique identifiers".
_LOOKS_SECRET = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|[A-Za-z0-9+/=_-]{100,}")
_SECRET_KEYS = re.compile("secret|token|external_?id|credential|authorization|password", re.IGNORECASE)
_HIDDEN = "***"


class _StandardError:
    """Standard error as it is at each line: a live display may have put itself before it."""

    def write(self, text: str) -> int:
        """Write to what standard error is now, as far as it takes it."""
        complain(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line is flushed as it is written."""


class Redactor:
    """A processor that hides secrets by their names, by their looks and, where they are known, by themselves."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets = _longest_first(secrets)

    def hide(self, secrets: Iterable[str | None]) -> None:
        """Hide these too from now on."""
        self._secrets = _longest_first((*self._secrets, *secrets))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event without them, and with every text in it made fit to be shown."""
        return {
            key: _HIDDEN if _SECRET_KEYS.search(key) else self._clean(value) for key, value in event.items()
        }

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, _HIDDEN)
            return "\n".join(map(shown, _LOOKS_SECRET.sub(_HIDDEN, value).split("\n")))
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in value.items()}
        return self._clean(str(value))


def _longest_first(secrets: Iterable[str | None]) -> list[str]:
    # Or a part of one that holds another would be left over.
    return sorted({secret for secret in secrets if secret}, key=len, reverse=True)


_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")


def set_up_logs(log_format: str | None, level: str) -> Redactor:
    """Send structlog's and the libraries' logs to standard error, and return what hides secrets from them.

    :param log_format: `console` or `json`; None is console on a terminal, else JSON.
    """
    redactor = Redactor(map(os.environ.get, _SECRET_VARIABLES))
    as_json = log_format == "json" or (log_format is None and not is_terminal())
    last_word_as_json(on=as_json)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # plain: locals may hold secrets
        redactor,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            sort_keys=False,
            colors=is_terminal() and not os.environ.get("NO_COLOR"),
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    stream: TextIO = _StandardError()  # type: ignore[assignment]  # all of a text stream that logs use
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries have nothing to tell below a warning, and botocore at DEBUG tells secrets.
    root.setLevel(logging.WARNING)
    return redactor


def log_bug(error: BaseException) -> None:
    """Log an exception that nobody expected, without the values of its variables."""
    if not structlog.is_configured():
        set_up_logs("console", "info")
    structlog.get_logger().error("a bug of the auditor", exc_info=error)
