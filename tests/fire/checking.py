"""What has to hold of every night, whatever went wrong in it: an oracle that shares nothing with the audit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from auditor.simulator.signature import MAX_SKEW
from tests.fire.truth import (
    CONCLUDING,
    OF_RECORDS,
    RECORDS,
    SEVERE,
    judged,
    planned,
    planted,
    records_of,
    unjudgeable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditor.simulator.estate import Estate
    from tests.fire.drawing import Campaign
    from tests.fire.night import Seen
    from tests.fire.troubles import Night
    from tests.fire.truth import Finding, Place

GRACE = 3.0
"""Seconds after its deadline in which a run has to be over (the design's promise)."""
_NOT_OF_THIS_NIGHT = frozenset({"not_seen", "resolved"})
_NOT_WRITTEN, _INCOMPLETE, _FINDINGS, _SIGTERM, _TERM = 4, 3, 1, 143, 15
_STOPPED = frozenset({_SIGTERM, -_TERM})


def problems(campaign: Campaign, seen: Seen, taken: Sequence[Mapping[str, Any]], now: float) -> list[str]:
    """Return all that is wrong with a night; nothing where all is well.

    :param taken: every event that the receiver took, of earlier nights too.
    :param now: when the estate was made, seconds since the epoch.
    """
    return list(_problems(campaign, seen, taken, now))


def _problems(
    campaign: Campaign, seen: Seen, taken: Sequence[Mapping[str, Any]], now: float
) -> Iterator[str]:
    yield from seen.left
    yield from _of_time(campaign, seen)
    yield from _of_the_log(seen)
    if seen.error is not None:
        yield from _of_a_refusal(campaign, seen)
        return
    if seen.interrupted and not seen.folder.exists() and seen.exit_code in _STOPPED:
        return  # before it had begun
    if not seen.interrupted and (seen.folder / "checkpoint.jsonl").exists():
        yield "a checkpoint, and nothing has cut it off"
    missing = [n for n in ("findings.jsonl", "coverage.jsonl", "run.json") if not (seen.folder / n).exists()]
    if missing:
        yield f"exit {seen.exit_code}, and {', '.join(missing)} missing"
        return
    yield from of_the_ledger(campaign.estate, seen)
    yield from of_findings(campaign.estate, seen, now)
    yield from _of_the_exit(campaign, seen)
    if campaign.remembers:
        yield from _of_the_receiver(seen, taken)


def _night(campaign: Campaign, seen: Seen) -> Night:
    return campaign.nights[int(seen.folder.name.rpartition("-")[2])]


def _of_time(campaign: Campaign, seen: Seen) -> Iterator[str]:
    # What the machine let it wait is not its own: others may be at the same cores.
    own = seen.wall - seen.starved
    if own > campaign.deadline + GRACE:
        yield f"took {own:.2f} s, and waited {seen.starved:.2f} s, with a deadline of {campaign.deadline} s"


def _of_the_log(seen: Seen) -> Iterator[str]:
    for event in seen.log:
        if "a bug" in str(event.get("event")) or "internal error" in str(event.get("event")):
            yield f"said in the log: {event}"


def _of_a_refusal(campaign: Campaign, seen: Seen) -> Iterator[str]:
    """A run that did not begin: only where the hub or the base credentials were refused, with nothing written."""
    hub = campaign.estate.hub is not None and "hub role" in str(seen.error)
    skewed = abs(_night(campaign, seen).clock_off) > MAX_SKEW
    if not hub and not (skewed and "does not accept the base credentials" in str(seen.error)):
        yield f"refused to run: {seen.error}"
    if seen.exit_code != 2:
        yield f"exit {seen.exit_code} of a run that did not begin"
    if seen.folder.exists():
        yield "a folder of a run that did not begin"


def of_the_ledger(estate: Estate, seen: Seen) -> Iterator[str]:
    coverage = seen.coverage
    keys = Counter((line["source"], line["account_id"], line["region"]) for line in coverage)
    yield from (f"{count} verdicts of {key}" for key, count in keys.items() if count > 1)
    yield from (f"no verdict of {key}" for key in planned(estate) - keys.keys())
    yield from (f"a verdict of {key}, which was not planned" for key in keys.keys() - planned(estate))
    enabled = {account.id: account.enabled_regions for account in estate.accounts}
    for line in coverage:
        place = (line["account_id"], line["region"])
        verdict, reason, pages = line["verdict"], line["reason"], line["pages"]
        where = f"{line['source']} of {place}: {verdict}, {reason}, {pages} page(s)"
        if (verdict == "complete") != (reason is None) or reason == "internal-error":
            yield where
        if verdict == "partial" and not pages:
            yield where
        if verdict in ("failed", "skipped") and pages:
            yield where
        if verdict == "skipped" and (reason != "region-not-enabled" or place[1] in enabled[place[0]]):
            yield f"{where}, and the Region is enabled"
        if line["source"] != RECORDS:
            continue
        there = len(records_of(estate, place))
        if line["records"] > there or (verdict == "complete" and line["records"] != there):
            yield f"{where}: {line['records']} records of {there}"
        if verdict == "complete" and place[1] not in enabled[place[0]]:
            yield f"{where}, and the Region is not enabled"
    totals = Counter(line["verdict"] for line in coverage)
    told = seen.run["totals"]["targets"]
    if told != {
        "planned": len(coverage),
        **{v: totals[v] for v in ("complete", "partial", "failed", "skipped")},
    }:
        yield f"run.json says {told}, and the ledger {dict(totals)}"


def of_findings(estate: Estate, seen: Seen, now: float) -> Iterator[str]:
    everything = seen.findings
    ids = Counter(finding["finding_id"] for finding in everything)
    yield from (f"{count} findings of id {each}" for each, count in ids.items() if count > 1)
    found: dict[Place, dict[Finding, dict[str, Any]]] = {}
    for finding in everything:
        key = (finding["policy"], finding["account_id"], finding["region"], finding["resource_arn"])
        place = key[1:3]
        if finding["status"] not in _NOT_OF_THIS_NIGHT:
            found.setdefault(place, {})[key] = finding
        elif finding["status"] == "resolved" and key in planted(estate, place):
            yield f"resolved, and it is there: {key}"
    lines: dict[Place, dict[str, dict[str, Any]]] = {}
    for line in seen.coverage:
        lines.setdefault((line["account_id"], line["region"]), {})[line["source"]] = line
    for place, by_source in lines.items():
        yield from _of_a_place(estate, place, by_source, found.pop(place, {}), now)
    yield from (f"found where nothing was planned: {place}" for place in found)


def _of_a_place(
    estate: Estate,
    place: Place,
    lines: Mapping[str, Mapping[str, Any]],
    found: Mapping[Finding, Mapping[str, Any]],
    now: float,
) -> Iterator[str]:
    true, read = planted(estate, place), lines[RECORDS]
    whole = all(line["verdict"] == "complete" for line in lines.values())
    if whole:
        yield from (f"not found: {each}" for each in true - found.keys())
        yield from (f"false: {each}" for each in found.keys() - true)
        if read["unjudged"] != unjudgeable(estate, place):
            yield f"unjudged in {place}: {read['unjudged']}, and in truth {unjudgeable(estate, place)}"
        return
    for each in found.keys() - true:
        concluded = (
            each[0] in CONCLUDING and found[each]["evidence"].get("target_read_completely") is not True
        )
        if not concluded or (
            each[0] in CONCLUDING and each[0] not in OF_RECORDS and read["verdict"] == "complete"
        ):
            yield f"false, in {place} ({read['verdict']}): {each}"
    # What was read of the records are the first of them: of these, all is found that their policies find in them.
    first = records_of(estate, place)[: read["records"]]
    here = {each for each in found if each[0] in OF_RECORDS}
    due = judged(first, place, now)
    yield from (f"read, and not found: {each}" for each in due - here)
    yield from (f"found, and not in what was read: {each}" for each in here - due)


def _of_the_exit(campaign: Campaign, seen: Seen) -> Iterator[str]:
    held = set(_conditions(campaign, seen))
    order = [code for code in (_SIGTERM, _NOT_WRITTEN, _INCOMPLETE, _FINDINGS) if code in held] or [0]
    stopped = (
        seen.interrupted and seen.exit_code == -_TERM
    )  # once all was written, and nobody waited for it any more
    if seen.exit_code != order[0] and not stopped:
        yield f"exit {seen.exit_code}, and by the contract {order}"
    if set(seen.run["exit_conditions"]) != set(order):
        yield f"exit_conditions {seen.run['exit_conditions']}, and by the contract {order}"


def _conditions(campaign: Campaign, seen: Seen) -> Iterator[int]:
    """Yield every exit code that holds, by the files and the outbox alone."""
    coverage = seen.coverage
    verdicts = Counter(line["verdict"] for line in coverage)
    readable = len(coverage) - verdicts["skipped"]
    if (
        not readable
        or verdicts["complete"] * 100 // readable < 100
        or any(line["unjudged"] for line in coverage)
    ):
        yield _INCOMPLETE
    if any(f["severity"] in SEVERE and f["status"] != "resolved" and not f["waiver"] for f in seen.findings):
        yield _FINDINGS
    gave_up = any(str(event.get("event")).startswith("history failed") for event in seen.log)
    if _night(campaign, seen).full_output or seen.due or seen.dead_letters or gave_up:
        yield _NOT_WRITTEN
    if seen.interrupted and _SIGTERM in seen.run["exit_conditions"]:
        yield _SIGTERM  # it may have come when all was done


def _of_the_receiver(seen: Seen, taken: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Hold what was found against what was taken, refused and is still due: nothing is lost, and nothing made up."""
    run_id = seen.run["run_id"]
    told = {event["event_id"] for event in taken} | {letter["event_id"] for letter in seen.dead_letters}
    findings = {finding["event_id"] for finding in seen.findings}
    made_up = [
        event
        for event in taken
        if event["schema"] == "auditor.finding/1"
        and event["run_id"] == run_id
        and event["event_id"] not in findings
    ]
    yield from (f"taken by the receiver, and not found: {event}" for event in made_up)
    lost = len(findings - told)
    if lost > seen.due and not seen.interrupted:
        yield f"{lost} finding(s) neither taken nor refused, and {seen.due} event(s) due"
