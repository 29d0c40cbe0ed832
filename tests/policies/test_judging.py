from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import STACK_RECORDS, VOLUMES, ExportRecord
from auditor.policies import Breach, Crash, Entry, Judgement, Panel, RecordPolicy, TargetPolicy, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.policies import Policy, TargetJudge

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


class EveryRecord(RecordPolicy[PolicySettings]):
    """Finds every record, so that what another policy hides is missed."""

    settings_type = PolicySettings
    remediation = "None."

    def judge(self, record: ExportRecord) -> Breach | None:
        return Breach(record, "It is there.", {})


class Kept(Judgement):
    """Keeps what it sees, and finds all of it."""

    def __init__(self) -> None:
        self.kept: list[ExportRecord] = []

    def see(self, record: ExportRecord) -> None:
        self.kept.append(record)

    def conclude(self, *, complete: bool) -> Iterable[Breach]:
        return [Breach(record, "It was there.", {"complete": complete}) for record in self.kept]


class EveryTarget(TargetPolicy[PolicySettings]):
    settings_type = PolicySettings
    remediation = "None."

    def begin(self) -> Judgement:
        return Kept()


class RaisesOnBad(RecordPolicy[PolicySettings]):
    settings_type = PolicySettings
    remediation = "None."

    def judge(self, record: ExportRecord) -> Breach | None:
        if record.arn == "arn:bad":
            raise ZeroDivisionError("a bug")
        return None


class SeesBadly(EveryTarget):
    def begin(self) -> Judgement:
        class Raises(Kept):
            def see(self, record: ExportRecord) -> None:
                if record.arn == "arn:bad":
                    raise ZeroDivisionError("a bug")
                super().see(record)

        return Raises()


class ConcludesBadly(EveryTarget):
    def begin(self) -> Judgement:
        class Raises(Kept):
            def conclude(self, *, complete: bool) -> Iterable[Breach]:
                yield from super().conclude(complete=complete)
                raise ZeroDivisionError("a bug")

        return Raises()


class NeedsVolumes(EveryRecord):
    sources = frozenset({VOLUMES})


class NeedsSize(RecordPolicy[PolicySettings]):
    settings_type = PolicySettings
    remediation = "None."

    def judge(self, record: ExportRecord) -> Breach | None:  # noqa: ARG002 -- the contract's
        raise UnusableField("size")


def ignore(crash: Crash) -> None:
    """Of no interest here."""


def panel(**policies: type[Policy[Any]]) -> Panel:
    entries = {name: Entry(name, policy, "A page.", "0") for name, policy in policies.items()}
    return Panel(entries, dict.fromkeys(policies, PolicySettings()), NOW)


def seen_by(judge: TargetJudge, *arns: str | None) -> list[tuple[str, str]]:
    """The policy and the record of what was found, in order."""
    found = judge.judge([ExportRecord({"arn": arn}) for arn in arns])
    found += judge.conclude(complete=True)
    return [(each.policy, each.breach.record.arn) for each in found]


ALL_FOUND = [("record", arn) for arn in ("arn:1", "arn:bad", "arn:2")]
ALL_CONCLUDED = [("target", arn) for arn in ("arn:1", "arn:bad", "arn:2")]


@pytest.mark.parametrize("broken", [RaisesOnBad, SeesBadly])
def test_a_policy_that_raises_on_a_record_leaves_that_one_unjudged_and_touches_nothing_else(
    broken: type[Policy[Any]],
) -> None:
    crashes: list[Crash] = []
    judge = panel(broken=broken, record=EveryRecord, target=EveryTarget).begin(crashes.append)
    found = seen_by(judge, "arn:1", "arn:bad", "arn:2")
    assert [each for each in found if each[0] != "broken"] == ALL_FOUND + ALL_CONCLUDED
    assert judge.unjudged == {"broken": 1}
    assert judge.unjudged_records == 1
    assert [(crash.policy, repr(crash.error)) for crash in crashes] == [
        ("broken", "ZeroDivisionError('a bug')")
    ]


def test_a_policy_that_raises_on_one_record_still_finds_the_others() -> None:
    judge = panel(broken=SeesBadly).begin(ignore)
    assert seen_by(judge, "arn:1", "arn:bad", "arn:2") == [("broken", "arn:1"), ("broken", "arn:2")]


