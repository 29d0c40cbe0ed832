"""A policy of one's own: an id under `policies` that has an `expression`, and what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from auditor.config.nodes import Child, MappingNode, Scalar
from auditor.config.settings import PolicySettings
from auditor.config.text import cut, listed, nearest, quoted
from auditor.expressions import checked, library_is_there, template_faults
from auditor.model import how_to_install

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.config.faults import Faults
    from auditor.expressions import Fault

EXPRESSION = "expression"
"""The key that makes a policy one's own."""

_OF_OWN_ALONE = frozenset({"message", "remediation", "controls"})
_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST_ID = 64

Words = Annotated[str, Field(min_length=1, max_length=2_000)]


class ControlSettings(BaseModel):
    """A control of a framework that the policy may be cited for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    framework: Words = Field(description="Such as NIST SP 800-53 r5.")
    id: Words = Field(description="Such as CM-8.")
    mapping: Literal["direct", "vendor", "organisational"] = Field(
        default="organisational", description="Whose reading it is: direct, vendor or organisational."
    )


class ExpressionSettings(PolicySettings):
    """A policy of one's own, written as an expression."""

    expression: str = Field(
        description="In CEL, over record, facts, account, region and now: true where the record breaks the policy."
    )
    message: Words = Field(
        description="What the finding says: a text in which {record.name} and the like are filled in."
    )
    remediation: Words = Field(description="What to do about it.")
    controls: list[ControlSettings] = Field(
        default_factory=list, description="Controls that it may be cited for."
    )


def is_own(child: Child) -> bool:
    """Say whether what stands under a policy's id has an expression."""
    return isinstance(child.node, MappingNode) and EXPRESSION in child.node.children


def lacks_expression(child: Child) -> bool:
    """Say whether what stands under a policy's id is one's own in all but its expression."""
    return isinstance(child.node, MappingNode) and not _OF_OWN_ALONE.isdisjoint(child.node.children)


def check_own(policy: str, child: Child, settings: ExpressionSettings, faults: Faults) -> None:
    """Note what is wrong with a policy of one's own, beyond the shape of its settings."""
    if not _ID.fullmatch(policy) or len(policy) > _LONGEST_ID:
        faults.add(
            child.line,
            f"policy {quoted(policy)}: an id is of small letters and digits, with hyphens between them, at most "
            f"{_LONGEST_ID} characters; write one such as public-image",
        )
    if not library_is_there():
        faults.add(
            child.line,
            f"{EXPRESSION} of {cut(policy)}: the library for expressions is not installed; "
            f"{how_to_install('cel')}",
        )
        return
    seen = checked(settings.expression)
    _tell(policy, EXPRESSION, child, seen.faults, faults)
    if not seen.faults and seen.kind != "BOOL":
        faults.add(
            _line(child, EXPRESSION),
            f"{EXPRESSION} of {cut(policy)} yields {_KINDS.get(seen.kind, 'no single value')}; write one that is true "
            "where a record breaks the policy, and false where it does not",
        )
    _tell(policy, "message", child, template_faults(settings.message), faults)


_KINDS = {
    "STRING": "a text",
    "INT": "a number",
    "DOUBLE": "a number",
    "TIMESTAMP": "a time",
    "DURATION": "a duration",
    "NULL": "null",
}


def _tell(policy: str, key: str, child: Child, found: Iterable[Fault], faults: Faults) -> None:
    value = child.node.children[key].node if isinstance(child.node, MappingNode) else None
    for fault in found:
        where = "".join(
            f", {name} {number}"
            for name, number in (("line", fault.line), ("column", fault.column))
            if number is not None
        )
        text = fault.text
        if isinstance(value, Scalar) and value.variables:
            text = "can't be used with what the environment holds; correct that, or write it out"
        elif fault.unknown is not None:
            near = nearest(fault.unknown, fault.known)
            text += f"; write {near}" if near else f"; there are {listed(fault.known)}"
        joint = ":" if where else ("" if text.startswith(("is ", "can't ")) else ":")
        faults.add(_line(child, key), f"{key} of {cut(policy)}{where}{joint} {text}")


def _line(child: Child, key: str) -> int:
    return child.node.children[key].line if isinstance(child.node, MappingNode) else child.line
