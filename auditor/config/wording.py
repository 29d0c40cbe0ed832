"""Pydantic's errors in the words of accounts.yaml: what was found, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.config.durations import EXAMPLES
from auditor.config.nodes import Node, Scalar
from auditor.config.text import cut, listed, nearest, quoted
from auditor.config.values import SECRET_KEYS, find, has_variables, kind_of
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from auditor.config.faults import Faults
    from auditor.config.nodes import Child

_ROLE = "the role's name alone, 1 to 64 letters, digits or _+=,.@- (a role with a path goes into role_arn)"
EXPECTED: Mapping[str, str] = {
    "version": "version: 1",
    "organization": 'a mapping, such as {role_arn: "arn:aws:iam::111122223333:role/Lister"}, or {} for all accounts',
    "include": "a mapping of what is meant, such as {ous: [Root/Workloads]}",
    "exclude": "a mapping of what is left out, such as {names: [sandbox-*]}",
    "ous": "a list of organizational units, such as [Root/Workloads/Prod]",
    "names": "a list of patterns, such as [sandbox-*]",
    "tags": "a mapping of tags, such as {environment: [prod, staging]}",
    "defaults": "a mapping, such as {role_name: LightsailExportAuditor}",
    "accounts": 'a list with an entry for each account, such as - id: "111122223333"',
    "policies": "a mapping of policies, such as {stuck-export: {max_age: 24h}}",
    "limits": "a mapping, such as {concurrency: 64}",
    "destinations": "a mapping of destinations, each by a name of your own with its settings",
    "id": 'twelve digits in quotes, such as "111122223333"',
    "name": "1 to 256 visible characters, none of them a control or direction mark, no blanks around them",
    "role_name": _ROLE,
    "role_arn": 'one such as "arn:aws:iam::{account_id}:role/audit/Reader", its name at most 64 characters long',
    "external_id": "2 to 1224 letters, digits or _+=,.@:/-",
    "session_name": "2 to 64 letters, digits or _+=,.@-",
    "session_duration": "15m to 12h",
    "session_tags": "a mapping, such as {team: security}",
    "source_identity": "2 to 64 letters, digits or _+=,.@-",
    "session_policy": "true or false",
    "hub_role_arn": 'the ARN of one role, such as "arn:aws:iam::999988887777:role/AuditHub"',
    "hub_external_id": "2 to 1224 letters, digits or _+=,.@:/-",
    "concurrency": "a whole number from 1 to 1024",
    "request_timeout": EXAMPLES,
    "deadline": EXAMPLES,
    "organization role_arn": 'a role of one account, such as "arn:aws:iam::111122223333:role/OrganizationReader"',
    "organization ou": "a path of names such as Root/Workloads/Prod, or an id such as ou-ab12-cdefgh34",
    "organization accounts": 'a list of account ids in quotes, such as ["111122223333"]',
    "severity": f"one of {', '.join(Severity)}",
    "message": 'a text, such as "{record.name} is public"',
    "remediation": "a text that says what to do",
    "framework": "a text, such as NIST SP 800-53 r5",
    "enabled": "true or false",
    "waivers": "a list with an entry for each waiver, each with an owner, a reason and an until",
    "accepted_gaps": "a list with an entry for each gap, each with an owner, an explanation and an until",
    "policy": "a policy's id, or a pattern",
    "account": 'twelve digits in quotes, such as "111122223333", or a pattern of them',
    "region": "a Region's name, or a pattern such as eu-*",
    "resource": "a finding's resource_arn, or a pattern such as *:ExportSnapshotRecord/0a1b*",
    "source": "what is read, such as lightsail:GetExportSnapshotRecords, or a pattern",
    "owner": "who answers for it",
    "waivers.reason": "why it is accepted",
    "accepted_gaps.reason": "a reason of the ledger, such as access-denied, or a pattern",
    "explanation": "why it is accepted",
    "ticket": "where it was agreed on",
    "until": "the last day on which it holds, such as 2027-03-31",
}
"""A key, or one of one list alone with that before it → what to write there."""

_OF_EVERY_POLICY = ("enabled", "severity")
_OF_A_POLICY = (*_OF_EVERY_POLICY, "message", "remediation", "framework")
_NEEDED = ("version", "accounts", "id", "owner", "waivers.reason", "explanation", "until")
_LONGEST_TEXT = 300

_HOMES = {
    **dict.fromkeys(("role_name", "role_arn", "external_id"), "under defaults, or to an account"),
    **dict.fromkeys(("session_name", "session_duration", "regions"), "under defaults, or to an account"),
    **dict.fromkeys(
        ("session_tags", "source_identity", "session_policy"), "under defaults, or to an account"
    ),
    **dict.fromkeys(("hub_role_arn", "hub_external_id"), "under defaults"),
    **dict.fromkeys(("concurrency", "request_timeout", "deadline"), "under limits"),
    **dict.fromkeys(("defaults", "accounts", "policies", "limits", "version"), "to the left margin"),
    "destinations": "to the left margin",
    **dict.fromkeys(("waivers", "accepted_gaps"), "to the left margin"),
    "organization": "to the left margin",
    **dict.fromkeys(("include", "exclude"), "under organization"),
    **dict.fromkeys(("ous", "names", "tags"), "under include or exclude of organization"),
}
"""A key → where it belongs, for one that was written elsewhere."""

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
    """Say that nothing is called `key` here, and what is."""
    if key == "<<":
        return (
            "merge keys (<<) are not read here; write the keys out, or put what accounts share under defaults"
        )
    # Of many things in one place, of one in another: regions of an account, the region of a waiver.
    singular = key.removesuffix("s") in known
    if not singular and (home := _HOMES.get(key)):
        return f"{key} has no place here; move it {home}"
    near = nearest(key, known)
    hint = f"write {near}" if near else f"the keys here are {listed(sorted(known))}"
    return f"unknown key {quoted(key)}; {hint}, or remove it"


def _missing(loc: tuple[str | int, ...]) -> str:
    key, subject = str(loc[-1]), _subject(loc[:-1])
    # The id of a control, say, is none of an account.
    foreign = (loc[:1] == ("policies",) and key not in _OF_A_POLICY) or loc[:1] == ("destinations",)
    expected = "a value" if foreign else EXPECTED.get(_known_as(loc), "a value")
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
    known = key in _OF_EVERY_POLICY if of_policy else key in EXPECTED
    kind, context = error["type"], error.get("ctx", {})
    expected = EXPECTED[key] if known else _expected(kind, context)
    if place[:-1] == ("accounts",):
        key, expected = "accounts", 'a mapping, such as {id: "111122223333"}'
    if place[:-1] in {("waivers",), ("accepted_gaps",)}:
        key, expected = "accounts", "a mapping of what it is for, its owner and its until"
    found = _Found(
        kind, context, error["msg"], _subject(place) or "the file", "" if of_policy else key, expected
    )
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
        case ("organization", _, "tags", tag, *_):
            key = f"tag {tag}"  # one may be called as a key of the file's own
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
    return _BY_TYPE.get(kind.partition("_")[0])


def _subject(place: tuple[str | int, ...]) -> str:
    match place:
        case ("accounts", int()):
            return "this account"
        case ("waivers", int()):
            return "this waiver"
        case ("accepted_gaps", int()):
            return "this accepted gap"
        case ("accounts", int(), "id"):
            return "account id"
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
