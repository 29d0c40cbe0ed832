"""Whether what a run says in its log as a warning or an error stands in its ledger or run.json too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.fire.night import Seen

_NOT_WRITTEN = 4
"""How a run exits of which not everything could be written."""
_LOUD = frozenset({"warning", "error", "critical", "exception"})


def unexplained(log: Sequence[Mapping[str, Any]], seen: Seen) -> list[str]:
    """Return each loud line of a log that the run's own files do not account for."""
    run = seen.run
    coverage = {(line["source"], line["account_id"], line["region"]): line for line in seen.coverage}
    deliveries = {report["destination"] for report in run["deliveries"]}

    def is_accounted(event: Mapping[str, Any]) -> bool:
        line = coverage.get((event.get("source", ""), event.get("account", ""), event.get("region", "")))
        match event["event"]:
            case "target not read to its end":
                # With the reason that the ledger has.
                accounted = line is not None and line["reason"] == event["reason"] is not None
            case "page token rejected; begun again":
                # It took a request more than pages were read.
                accounted = line is not None and line["requests"] > line["pages"]
            case "calls do not go to AWS":
                accounted = run["endpoint_overrides"][event["service"]] == event["endpoint"]
            case "not delivered yet" | "refused for good":
                accounted = event["destination"] in deliveries
            case "Lightsail did not say which Regions it has":
                accounted = not run["scope"]["regions_compared"]
            case "history failed; it knows no more of this run" | "output failed":
                accounted = _NOT_WRITTEN in run["exit_conditions"]
            case "caller not known":
                accounted = run["caller_arn"] is None
            case "role not refreshed":
                # It lost nothing: the session in hand went on. Had it ended first, the account's targets would say so.
                accounted = event["level"] == "warning" and any(
                    key[1] == event["account"] for key in coverage
                )
            case _:
                accounted = False
        return bool(accounted)

    return [
        f"in the log, and in no file: {dict(event)}"
        for event in log
        if event.get("level") in _LOUD and not is_accounted(event)
    ]
