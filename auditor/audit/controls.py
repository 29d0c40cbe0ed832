"""What a run says of the controls that its policies bear on: control → policies → findings, gaps and passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model import Status, Verdict
from auditor.policies import catalogue_of, sources_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from auditor.config import PolicySettings
    from auditor.model import Control, Finding

COLUMNS = (
    "framework",
    "control",
    "mapping",
    "policy",
    "result",
    "findings",
    "waived",
    "places_passed",
    "places_with_findings",
    "places_not_seen",
    "unjudged_records",
)
"""A place is an account and Region. `mapping` says whose reading it is that the policy bears on the control: `direct`,
`vendor` or `organisational`."""

FOUND, NOT_SEEN, PASSED = "findings", "not all seen", "passed"
"""`result`: a gap is never a pass."""

_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})


@dataclass(slots=True)
class _Judged:
    """What is known of one policy."""

    sources: frozenset[str]
    findings: int = 0
    waived: int = 0
    unjudged: int = 0


class Controls:
    """The table of one run, filled line by line."""

    def __init__(self, settings: Mapping[str, PolicySettings]) -> None:
        """Begin with the policies that the run judged by."""
        entries = catalogue_of(settings)
        self._controls: dict[str, tuple[Control, ...]] = {
            policy_id: entries[policy_id].policy.controls for policy_id in settings
        }
        self._policies = {
            policy_id: _Judged(frozenset(sources_of(entries, {policy_id: chosen})))
            for policy_id, chosen in settings.items()
        }
        self._found: dict[str, set[tuple[str, str]]] = {policy_id: set() for policy_id in settings}
        self._unseen: dict[str, set[tuple[str, str]]] = {policy_id: set() for policy_id in settings}
        self._places: set[tuple[str, str]] = set()

    def found(self, findings: Iterable[Finding]) -> None:
        """Count findings: those that are gone are none any more."""
        for finding in findings:
            policy = self._policies.get(finding.policy)
            if policy is None or finding.status is Status.RESOLVED:
                continue
            policy.findings += 1
            policy.waived += finding.waiver is not None
            self._found[finding.policy].add((finding.account_id, finding.region))

    def covered(self, line: Mapping[str, Any]) -> None:
        """Count a coverage line."""
        place = (line["account_id"], line["region"])
        self._places.add(place)
        unread = Verdict(line["verdict"]) in _UNREAD
        for policy_id, policy in self._policies.items():
            unjudged = line["unjudged"].get(policy_id, 0)
            policy.unjudged += unjudged
            if unjudged or (unread and line["source"] in policy.sources):
                self._unseen[policy_id].add(place)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield a row for each control and policy, by framework."""
        cited = [
            (control, policy_id) for policy_id, controls in self._controls.items() for control in controls
        ]
        for control, policy_id in sorted(cited, key=lambda one: (one[0].framework, one[0].id, one[1])):
            policy, found, unseen = (
                self._policies[policy_id],
                self._found[policy_id],
                self._unseen[policy_id],
            )
            result = FOUND if found else NOT_SEEN if unseen else PASSED
            counts = Counter(
                findings=policy.findings,
                waived=policy.waived,
                places_passed=len(self._places - found - unseen),
                places_with_findings=len(found),
                places_not_seen=len(unseen - found),
                unjudged_records=policy.unjudged,
            )
            numbers = (str(counts[column]) for column in COLUMNS[5:])
            yield control.framework, control.id, control.mapping, policy_id, result, *numbers
