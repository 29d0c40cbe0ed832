"""What a file is made of, each part with its line: scalars, mappings and lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True, eq=False)
class Scalar:
    """One value: text, a number, true or false, or nothing."""

    line: int
    text: str
    """As it is written in the file."""
    value: str | int | float | bool | None
    """As it is meant: what stands for an environment variable is put in its place later."""
    variables: tuple[str, ...] = ()
    """The environment variables that `value` was made of: it can't be shown then."""
    spoiled: bool = False
    """A fault was told already: no second one is due."""

    kind = "a value"


@dataclass(slots=True, eq=False)
class MappingNode:
    """Keys and their values, in the file's order."""

    line: int
    children: dict[str, Child] = field(default_factory=dict)

    kind = "a mapping"


@dataclass(slots=True, eq=False)
class ListNode:
    """Values in their order."""

    line: int
    children: list[Child] = field(default_factory=list)

    kind = "a list"


Node: TypeAlias = "Scalar | MappingNode | ListNode"


@dataclass(slots=True)
class Child:
    """A value where it stands; an alias lets one node stand in several places."""

    line: int
    """Of its key, of its place in the list, or of the alias: where a reader looks for it."""
    node: Node