def test_a_policy_that_raises_at_the_end_leaves_the_whole_target_unjudged_by_it() -> None:
    crashes: list[Crash] = []
    judge = panel(broken=ConcludesBadly, record=EveryRecord, target=EveryTarget).begin(crashes.append)
    assert seen_by(judge, "arn:1", "arn:bad", "arn:2") == ALL_FOUND + ALL_CONCLUDED
    assert judge.unjudged == {"broken": 3}
    assert judge.unjudged_records == 3
    assert [crash.policy for crash in crashes] == ["broken"]


def test_one_targets_crash_says_nothing_of_the_next_target() -> None:
    both = panel(broken=SeesBadly)
    first, second = both.begin(ignore), both.begin(ignore)
    assert seen_by(first, "arn:bad") == []
    assert seen_by(second, "arn:1") == [("broken", "arn:1")]
    assert (first.unjudged, second.unjudged) == ({"broken": 1}, {})


@pytest.mark.parametrize("answer", [True, False, ZeroDivisionError("a bug"), UnusableField("field")])
def test_a_source_is_asked_of_a_record_unless_each_policy_that_needs_it_says_no(
    answer: bool | Exception,  # noqa: FBT001 -- one of the cases
) -> None:
    class Asks(NeedsVolumes):
        def asks(self, record: ExportRecord) -> bool:  # noqa: ARG002 -- a policy's signature
            if isinstance(answer, Exception):
                raise answer
            return answer

    record = ExportRecord({})
    alone, beside = panel(asks=Asks), panel(asks=Asks, always=NeedsVolumes)
    assert alone.asks(VOLUMES, record) is (answer is not False)
    assert beside.asks(VOLUMES, record)
    assert not beside.asks(STACK_RECORDS, record)


def test_a_missing_field_is_counted_and_is_no_crash() -> None:
    crashes: list[Crash] = []
    judge = panel(needs=NeedsSize, record=EveryRecord).begin(crashes.append)
    assert seen_by(judge, "arn:1", "arn:2") == [("record", "arn:1"), ("record", "arn:2")]
    assert judge.unjudged == {"needs": 2}
    assert judge.unjudged_records == 2
    assert crashes == []


def test_a_record_that_several_policies_can_not_judge_is_one_record() -> None:
    judge = panel(needs=NeedsSize, broken=RaisesOnBad, sees=SeesBadly).begin(ignore)
    seen_by(judge, "arn:bad")
    assert judge.unjudged == {"needs": 1, "broken": 1, "sees": 1}
    assert judge.unjudged_records == 1


def test_a_record_without_an_arn_is_shown_to_no_policy() -> None:
    crashes: list[Crash] = []
    judge = panel(record=EveryRecord, target=EveryTarget, broken=RaisesOnBad).begin(crashes.append)
    assert seen_by(judge, None, "", "arn:1") == [("record", "arn:1"), ("target", "arn:1")]
    assert judge.unjudged == {"record": 2, "target": 2, "broken": 2}
    assert judge.unjudged_records == 2
    assert crashes == []


def test_a_policy_that_is_interrupted_does_not_swallow_it() -> None:
    class Interrupted(EveryRecord):
        def judge(self, record: ExportRecord) -> Breach | None:  # noqa: ARG002 -- the contract's
            raise KeyboardInterrupt

    judge = panel(broken=Interrupted).begin(ignore)
    with pytest.raises(KeyboardInterrupt):
        judge.judge([ExportRecord({"arn": "arn:1"})])


def test_policies_are_told_whether_the_target_was_read_to_its_end() -> None:
    for complete in (True, False):
        judge = panel(target=EveryTarget).begin(ignore)
        judge.judge([ExportRecord({"arn": "arn:1"})])
        (found,) = judge.conclude(complete=complete)
        assert found.breach.evidence == {"complete": complete}


