"""The life of a finding through the nights, as the store tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.inventory import Filters
from auditor.model import (
    EXPORT_RECORDS,
    IMAGES,
    Failure,
    Outcome,
    Reason,
    Resolution,
    ResolutionKind,
    Status,
    Verdict,
    Waived,
    event_id,
)
from tests.history.conftest import (
    ACCOUNT,
    COMPLETE,
    FAILED,
    POLICY,
    REGION,
    Night,
    Nights,
    arn,
    finding,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUND = Night(found=[finding()])
CLEARED = Night(read=frozenset({arn(1)}))
HERE = (ACCOUNT, REGION)


def _outcomes(
    outcome: Outcome, source: str = EXPORT_RECORDS
) -> Mapping[tuple[str, str], Mapping[str, Outcome]]:
    return {HERE: {EXPORT_RECORDS: COMPLETE} | {source: outcome}}


def test_what_is_found_is_new_then_recurring_and_keeps_the_night_it_was_first_seen(nights: Nights) -> None:
    told = [nights.of(FOUND) for _ in range(3)]

    assert [each and each.status for each in told] == [Status.NEW, Status.RECURRING, Status.RECURRING]
    assert [each and each.first_seen for each in told] == ["2026-11-01T01:00:00Z"] * 3
    known_as = finding().finding_id
    assert [each and each.event_id for each in told] == [
        event_id(known_as, "run-1", Status.NEW),
        event_id(known_as, "run-2", Status.RECURRING),
        event_id(known_as, "run-3", Status.RECURRING),
    ]


def test_what_is_gone_is_said_resolved_in_one_run_and_then_no_more(nights: Nights) -> None:
    nights(FOUND)

    resolved = nights.of(CLEARED)

    assert resolved is not None
    assert resolved.status is Status.RESOLVED
    assert resolved.resolution == Resolution(
        ResolutionKind.CONDITION_CLEARED, "it no longer breaks stuck-export"
    )
    assert resolved.run_id == "run-2"
    assert resolved.observed_at == "2026-11-01T01:00:00Z"
    assert resolved.evidence == finding().evidence
    assert resolved.controls == finding().controls
    assert resolved.cost == finding().cost
    assert nights(CLEARED) == {}


def test_what_comes_back_is_the_same_finding_reopened(nights: Nights) -> None:
    nights(FOUND)
    nights(CLEARED)

    reopened, then = nights.of(FOUND), nights.of(FOUND)

    assert reopened is not None
    assert (reopened.status, reopened.first_seen) == (Status.REOPENED, "2026-11-01T01:00:00Z")
    assert then is not None
    assert then.status is Status.RECURRING


def test_a_record_that_is_no_longer_there_is_gone(nights: Nights) -> None:
    nights(FOUND)

    resolved = nights.of(Night())

    assert resolved is not None
    assert resolved.resolution == Resolution(ResolutionKind.RESOURCE_GONE, "the record is no longer there")


def test_of_what_is_no_export_record_it_is_never_said_that_it_is_gone(nights: Nights) -> None:
    snapshot = finding(resource_arn="arn:aws:lightsail:eu-west-1:111122223333:InstanceSnapshot/1")
    nights(Night(found=[snapshot]))

    (resolved,) = nights(Night()).values()

    assert resolved.resolution is not None
    assert resolved.resolution.kind is ResolutionKind.CONDITION_CLEARED


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (FAILED, "failed, access-denied"),
        (Outcome(Verdict.PARTIAL, Failure(Reason.THROTTLED)), "partial, throttled"),
        (Outcome(Verdict.SKIPPED, Failure(Reason.REGION_NOT_ENABLED)), "skipped, region-not-enabled"),
    ],
)
def test_nothing_is_resolved_where_a_source_was_not_complete(
    nights: Nights, outcome: Outcome, said: str
) -> None:
    night = Night(outcomes=_outcomes(COMPLETE, IMAGES), sources=(EXPORT_RECORDS, IMAGES))
    nights(replace(night, found=[finding()]))

    told = [nights.of(replace(night, outcomes=_outcomes(outcome, IMAGES))) for _ in range(2)]

    why = f"ec2:DescribeImages was not read to its end: {said}"
    assert [each and each.status for each in told] == [Status.NOT_SEEN] * 2
    assert [each and each.resolution for each in told] == [Resolution(None, why)] * 2
    resolved = nights.of(night)
    assert resolved is not None
    assert resolved.status is Status.RESOLVED


def test_a_source_that_the_policy_does_not_need_keeps_nothing_open(nights: Nights) -> None:
    nights(FOUND)

    resolved = nights.of(Night(outcomes=_outcomes(FAILED, IMAGES)))

    assert resolved is not None
    assert resolved.status is Status.RESOLVED


def test_a_source_that_was_not_asked_keeps_a_finding_open(nights: Nights) -> None:
    nights(FOUND)

    told = nights.of(Night(sources=(EXPORT_RECORDS, IMAGES)))

    assert told is not None
    assert told.resolution == Resolution(None, "ec2:DescribeImages was not read")


@pytest.mark.parametrize(
    ("night", "why"),
    [
        (Night(policies={}, switched_off=frozenset({POLICY})), "the policy stuck-export is switched off"),
        (Night(policies={"other": "b"}), "there is no policy stuck-export any more"),
        (
            Night(policies={"other": "b"}, filters=Filters(policies=("other",))),
            "the run was confined to other policies than stuck-export",
        ),
        (Night(outcomes={}), f"account {ACCOUNT} is not among those that the run knew"),
        (
            Night(outcomes={(ACCOUNT, "us-east-1"): {EXPORT_RECORDS: COMPLETE}}),
            f"eu-west-1 is not among the Regions of account {ACCOUNT}",
        ),
        (
            Night(outcomes={}, filters=Filters(accounts=("444455556666",))),
            f"the run was confined to other accounts than {ACCOUNT}",
        ),
        (
            Night(outcomes={}, filters=Filters(regions=("us-east-1",))),
            "the run was confined to other Regions than eu-west-1",
        ),
    ],
)
def test_nothing_is_resolved_by_looking_elsewhere(nights: Nights, night: Night, why: str) -> None:
    nights(FOUND)

    told = [nights.of(night) for _ in range(2)]

    assert [each and each.status for each in told] == [Status.NOT_SEEN] * 2
    assert [each and each.resolution for each in told] == [Resolution(None, why)] * 2
    again = nights.of(FOUND)
    assert again is not None
    assert again.status is Status.RECURRING


def test_other_settings_resolve_nothing_on_the_first_night_and_say_so_on_the_second(nights: Nights) -> None:
    nights(FOUND)
    other = replace(CLEARED, policies={POLICY: "b"})

    first, second = nights.of(other), nights.of(other)

    assert first is not None
    assert first.resolution == Resolution(
        None, "the settings or the code of stuck-export changed since it was last looked for"
    )
    assert second is not None
    assert second.status is Status.RESOLVED
    assert second.resolution == Resolution(
        ResolutionKind.POLICY_CHANGED, "with the settings of stuck-export as they are now it is none"
    )


def test_settings_that_change_every_night_resolve_nothing(nights: Nights) -> None:
    nights(FOUND)

    told = [nights.of(replace(CLEARED, policies={POLICY: digest})) for digest in "bcb"]

    assert [each and each.status for each in told] == [Status.NOT_SEEN] * 3


def test_a_night_that_saw_nothing_does_not_count_as_a_look_with_the_new_settings(nights: Nights) -> None:
    nights(FOUND)
    other = replace(CLEARED, policies={POLICY: "b"})
    nights(replace(other, outcomes={HERE: {EXPORT_RECORDS: FAILED}}))

    first, second = nights.of(other), nights.of(other)

    assert first is not None
    assert first.status is Status.NOT_SEEN
    assert second is not None
    assert second.status is Status.RESOLVED


def test_what_a_policy_could_not_judge_is_not_resolved(nights: Nights) -> None:
    nights(Night(found=[finding(1), finding(2)]))
    unjudged = Outcome(Verdict.COMPLETE, unjudged={POLICY: 1}, pages=1)

    told = nights(Night(outcomes={HERE: {EXPORT_RECORDS: unjudged}}, read=frozenset({arn(1)})))

    there, gone = told[finding(1).finding_id], told[finding(2).finding_id]
    assert there.resolution == Resolution(
        None, "stuck-export could not judge every record of this account and Region"
    )
    assert gone.resolution is not None
    assert gone.resolution.kind is ResolutionKind.RESOURCE_GONE


def test_who_accepts_what_is_not_found_is_asked_anew(nights: Nights) -> None:
    waived = Waived("ops", "known", None, "2026-11-01")
    nights(Night(found=[finding(waiver=waived)]))

    told = nights.of(Night(outcomes={}, waive=lambda *_: None))

    assert told is not None
    assert told.waiver is None


def test_what_would_be_sql_is_text(nights: Nights) -> None:
    name = "x'; DROP TABLE findings; --\"); DELETE FROM events"
    hostile = finding(resource_arn=name, related={"record_arn": name}, resource_name=name, message=name)
    other = finding(2)
    told = [nights(Night(found=[hostile, other])) for _ in range(2)]

    assert [each[hostile.finding_id].resource_arn for each in told] == [name, name]
    assert [each[hostile.finding_id].status for each in told] == [Status.NEW, Status.RECURRING]
    assert [each[other.finding_id].status for each in told] == [Status.NEW, Status.RECURRING]


def test_a_hostile_name_is_kept_and_of_one_that_can_not_be_kept_as_it_is_nothing_is_gone(
    nights: Nights,
) -> None:
    hostile = finding(resource_arn="arn:\ud800\0", related={"record_arn": "arn:\ud800\0"}, message="\udfff")
    first = nights(Night(found=[hostile]))[hostile.finding_id]

    resolved = nights(Night())[hostile.finding_id]

    assert first.resource_arn == "arn:\ud800\0"
    assert resolved.message == "\\udfff"
    assert resolved.resolution is not None
    assert resolved.resolution.kind is ResolutionKind.CONDITION_CLEARED
