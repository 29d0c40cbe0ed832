"""Whether run.json counts what stands in findings.jsonl and coverage.jsonl."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auditor.evidence.reading import Evidence


def total_faults(evidence: Evidence) -> Iterator[str]:
    """Yield what run.json counts otherwise than it stands there."""
    try:
        totals = evidence.run().get("totals")
        counted = _counted(evidence.folder)
        told = _told(totals)
    except (EvidenceFault, OSError):
        return  # told with the files
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        yield "run.json: its totals, or what they count, can't be read"
        return
    for what, count in told.items():
        if counted.get(what, 0) != count:
            yield f"run.json: counts {shown(str(count))} {what}, and there are {counted.get(what, 0)}"
    for what in counted:
        if what not in told:
            yield f"run.json: counts no {shown(what)}, and there are {counted[what]}"


def _told(totals: Any) -> dict[str, int]:
    targets: Mapping[str, int] = totals["targets"]
    return {
        "findings": totals["findings"]["total"],
        **{f"findings of {policy}": count for policy, count in totals["findings"]["by_policy"].items()},
        "requests": totals["requests"],
        "accepted gaps": totals["accepted_gaps"],
        **{f"targets {verdict}": count for verdict, count in targets.items() if count},
    }


def _counted(folder: Path) -> Counter[str]:
    counted: Counter[str] = Counter({"findings": 0, "requests": 0, "accepted gaps": 0})
    with (folder / "coverage.jsonl").open("rb") as lines:
        for raw in lines:
            told = orjson.loads(raw)
            counted["targets planned"] += 1
            counted[f"targets {told['verdict']}"] += 1
            counted["requests"] += told["requests"]
            counted["accepted gaps"] += told["accepted"] is not None
    with (folder / "findings.jsonl").open("rb") as lines:
        for raw in lines:
            counted["findings"] += 1
            counted[f"findings of {orjson.loads(raw)['policy']}"] += 1
    return counted
