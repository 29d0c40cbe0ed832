"""What a file of cases is made of: mappings, texts and times; each fault is noted with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.config.nodes import MappingNode, Scalar
from auditor.config.wording import key_of_no_use
from auditor.model import epoch

if TYPE_CHECKING:
    from collections.abc import Collection

    from auditor.config.faults import Faults
    from auditor.config.nodes import Child


class CaseNodes:
    """Reads the nodes of one file."""

    def __init__(self, faults: Faults) -> None:
        self.note = faults.add

    def mapping(self, child: Child, what: str, expected: str) -> dict[str, Child]:
        """Return the keys of a mapping; none where it is something else."""
        if isinstance(child.node, MappingNode):
            return child.node.children
        self.note(child.line, f"{what} is {child.node.kind}; write {expected}")
        return {}

    def check_known(self, keys: Collection[str], known: Collection[str]) -> None:
        """Note the keys that are of no use there."""
        for key in keys:
            if key not in known:
                line = keys[key].line if isinstance(keys, dict) else None
                self.note(line, key_of_no_use(key, known))

    def text(self, keys: dict[str, Child], key: str, at: Child, *, required: str | None = None) -> str:
        """Return the text under a key; an empty one where there is none.

        :param at: where it is missed, where it is required.
        :param required: what to write.
        """
        child = keys.get(key)
        if child is None:
            if required is not None:
                self.note(at.line, f"this case has no {key}; write {key}: {required}")
            return ""
        if isinstance(child.node, Scalar) and isinstance(child.node.value, str) and child.node.value:
            return child.node.value
        self.note(child.line, f"{key} is no text; write it in quotes")
        return ""


def seconds_of(value: Any) -> float | None:
    """Return a time as seconds since the epoch; one without a zone is in UTC."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    zoned = value if value.endswith("Z") or "+" in value[10:] or "-" in value[10:] else f"{value}Z"
    return epoch(zoned)
