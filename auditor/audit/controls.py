"""What a run says of the controls that its policies bear on: control → policies → findings, gaps and passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model import NOT_OF_AN_ACCOUNT, Status, Verdict
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
    "places_with_nothing_to_read",
    "unjudged_records",
)
"""A place is an account and Region. `mapping` says whose reading it is that the policy bears on the control: `direct`,
`vendor` or `organisational`."""

FOUND, NOT_SEEN, PASSED, NOTHING = "findings", "not all seen", "passed", "nothing to read"
"""`result`: neither a gap nor what was left out of the run is ever a pass."""

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

    def __init__(self, settings: Mapping[str, PolicySettings], *, is_subset: bool) -> None:
        """Begin with the policies that the run judged by.

        :param is_subset: whether the run was confined, so that nothing is known of the rest.
        """
        self._is_subset = is_subset
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
        self._empty: set[tuple[str, str]] = set()
        """Places of which it is proved that there is nothing to read."""

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
        verdict = Verdict(line["verdict"])
        unread = verdict in _UNREAD
        # An organisation that could not be read may have accounts that break any policy.
        of_all = line["source"] in NOT_OF_AN_ACCOUNT
        if verdict is Verdict.SKIPPED:
            self._empty.add(place)
        for policy_id, policy in self._policies.items():
            unjudged = line["unjudged"].get(policy_id, 0)
            policy.unjudged += unjudged
            if unjudged or (unread and (of_all or line["source"] in policy.sources)):
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
            empty = self._empty - found - unseen
            passed = self._places - found - unseen - empty
            if found:
                result = FOUND
            elif unseen or self._is_subset:
                result = NOT_SEEN
            else:
                result = PASSED if passed else NOTHING
            counts = Counter(
                findings=policy.findings,
                waived=policy.waived,
                places_passed=len(passed),
                places_with_findings=len(found),
                places_not_seen=len(unseen - found),
                places_with_nothing_to_read=len(empty),
                unjudged_records=policy.unjudged,
            )
            numbers = (str(counts[column]) for column in COLUMNS[5:])
            yield control.framework, control.id, control.mapping, policy_id, result, *numbers