# What the parser of pages can make of a body: numbers of 64 bits or finite floats, text without lone surrogates.
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_sizes = st.sampled_from([20, 640, 641, 1e9, 0, None, "700", True]) | _scalars
_disk = st.fixed_dictionaries({}, optional={"sizeInGb": _sizes, "isSystemDisk": st.booleans(), "path": _json})
_source = st.fixed_dictionaries(
    {},
    optional={
        "arn": st.sampled_from(["arn:a", "arn:b"]) | _json,
        "name": _json,
        "resourceType": st.sampled_from(["InstanceSnapshot", "DiskSnapshot"]) | _json,
        "instanceSnapshotInfo": st.fixed_dictionaries(
            {}, optional={"fromDiskInfo": st.lists(_disk | _json, max_size=3)}
        )
        | _json,
        "diskSnapshotInfo": _disk | _json,
    },
)
_times = st.integers(-10, 10).map(lambda days: NOW.timestamp() - days * 86_400)
_record = st.fixed_dictionaries(
    {"arn": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)},
    optional={
        "state": st.sampled_from(["Started", "Succeeded", "Failed"]) | _json,
        "createdAt": _times | _json,
        "sourceInfo": _source | _json,
        "destinationInfo": _json,
        "name": _json,
    },
)


def is_judged_by_state(record: Any, *of_age: str) -> bool:
    """Whether the record says enough for a policy that asks for the age in these states."""
    state, created = record.get("state"), record.get("createdAt")
    if not isinstance(state, str) or not state:
        return False
    if state not in of_age:
        return True
    try:
        ExportRecord({"createdAt": created}).created_at  # noqa: B018 -- whether it raises is what is asked
    except UnusableField:
        return False
    return True


@given(st.lists(_record | _json, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_record_is_judged_or_counted(raws: list[Any]) -> None:
    entries = catalogue()
    chosen = {policy_id: entry.settings_type() for policy_id, entry in entries.items()}
    for raw in raws:
        crashes: list[Crash] = []
        judge = Panel(entries, chosen, NOW).begin(crashes.append)
        found = judge.judge([ExportRecord(raw)]) + judge.conclude(complete=True)
        assert crashes == []
        broken = {each.policy for each in found}
        assert broken.isdisjoint(judge.unjudged)
        assert set(judge.unjudged.values()) <= {1}
        assert judge.unjudged_records == bool(judge.unjudged)
        arn = raw.get("arn") if isinstance(raw, dict) else None
        if not isinstance(arn, str) or not arn:
            assert judge.unjudged == dict.fromkeys(entries, 1)
            continue
        assert ("stale-failed-export" in judge.unjudged) != is_judged_by_state(raw, "Failed")
        assert ("stuck-export" in judge.unjudged) != is_judged_by_state(raw, "Started")
        if "oversized-disk" not in broken | set(judge.unjudged):
            # Passed: then it named sizes, and each disk that it lists is small enough.
            source = raw["sourceInfo"]
            parts = [source.get("instanceSnapshotInfo"), source.get("diskSnapshotInfo")]
            listed = [
                disk for part in parts if isinstance(part, dict) for disk in part.get("fromDiskInfo", [part])
            ]
            assert listed
            assert all(disk["sizeInGb"] <= 640 and not isinstance(disk["sizeInGb"], bool) for disk in listed)


@given(st.lists(_record, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_and_the_pages_of_records_do_not_change_what_is_found(raws: list[Any], random: Any) -> None:
    raws = [raw | {"arn": f"arn:{number}"} for number, raw in enumerate(raws)]
    entries = catalogue()
    chosen = {policy_id: entry.settings_type() for policy_id, entry in entries.items()}

    def outcome(records: list[Any]) -> tuple[dict[tuple[str, str], object], dict[str, int], int]:
        crashes: list[Crash] = []
        judge = Panel(entries, chosen, NOW).begin(crashes.append)
        found = judge.judge([ExportRecord(raw) for raw in records])
        found += judge.conclude(complete=True)
        assert crashes == []
        by_id = {
            (each.policy, each.breach.record.arn): (each.breach.message, each.breach.evidence)
            for each in found
        }
        assert len(by_id) == len(found), "one finding for a policy and a resource"
        return dict(by_id), judge.unjudged, judge.unjudged_records

    assert outcome(random.sample(raws, len(raws))) == outcome(raws)
