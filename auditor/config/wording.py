"""Pydantic's errors in the words of accounts.yaml: what was found, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.config.durations import EXAMPLES
from auditor.config.expected import EXPECTED, HOMES
from auditor.config.nodes import Node, Scalar
from auditor.config.text import cut, listed, nearest, quoted
from auditor.config.values import SECRET_KEYS, find, has_variables, kind_of
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from auditor.config.faults import Faults
    from auditor.config.nodes import Child

_OF_EVERY_POLICY = ("enabled", "severity")
_OF_A_POLICY = (*_OF_EVERY_POLICY, "message", "remediation", "framework", "control id")
_NEEDED = ("version", "accounts", "id", "owner", "waivers.reason", "explanation", "until")
_LONGEST_TEXT = 300

_BY_TYPE = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping of settings, such as {enabled: true}",
    "duration": EXAMPLES,
}
"""The first word of pydantic's name for an error of type → what to write there."""

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}


_LENGTHS = {
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
}


def distinct(
    errors: Iterable[ErrorDetails], at: tuple[str | int, ...], root: Child
) -> Iterator[ErrorDetails]:
    """Yield `errors` but for those that repeat one: pydantic names each arm of a union that a value is not."""
    told: set[tuple[str | int, ...]] = set()
    for error in errors:
        loc = (*at, *error["loc"])
        _, depth = find(root, loc)
        if depth < len(loc) and error["type"] != "missing":
            if loc[:depth] in told:
                continue
            told.add(loc[:depth])
        yield error


def tell(
    error: ErrorDetails, at: tuple[str | int, ...], root: Child, known: Collection[str], faults: Faults
) -> None:
    """Note the fault that pydantic's `error` means.

    `at` is where in the file the validated value stands, `known` the keys that could stand beside an unknown one.
    """
    loc = (*at, *error["loc"])
    child, depth = find(root, loc)
    if error["type"] == "missing":
        faults.add(child.line, _missing(loc))
        return
    node = child.node
    if isinstance(node, Scalar) and node.spoiled:
        return
    if error["type"] == "extra_forbidden":
        faults.add(child.line, unknown_key(str(loc[-1]), known))
        return
    place = loc[:depth]
    faults.add(child.line, _wrong(error, node, place))


def unknown_key(key: str, known: Collection[str]) -> str:
    """Say that nothing is called `key` here in a configuration, and what is or where else it belongs."""
    if key == "<<":
        return (
            "merge keys (<<) are not read here; write the keys out, or put what accounts share under defaults"
        )
    # Of many things in one place, of one in another: regions of an account, the region of a waiver.
    singular = key.removesuffix("s") in known
    if not singular and (home := HOMES.get(key)):
        return f"{key} has no place here; move it {home}"
    return key_of_no_use(key, known)


def key_of_no_use(key: str, known: Collection[str]) -> str:
    """Say that nothing is called `key` here, and what is."""
    near = nearest(key, known)
    hint = f"write {near}" if near else f"the keys here are {listed(sorted(known))}"
    return f"unknown key {quoted(key)}; {hint}, or remove it"


def _missing(loc: tuple[str | int, ...]) -> str:
    key, subject, known = str(loc[-1]), _subject(loc[:-1]), _known_as(loc)
    # What a policy has under a key of the file's own is something else.
    foreign = loc[:1] == ("destinations",) or (loc[:1] == ("policies",) and known not in _OF_A_POLICY)
    expected = "a value" if foreign else EXPECTED.get(known, "a value")
    due = expected if expected.startswith(f"{key}:") else f"{key}: {expected}"
    return f"{subject} has no {key}; write {due}" if subject else f"{key} is missing; write {due}"


@dataclass(frozen=True, slots=True)
class _Found:
    """An error of pydantic's, and what its place is called in messages."""

    kind: str
    context: Mapping[str, Any]
    message: str
    subject: str
    key: str
    expected: str | None


def _wrong(error: ErrorDetails, node: Node, place: tuple[str | int, ...]) -> str:
    key = _known_as(place)
    # A policy's key may be called as one of the file's own, and mean something else.
    of_policy = (place[:1] in {("policies",), ("destinations",)} and len(place) > 1) or (
        "session_tags" in place[:-1]
    )
    known = key in (*_OF_EVERY_POLICY, "control") if of_policy else key in EXPECTED
    kind, context = error["type"], error.get("ctx", {})
    expected = EXPECTED[key] if known else _expected(kind, context)
    if place[:-1] == ("accounts",):
        key, expected = "accounts", 'a mapping, such as {id: "111122223333"}'
    if place[:-1] in {("waivers",), ("accepted_gaps",)}:
        key, expected = "accounts", "a mapping of what it is for, its owner and its until"
    if of_policy and not (place[0] == "destinations" and key in SECRET_KEYS):
        key = ""
    found = _Found(kind, context, error["msg"], _subject(place) or "the file", key, expected)
    if isinstance(node, Scalar):
        return _wrong_scalar(found, node)
    if kind.endswith("_type"):
        return f"{found.subject} is {node.kind}; write {expected or 'something else'}"
    if kind == "too_short" and not node.children:
        return f"{found.subject} is empty; write {expected or 'something'}"
    return _in_own_words(found, made_of_variables=has_variables(node))


