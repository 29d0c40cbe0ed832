"""Session tags: what STS takes, told of the very tag that it does not."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from auditor.config.entries import LONGEST_TAG_KEY, LONGEST_TAG_VALUE, MOST_TAGS
from auditor.config.nodes import MappingNode, Scalar
from auditor.config.text import cut, quoted
from auditor.config.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.config.faults import Faults
    from auditor.config.nodes import Child

_SIGNS = "_.:/=+-@"
_CATEGORIES = ("L", "N", "Zs")
"""Of Unicode: letters, numbers and blanks."""
_CHARACTERS = f"letters, digits, blanks or {_SIGNS}"


def check_tags(levels: Iterable[MappingNode | None], faults: Faults) -> None:
    """Note every session tag that STS would refuse (STS API reference, Tag; IAM user guide, "Pass session tags")."""
    seen: set[int] = set()  # many accounts may share tags by an alias
    for level in levels:
        tags = level.children.get("session_tags") if level is not None else None
        if tags is not None and isinstance(tags.node, MappingNode) and id(tags.node) not in seen:
            seen.add(id(tags.node))
            _check(tags, tags.node.children, faults)


def _check(tags: Child, children: dict[str, Child], faults: Faults) -> None:
    if len(children) > MOST_TAGS:
        faults.add(
            tags.line, f"session_tags has {len(children)} tags; STS takes {MOST_TAGS}: remove some of them"
        )
    first: dict[str, str] = {}
    for key, child in children.items():
        # A key is told apart by more than its case.
        twin = first.setdefault(key.casefold(), key)
        if twin != key:
            line = children[twin].line
            faults.add(child.line, f"the tag {quoted(key)} is on line {line} too but for its case; keep one")
        if not 1 <= len(key) <= LONGEST_TAG_KEY or not _is_taken(key):
            faults.add(
                child.line,
                f"a tag's key can't be {quoted(key)}; write 1 to {LONGEST_TAG_KEY} {_CHARACTERS}",
            )
        elif key.casefold().startswith("aws:"):
            faults.add(child.line, f"a tag's key can't be {quoted(key)}: AWS keeps aws: for its own")
        node, value = child.node, text_of(child.node)
        if (
            isinstance(node, Scalar)
            and value is not None
            and not (len(value) <= LONGEST_TAG_VALUE and _is_taken(value))
        ):
            faults.add(
                child.line,
                f"the tag {cut(key)} can't be {quoted(node.text)}; write at most {LONGEST_TAG_VALUE} {_CHARACTERS}",
            )


def _is_taken(text: str) -> bool:
    return all(sign in _SIGNS or unicodedata.category(sign).startswith(_CATEGORIES) for sign in text)
