"""What a session may do: what its role allows, as far as the session policy leaves it.

Source: IAM user guide, "Policy evaluation logic". Read are Effect, Action and Resource; a policy that holds more is
refused as malformed, rather than taken for something that it is not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from auditor.simulator.answers import ACCOUNT, STS, ApiError

if TYPE_CHECKING:
    from auditor.simulator.keys import Key

MAX_POLICY = 2048
"""Characters of a session policy (STS API reference, AssumeRole)."""
_KEYS = frozenset({"Sid", "Effect", "Action", "Resource"})
_MALFORMED = "MalformedPolicyDocument"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy document."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def speaks_of(self, action: str, resource: str) -> bool:
        """Say whether it is about this action on this resource; `*` and `?` stand for what they do in IAM."""
        # IAM's actions are the same in any case; its resources are not.
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in self.actions) and any(
            fnmatchcase(resource, pattern) for pattern in self.resources
        )


def session_policy(text: str | None) -> tuple[Statement, ...] | ApiError | None:
    """Return what the text of a session policy says; None where there is none."""
    if text is None:
        return None
    if len(text) > MAX_POLICY:
        return ApiError("PackedPolicyTooLarge", "Packed size of session policies exceeds the limit.")
    try:
        document = json.loads(text)
    except ValueError:
        return ApiError(_MALFORMED, "This policy contains invalid Json")
    if not isinstance(document, dict) or document.get("Version") != "2012-10-17":
        return ApiError(_MALFORMED, "Syntax errors in policy.")
    statements = [_statement(one) for one in _several(document.get("Statement"))]
    whole = tuple(one for one in statements if one is not None)
    if not whole or len(whole) < len(statements):
        return ApiError(_MALFORMED, "Syntax errors in policy.")
    return whole


def may(key: Key, action: str, resource: str = "*") -> bool:
    """Say whether a session may do this: neither its role nor its own policy leaves it out."""
    if key.role_actions is not None and action not in key.role_actions:
        return False
    if key.policy is None:
        return True
    about = [statement for statement in key.policy if statement.speaks_of(action, resource)]
    return bool(about) and all(statement.allows for statement in about)


def refusal(key: Key, service: str, operation: str, resource: str = "*") -> ApiError:
    """Return what a session gets that may not do this, in IAM's words."""
    action = f"{service}:{operation}"
    outside = key.role_actions is None or action in key.role_actions
    why = "because no session policy allows the" if outside else "because no identity-based policy allows the"
    message = f"User: {key.arn} is not authorized to perform: {action} on resource: {resource} {why} {action} action"
    if service == STS:
        return ApiError("AccessDenied", message, 403)
    return (
        ApiError("UnauthorizedOperation", message, 403)
        if service == "ec2"
        else ApiError("AccessDeniedException", message, 403 if service == ACCOUNT else 400)
    )


def _statement(said: Any) -> Statement | None:
    if not isinstance(said, dict) or not said.keys() <= _KEYS or said.get("Effect") not in ("Allow", "Deny"):
        return None
    actions, resources = _texts(said.get("Action")), _texts(said.get("Resource"))
    return Statement(said["Effect"] == "Allow", actions, resources) if actions and resources else None


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    several = _several(value)
    return tuple(several) if all(isinstance(one, str) for one in several) else ()
