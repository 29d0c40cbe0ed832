"""`auditor policies test`: each case judged as a run would judge it, and those that went otherwise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditor.cli.cases import read_cases
from auditor.cli.catalogues import known_policies
from auditor.cli.standard import say
from auditor.errors import CasesError, ConfigError
from auditor.model import EXPORT_RECORDS, Account, ExportRecord, Target, shown
from auditor.policies import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from auditor.cli.cases import Case
    from auditor.config import PolicySettings
    from auditor.errors import Problem
    from auditor.policies import Crash, Entry

_PASSED = 0
_FAILED = 1


def run_cases(config_path: Path | None, paths: Sequence[Path]) -> tuple[int, str]:
    """Run the cases of these files and print those that fail; return the exit code, and why it is that.

    :raises CasesError: with every problem of these files.
    :raises UsageError: where the configuration can't be used.
    """
    entries, settings = known_policies(config_path)
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            cases += read_cases(path, entries)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise CasesError(problems)
    failed = 0
    for case in cases:
        if faults := _judged(case, entries, settings):
            failed += 1
            told = "".join(f"  {fault}\n" for fault in faults)
            say(f"{shown(case.file)}:{case.line}: {case.policy}: {shown(case.name)}\n{told}")
    say(f"{len(cases)} cases: {len(cases) - failed} passed, {failed} failed\n")
    if failed:
        return _FAILED, f"{failed} of {len(cases)} cases failed"
    return _PASSED, f"{len(cases)} cases passed"


def _judged(case: Case, entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]) -> list[str]:
    """Return how the case went otherwise than expected."""
    account = Account(
        id=case.account_id,
        name=case.account_name,
        role_arn=f"arn:aws:iam::{case.account_id}:role/none",
        external_id=None,
        session_name="policies-test",
        session_duration=3_600,
        regions=(case.region,),
    )
    crashes: list[Crash] = []
    panel = Panel(entries, {case.policy: settings[case.policy]}, case.now, frozenset({case.account_id}))
    judge = panel.begin(crashes.append, Target(EXPORT_RECORDS, account, case.region))
    found = judge.judge([ExportRecord(raw, case.facts) for raw in case.records])
    found += judge.conclude(complete=True)
    if crashes:
        error = crashes[0].error
        return [
            f"expected: {case.expect}",
            f"got: the policy crashed: {shown(f'{type(error).__name__}: {error}')}",
        ]
    got = "finding" if found else "unjudged" if judge.unjudged else "none"
    faults: list[str] = []
    if got != case.expect:
        faults += [f"expected: {case.expect}", f"got: {got}"]
        faults += [f"which says: {each.breach.message}" for each in found]
        faults += [f"because: {shown(why)}" for why in judge.reasons.values()]
    elif found:
        breach = found[0].breach
        if case.message is not None and all(each.breach.message != case.message for each in found):
            faults += [f"expected the message: {shown(case.message)}", f"got: {breach.message}"]
        if case.evidence is not None and not any(
            _holds(each.breach.evidence, case.evidence) for each in found
        ):
            faults += [f"expected in the evidence: {_json(case.evidence)}", f"got: {_json(breach.evidence)}"]
    return faults


def _holds(evidence: Any, expected: Any) -> bool:
    """Say whether `expected` stands in `evidence`: each key of a mapping, and anything else as it is."""
    if isinstance(expected, dict):
        return isinstance(evidence, dict) and all(
            key in evidence and _holds(evidence[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(evidence, (list, tuple))
            and len(evidence) == len(expected)
            and all(map(_holds, evidence, expected))
        )
    return bool(evidence == expected)


def _json(value: Any) -> str:
    # A case may hold a number of any size, which orjson does not write.
    return shown(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
