"""A run as an OCSF Scan Activity: on clean nights too, so that silence means that the job is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.ocsf_event import SCAN_ACTIVITY, UNKNOWN, cloud, event
from auditor.formats.text import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.formats.ocsf_event import Dialect

_COMPLETED, _CANCELLED = (2, "Completed"), (3, "Cancelled")
_INFORMATIONAL = (1, "Informational")
_SUCCESS, _FAILURE = (1, "Success"), (2, "Failure")
_LOOKED_AT_ALL = frozenset({0, 1})
"""Exit codes of a run that has looked at all that it was to look at, whatever it found."""
_SIGNALS = frozenset({130, 143})


def run_event(dialect: Dialect, record: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that tells of a run.

    :param record: run.json, and its `event_id`.
    :param beside: what else is to stand under `unmapped`.
    """
    began, ended = milliseconds(record["started_at"]), milliseconds(record["finished_at"])
    codes = set(record["exit_conditions"])
    totals = record["totals"]
    found, targets = totals["findings"], totals["targets"]
    looked = (
        f"coverage {record['coverage_percent']} % of {targets['planned']} target(s), "
        f"{totals['unjudged']['records']} record(s) not judged"
    )
    subset = "" if record["scope"].get("kind") == "full" else " of a subset alone"
    return {
        **event(
            dialect,
            SCAN_ACTIVITY,
            activity=_CANCELLED if codes & _SIGNALS else _COMPLETED,
            severity=_INFORMATIONAL,
            status=_SUCCESS if codes <= _LOOKED_AT_ALL else _FAILURE,
            time=ended,
            uid=record["event_id"],
            run_id=record["run_id"],
        ),
        "message": f"An audit of Lightsail exports{subset} has ended: {found['total']} finding(s), {looked}",
        "status_code": str(record["exit_code"]),
        "status_detail": looked,
        "start_time": began,
        "end_time": ended,
        "duration": max(ended - began, 0),
        "scan": {
            "uid": record["run_id"],
            "name": "Audit of Lightsail exports",
            # Whether somebody or a timer has begun it is not known.
            "type_id": UNKNOWN[0],
            "type": UNKNOWN[1],
        },
        "total": totals["records"],
        "num_detections": found["total"],
        "num_resolutions": found["by_status"].get("resolved", 0),
        "num_skipped_items": totals["unjudged"]["records"],
        "cloud": cloud(None, None, None),
        "unmapped": {"run": {**record}, **beside},
    }
