"""A gap as an OCSF Compliance Finding of which it is unknown whether it complies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.gaps import accepted_text
from auditor.formats.ocsf_event import (
    COMPLIANCE_FINDING,
    CREATE,
    LONGEST,
    UNKNOWN,
    cloud,
    compliance,
    event,
)
from auditor.formats.text import cut, milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.formats.ocsf_event import Dialect

_SUPPRESSED = (3, "Suppressed")


def gap_event(
    dialect: Dialect, told: Mapping[str, Any], said: tuple[str, str], beside: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event that tells of a gap.

    :param told: an `auditor.gap/1`.
    :param said: the title and the sentence that say it to people, as `gap_said` returns them.
    :param beside: what else is to stand under `unmapped`.
    """
    time = milliseconds(told["observed_at"])
    accepted = accepted_text(told["accepted"]) if told["accepted"] else None
    title, text = said
    regions = told["regions"]
    return {
        **event(
            dialect,
            COMPLIANCE_FINDING,
            activity=CREATE,
            severity=UNKNOWN,
            status=_SUPPRESSED if accepted else UNKNOWN,
            time=time,
            uid=told["event_id"],
            run_id=told["run_id"],
        ),
        "message": cut(text, LONGEST),
        "status_detail": cut(accepted or f"coverage gap: {told['reason'] or told['kind']}", LONGEST),
        "finding_info": {
            "uid": told["gap_id"],
            "title": title,
            "desc": cut(text, LONGEST),
            "types": ["Coverage gap"],
            "created_time": time,
            "modified_time": time,
        },
        "compliance": compliance(dialect, told.get("policy"), UNKNOWN, text, [], []),
        "cloud": cloud(told["account_id"], told["account_name"], regions[0] if len(regions) == 1 else None),
        "unmapped": {"gap": told, **beside},
    }
