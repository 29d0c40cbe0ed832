"""The doctor's findings as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.audit.doctor import Diagnosis


def told(diagnoses: Sequence[Diagnosis]) -> str:
    """Return a paragraph for each account, those that are well in a line."""
    return "".join(f"{line}\n" for one in diagnoses for line in _lines(one))


def _lines(one: Diagnosis) -> list[str]:
    name = f" {shown(one.account.name)}" if one.account.name else ""
    works = ", ".join(dict.fromkeys(one.well)) or "nothing"
    where = f" (in {', '.join(one.regions)})" if one.well else ""
    if not one.well and not one.problems:
        lines = [f"{one.account.id}{name}: not tried"]
    else:
        state = "TO BE FIXED" if one.problems else "well"
        lines = [f"{one.account.id}{name}: {state}; works: {works}{where}"]
    for problem in one.problems:
        place = f" in {problem.region}" if problem.region else ""
        # AWS's own words are made fit to be shown where they are read.
        lines.append(f"  {problem.what}{place}: {shown(problem.reason)}")
        lines.append(f"    fix: {shown(problem.fix)}")
    return lines + [f"  note: {note}" for note in one.notes]
