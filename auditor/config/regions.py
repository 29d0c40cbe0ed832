"""Regions as they are written: `all`, or a list of those that Lightsail has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config.nodes import Child, ListNode, Scalar
from auditor.config.text import nearest, quoted
from auditor.config.values import kind_of, text_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from auditor.config.faults import Faults

ALL = "all"
_EXPECTED = "write all, or a list such as [us-east-1, eu-west-1]"


def check_regions(child: Child, known: Collection[str], faults: Faults) -> None:
    """Note every fault of the value of a key `regions`: unknown ones, one listed twice, an empty list."""
    node = child.node
    if isinstance(node, ListNode):
        if not node.children:
            faults.add(child.line, f"regions is empty, so nothing would be audited; {_EXPECTED}")
        _check_list(node, known, faults)
    elif not isinstance(node, Scalar):
        faults.add(child.line, f"regions is {node.kind}; {_EXPECTED}")
    elif not node.spoiled and node.value != ALL:
        found = f"is {kind_of(node)}" if text_of(node) is None else f"{quoted(node.text)} is no list"
        hint = f"write [{node.value}]" if node.value in known and not node.variables else _EXPECTED
        faults.add(child.line, f"regions {found}; {hint}")


def _check_list(node: ListNode, known: Collection[str], faults: Faults) -> None:
    lines: dict[str, int] = {}
    for child in node.children:
        if faults.full:
            return
        if isinstance(child.node, Scalar) and child.node.spoiled:
            continue
        region = text_of(child.node)
        if region is None or not isinstance(child.node, Scalar):
            faults.add(child.line, f"a Region is {kind_of(child.node)}; write its name, such as us-east-1")
        elif region == ALL:
            faults.add(child.line, "all stands in a list of Regions; write regions: all, without brackets")
        elif region not in known:
            near = None if child.node.variables else nearest(region, known)
            hint = f"write {near}" if near else f"Lightsail is in {', '.join(sorted(known))}"
            faults.add(
                child.line,
                f"Region {quoted(child.node.text)} is none that Lightsail is known to have; {hint}",
            )
        elif region in lines:
            first = lines[region]
            faults.add(
                child.line,
                f"Region {quoted(child.node.text)} is listed twice, on line {first} first; keep one",
            )
        else:
            lines[region] = child.line