def _known_as(place: tuple[str | int, ...]) -> str:
    """Return the key of `EXPECTED` for what stands at `place`."""
    key = str(place[-1]) if place else ""
    match place:
        case ("organization", _, "accounts", int()):
            key = "id"
        case ("organization", _, "ous", int()):
            key = "organization ou"
        case ("organization", _, "names", int()):
            key = "name"
        case ("organization", _, "tags", _):
            key = "tag value"
        case ("organization", _, "tags", tag, *_):
            key = f"tag {tag}"  # one may be called as a key of the file's own
        case ("policies", _, "controls", int()):
            key = "control"
        case ("policies", _, "controls", int(), "id"):
            key = "control id"
        case ("organization", "role_arn") | ("organization", _, "accounts"):
            key = f"organization {key}"
        case (str() as of, *_) if f"{of}.{key}" in EXPECTED:
            key = f"{of}.{key}"
    return key


def _wrong_scalar(found: _Found, node: Scalar) -> str:
    written = quoted(node.text)
    if node.value is None:
        else_ = "" if found.key in _NEEDED else ", or leave the key out"
        return f"{found.subject} is empty; write {found.expected or 'a value'}{else_}"
    if found.key == "id":
        return _account_id(node)
    if found.key == "version":
        return f"version is {written}, and this auditor reads version 1; write version: 1"
    if found.kind == "duration" and node.variables:
        return f"{found.subject} {written}: what this holds is no duration; set it to {EXAMPLES}"
    if found.kind == "duration":
        return f"{found.subject}: {found.context['fault']}"
    return _wrong_value(found, node)


def _wrong_value(found: _Found, node: Scalar) -> str:
    subject, expected = found.subject, found.expected
    secret = found.key in SECRET_KEYS
    if found.kind == "string_type" and not secret:
        written = cut(node.text)
        return f'{subject} {written} is {_unquoted(node)}; write it in quotes: "{written}"'
    if found.kind == "severity":
        near = None if node.variables else nearest(node.text, Severity)
        return f"{subject} {quoted(node.text)} is unknown; write {near or expected}"
    if expected is None:
        return _in_own_words(found, made_of_variables=bool(node.variables))
    if found.kind.endswith("_type"):
        return f"{subject} is {kind_of(node)}; write {expected}"
    return f"{subject}{'' if secret else f' {quoted(node.text)}'} can't be used; write {expected}"


def _in_own_words(found: _Found, *, made_of_variables: bool) -> str:
    # A policy's own words, or pydantic's, may repeat a value: not one that came from the environment.
    if made_of_variables:
        return f"{found.subject} can't be used with what the environment holds; see what the policy or destination asks for"
    said = str(found.context["error"]) if found.kind == "value_error" else found.message
    return f"{found.subject}: {cut(said, _LONGEST_TEXT)}"


def _account_id(node: Scalar) -> str:
    written = cut(node.text)
    digits = node.text.replace("-", "").replace(" ", "").replace("_", "")
    right = len(digits) == 12 and digits.isascii() and digits.isdigit()  # noqa: PLR2004 -- as AWS has them
    if not isinstance(node.value, str):
        if right:
            return f'account id {written} is a number; write it in quotes: "{digits}"'
        return f"account id {written} is {_unquoted(node)}; write {EXPECTED['id']}"
    if right:
        return f'account id {quoted(node.text)} holds more than digits; write "{digits}"'
    if digits.isascii() and digits.isdigit():
        return f"account id {quoted(node.text)} has {len(digits)} digits; write {EXPECTED['id']}"
    return f"account id {quoted(node.text)} is not twelve digits; write {EXPECTED['id']}"


def _unquoted(node: Scalar) -> str:
    return "true or false to YAML" if isinstance(node.value, bool) else "a number"


def _expected(kind: str, context: Mapping[str, Any]) -> str | None:
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"a number {words} {context[name]}"
    if kind in {"enum", "literal_error"}:
        return f"one of {cut(str(context['expected']), _LONGEST_TEXT)}"
    if kind in _LENGTHS:
        name, words = _LENGTHS[kind]
        return f"a text of {words} {context[name]:,} character{'s' if context[name] > 1 else ''}"
    return _BY_TYPE.get(kind.partition("_")[0])


def _subject(place: tuple[str | int, ...]) -> str:
    match place:
        case ("accounts" | "waivers" | "accepted_gaps" as of, int()):
            return f"this {of[:-1].replace('_', ' ')}"
        case ("accounts", int(), "id"):
            return "account id"
        case ("organization", _, "tags", tag):
            return f"the tag {cut(str(tag))}"
        case ("policies" | "destinations", name, _, *_):
            return f"{_last(place)} of {cut(str(name))}"
        case _:
            return _last(place)


def _last(place: tuple[str | int, ...]) -> str:
    match place:
        case (*_, str() as key, int()):
            return f"an entry of {cut(key)}"
        case (*_, key):
            return cut(str(key))
        case _:
            return ""
