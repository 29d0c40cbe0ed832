"""`${NAME}` in a text reads the environment; `$${` is a plain `${`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.config.nodes import Child, ListNode, MappingNode, Scalar
from auditor.config.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.config.faults import Faults

NAME = "[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(rf"(\$?)\$\{{(?:({NAME})\}})?")


def fill_in(root: Child, environ: Mapping[str, str], faults: Faults) -> None:
    """Put the environment's values in place of their names, all over the tree under `root`.

    A variable that is unset or empty is a fault. No message shows what a variable holds.
    """
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        child = waiting.pop()
        # An alias leads here again, and a value that was filled in is not looked through a second time.
        if id(child.node) in seen:
            continue
        seen.add(id(child.node))
        if isinstance(child.node, MappingNode):
            waiting.extend(child.node.children.values())
        elif isinstance(child.node, ListNode):
            waiting.extend(child.node.children)
        elif "${" in child.node.text:
            _fill(child.node, environ, faults)


def _fill(node: Scalar, environ: Mapping[str, str], faults: Faults) -> None:
    used: list[str] = []
    missing: list[str] = []
    broken = False

    def value(match: re.Match[str]) -> str:
        nonlocal broken
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if name is None:
            broken = True
            return ""
        used.append(name)
        if not environ.get(name):
            missing.append(name)
        return environ.get(name, "")

    node.value = _REFERENCE.sub(value, node.text)
    node.variables = tuple(dict.fromkeys(used))
    if broken:
        faults.add(
            node.line, "'${' begins the name of an environment variable; write ${NAME}, or $${ for a plain ${"
        )
    if missing:
        names = listed(f"${{{name}}}" for name in dict.fromkeys(missing))
        faults.add(
            node.line,
            f"{names}: not set in the environment, or empty; set it before the run, or write the value",
        )
    node.spoiled |= broken or bool(missing)
