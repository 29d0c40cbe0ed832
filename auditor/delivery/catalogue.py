"""Every kind of destination there is, found by looking into this room."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditor.delivery.forms import say_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.config import DestinationSettings, Receiver
    from auditor.delivery.contract import Destination
    from auditor.formats import JudgedPolicy


@cache
def kinds() -> Mapping[str, type[Destination[Any]]]:
    """Return every kind by its type."""
    found: dict[str, type[Destination[Any]]] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        kind = getattr(import_module(f"{__package__}.{module.name}"), "Kind", None)
        if kind is not None:
            found[module.name.replace("_", "-")] = kind
    return found


def destination_settings() -> Mapping[str, type[DestinationSettings]]:
    """Return the settings of each kind by its type."""
    return {name: kind.settings_type for name, kind in kinds().items()}


def make_destinations(
    receivers: Iterable[Receiver],
    *,
    allow_http: bool,
    policies: Mapping[str, JudgedPolicy] = MappingProxyType({}),
) -> list[Destination[Any]]:
    """Return the destinations of a configuration, each looked at; nothing is sent.

    :param allow_http: whether events may go over plain http to another machine.
    :param policies: those of the configuration, by id: a form other than our JSON tells their titles.
    :raises UsageError: where one can't be sent to as it is set up.
    """
    made: list[Destination[Any]] = []
    for receiver in receivers:
        destination = kinds()[receiver.settings.type](receiver, receiver.settings, allow_http=allow_http)
        destination.say = say_of(receiver, policies)
        made.append(destination)
    return made
