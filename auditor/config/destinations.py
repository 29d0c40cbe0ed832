"""Where findings are sent: the key `destinations`, and the secrets that its settings lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.config.environment import NAME
from auditor.config.nodes import Child, MappingNode, Scalar
from auditor.config.text import cut, nearest, quoted
from auditor.config.values import has_variables, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditor.config.faults import Faults
    from auditor.config.settings import DestinationSettings
    from auditor.model import Account

DESTINATIONS = "destinations"
_HISTORY = "history"

NAMED_AS = "^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$"
"""What a destination may be called."""
LONGEST_NAME = 64
_ENV, _FILE = "_env", "_file"
_LARGEST_SECRET = 64 * 1024
"""Bytes of a file that holds a secret: more is another file."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A destination as the configuration has it."""

    name: str
    settings: DestinationSettings
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Each secret by the name of its settings without `_env` or `_file`."""
    hub: Account | None = None
    """The hub role of the configuration, for a destination that is in many accounts."""


def read_destinations(
    root: MappingNode,
    kinds: Mapping[str, type[DestinationSettings]],
    environ: Mapping[str, str],
    validated: Callable[[type[DestinationSettings], str], DestinationSettings | None],
    faults: Faults,
) -> tuple[Receiver, ...]:
    """Return the destinations, in the file's order; those that have faults are left out, and the faults noted.

    :param kinds: the settings of each kind there is, by its type.
    :param validated: returns the settings of the destination of a name, or None where they have faults.
    """
    written = root.children.get(DESTINATIONS)
    if written is None or not isinstance(written.node, MappingNode):
        return ()  # what it is instead of a mapping is told with the document
    if _HISTORY not in root.children:
        faults.add(
            written.line,
            "destinations need a history, where each event waits until it is taken; "
            "add history: {} to the left margin",
        )
    receivers: list[Receiver] = []
    for name, child in written.node.children.items():
        if faults.full:
            break
        kind = _kind(name, child, kinds, faults)
        if kind is None:
            continue
        secrets = _secrets(name, child, kind, environ, faults)
        settings = validated(kind, name)
        if settings is not None:
            if external_id := getattr(settings, "external_id", None):
                secrets["external_id"] = (
                    external_id  # which is hidden as well, though it may stand in the file
                )
            receivers.append(Receiver(name, settings, secrets))
    return tuple(receivers)


def secrets_of(kind: type[DestinationSettings]) -> Iterator[str]:
    """Yield the names of the secrets that a kind of destination takes."""
    for key in kind.model_fields:
        secret = key.removesuffix(_ENV)
        if secret != key and f"{secret}{_FILE}" in kind.model_fields:
            yield secret


def _kind(
    name: str, child: Child, kinds: Mapping[str, type[DestinationSettings]], faults: Faults
) -> type[DestinationSettings] | None:
    if not re.fullmatch(NAMED_AS, name) or len(name) > LONGEST_NAME:
        faults.add(
            child.line,
            f"destination {quoted(name)}: a name is of small letters and digits, with hyphens between them, at most "
            f"{LONGEST_NAME} characters; write one such as siem",
        )
        return None
    there = f"the types are {', '.join(sorted(kinds))}"
    if not isinstance(child.node, MappingNode):
        faults.add(child.line, f"{name} is no mapping; write its settings, the first of them type: {there}")
        return None
    asked = child.node.children.get("type")
    if asked is None:
        faults.add(child.line, f"{name} has no type; write what kind of destination it is: {there}")
        return None
    kind = text_of(asked.node)
    if kind is not None and kind in kinds:
        return kinds[kind]
    if not isinstance(asked.node, Scalar) or not asked.node.spoiled:
        # What comes from the environment is not shown, nor what it is near to.
        hidden = kind is None or has_variables(asked.node)
        near = None if hidden else nearest(kind or "", kinds)
        written = "none of this name" if hidden else f"no {quoted(kind or '')}"
        faults.add(asked.line, f"type of {name}: there is {written}; {f'write {near}' if near else there}")
    return None


def _secrets(
    name: str,
    child: Child,
    kind: type[DestinationSettings],
    environ: Mapping[str, str],
    faults: Faults,
) -> dict[str, str]:
    """Return the secrets that the settings lead to. No message shows what one holds, nor what may be one by mistake."""
    if not isinstance(child.node, MappingNode):
        return {}
    found: dict[str, str] = {}
    for secret in secrets_of(kind):
        keys = child.node.children
        how = f"write {secret}{_ENV} with the name of an environment variable, or {secret}{_FILE} with a path"
        if secret in keys:
            faults.add(keys[secret].line, f"{secret} of {name}: no secret stands in this file; {how}")
            del keys[secret]  # or it would be told again, as a key that is not known
            continue
        variable, path = keys.get(f"{secret}{_ENV}"), keys.get(f"{secret}{_FILE}")
        if variable is not None and path is not None:
            faults.add(
                path.line, f"{name} has both {secret}{_ENV} and {secret}{_FILE}; remove one of the two"
            )
        elif variable is None and path is None:
            if secret not in kind.optional_secrets:
                faults.add(child.line, f"{name} has no {secret}; {how}")
        else:
            value = (
                _of_variable(f"{secret}{_ENV} of {name}", variable, environ, faults)
                if variable is not None
                else _of_file(f"{secret}{_FILE} of {name}", path, faults)
            )
            if value is not None:
                found[secret] = value
    return found


def _of_variable(subject: str, child: Child, environ: Mapping[str, str], faults: Faults) -> str | None:
    text = text_of(child.node)
    if text is not None and environ.get(text):
        return environ[text].strip()
    if isinstance(child.node, Scalar) and not child.node.spoiled:
        child.node.spoiled = True  # so that pydantic's word on the same is not told
        named = text is not None and re.fullmatch(NAME, text)
        # Somebody may have written the secret itself here: it is not repeated.
        what = (
            "no environment variable of this name is set, or it is empty; set it before the run"
            if named
            else "is no name of an environment variable; write one such as SIEM_TOKEN"
        )
        faults.add(child.line, f"{subject}{':' if named else ''} {what}")
    return None


def _of_file(subject: str, child: Child | None, faults: Faults) -> str | None:
    text = None if child is None else text_of(child.node)
    if child is None or text is None or not isinstance(child.node, Scalar):
        return None  # pydantic tells what it is instead of text
    subject = f"{subject}: {cut(child.node.text)}"
    try:
        with Path(text).open("rb") as file:
            data = file.read(_LARGEST_SECRET + 1)
        value = data.decode("utf-8").strip()
    except OSError as error:
        why = error.strerror or type(error).__name__
        faults.add(child.line, f"{subject} can't be read: {why}; name a file that can")
        return None
    except ValueError:  # a NUL in the path, or what is no text
        faults.add(child.line, f"{subject} holds no text; write the secret to it in UTF-8")
        return None
    if not value or len(data) > _LARGEST_SECRET:
        what = "holds nothing" if not value else "is larger than 64 KiB"
        faults.add(child.line, f"{subject} {what}; write the secret alone to it")
        return None
    return value
