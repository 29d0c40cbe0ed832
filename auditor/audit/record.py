"""What a run says of itself: run.json, the exit code, and the same for a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.audit.gating import failing
from auditor.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from auditor.audit.books import Balance
    from auditor.audit.gating import Gates
    from auditor.audit.tally import Tally
    from auditor.coverage import Ledger
    from auditor.model import Outcome, Severity, Target

SCHEMA = "auditor.run/1"


class Exit(IntEnum):
    """Exit codes, in the order in which one that holds hides those after it."""

    USAGE = 2
    BUG = 5
    SIGINT = 130
    SIGTERM = 143
    NOT_WRITTEN = 4
    INCOMPLETE = 3
    FINDINGS = 1
    CLEAN = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that decides how a run exits, in words."""

    code: Exit
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A target that was not read to its end, and is not proved empty."""

    target: Target
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run."""

    folder: Path
    record: Mapping[str, Any]
    """run.json."""
    conditions: Sequence[Condition]
    """Everything that held, the one that decided first; empty for a clean run."""
    findings: Mapping[tuple[Severity, str], int]
    """How many there are of each severity and policy; the findings themselves stand in the folder's files."""
    ledger: Ledger
    """Every target with its outcome."""
    gave_up: bool
    """Whether an output was given up on that took nothing: a thread of this process still waits for it."""
    waived: Mapping[tuple[Severity, str], int] = field(default_factory=dict)
    """How many of these findings are waived."""
    is_cut_off: bool = False
    """Whether a signal ended the run before it was done: it can go on, by `RunOptions.resume`."""
    new: Mapping[tuple[Severity, str], int] = field(default_factory=dict)
    """How many of them were not open before the run, new or reopened; empty without a history."""

    @property
    def exit_code(self) -> int:
        """What the process exits with."""
        return int(self.conditions[0].code if self.conditions else Exit.CLEAN)

    def gaps(self) -> list[Gap]:
        """Return what was planned and could not be read to its end, in the order of the plan."""
        return [
            Gap(target, outcome)
            for target, outcome in self.ledger.failures()
            if outcome.verdict in (Verdict.PARTIAL, Verdict.FAILED)
        ]


def conditions(  # noqa: PLR0913 -- each is one thing that an exit code may tell of
    *,
    gates: Gates,
    ledger: Ledger,
    tally: Tally,
    balance: Balance,
    stopped_by: Exit | None,
    write_errors: Sequence[str],
    bugs: Sequence[str] = (),
) -> list[Condition]:
    """Return every condition that held, in the order of `Exit`.

    :param write_errors: why what could not be written was not.
    :param bugs: those of them that were bugs of the auditor.
    """
    held: list[Condition] = []
    if balance.error:
        held.append(Condition(Exit.BUG, f"the ledger does not add up, a bug: {balance.error}"))
    if balance.internal_errors:
        text = f"{balance.internal_errors} target(s) ended in an internal error, a bug"
        held.append(Condition(Exit.BUG, text))
    held += [Condition(Exit.BUG, f"an output ended in an internal error: {bug}") for bug in bugs]
    if stopped_by is not None:
        held.append(Condition(stopped_by, f"interrupted by {stopped_by.name}; what was done is kept"))
    held += [
        Condition(Exit.NOT_WRITTEN, f"not everything could be written: {error}") for error in write_errors
    ]
    percent = ledger.percent_after_accepted()
    if percent < gates.min_coverage:
        after = " after accepted gaps" if ledger.accepted else ""
        text = f"coverage {percent} %{after} is below {gates.min_coverage} %"
        held.append(Condition(Exit.INCOMPLETE, text))
    if tally.unjudged_records > gates.max_unjudged:
        text = f"{tally.unjudged_records} record(s) could not be judged, {gates.max_unjudged} allowed"
        held.append(Condition(Exit.INCOMPLETE, text))
    held += [Condition(Exit.FINDINGS, text) for text in failing(gates.fail_on, tally)]
    order = list(Exit)
    return sorted(held, key=lambda condition: order.index(condition.code))


def run_record(  # noqa: PLR0913 -- one of each thing that run.json tells
    *,
    run_id: str,
    started_at: str,
    finished_at: str,
    botocore_version: str,
    policies: Mapping[str, str],
    config_digest: str,
    history: str | None,
    caller_arn: str | None,
    endpoint_overrides: Mapping[str, str],
    scope: Mapping[str, Any],
    resumed_at: Sequence[str],
    ledger: Ledger,
    tally: Tally,
    balance: Balance,
    held: Sequence[Condition],
    accepted: Mapping[str, Any],
) -> dict[str, Any]:
    """Return run.json; `accepted` is its parts on waivers and accepted gaps.

    :param history: what the store of earlier runs is called, without what is secret in it; None where there is none.
    """
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "started_at": started_at,
        "resumed_at": list(resumed_at),
        "finished_at": finished_at,
        "versions": {"auditor": __version__, "botocore": botocore_version, "policies": dict(policies)},
        "config_digest": config_digest,
        "history": history,
        "caller_arn": caller_arn,
        "endpoint_overrides": dict(endpoint_overrides),
        "scope": dict(scope),
        "totals": {
            "accounts": balance.accounts,
            "targets": {
                "planned": ledger.planned,
                **{verdict.value: ledger.verdicts[verdict] for verdict in Verdict},
            },
            "accepted_gaps": ledger.accepted,
            "requests": ledger.requests,
            **tally.totals(),
        },
        "coverage_percent": ledger.percent(),
        "coverage_percent_after_accepted": ledger.percent_after_accepted(),
        **accepted,
        "exit_conditions": list(dict.fromkeys(int(condition.code) for condition in held)) or [0],
        "exit_code": int(held[0].code) if held else 0,
    }
