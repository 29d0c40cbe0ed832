from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.model import (
    IMAGE_PERMISSIONS,
    IMAGES,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    ExportRecord,
    Facts,
    Severity,
)
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Ago = Callable[..., float]

ID = "public-export"


def copy(facts: Facts, of: str = "ami-1", **fields: Any) -> ExportRecord:
    raw = {
        "arn": "arn:record",
        "state": "Succeeded",
        "createdAt": 1.7e9,
        "location": {"regionName": "eu-west-1"},
        "sourceInfo": {"arn": "arn:of-it", "name": "nightly"},
        "destinationInfo": {"id": of},
    }
    return ExportRecord(raw | fields, facts)


PRIVATE = {"image": {"public": False}, "snapshots": [{"public": False}]}
OURS, FRIEND, STRANGER = "111111111111", "222222222222", "999999999999"
ORGANIZATION = "arn:aws:organizations::333333333333:organization/o-abc"
UNIT = "arn:aws:organizations::333333333333:ou/o-abc/ou-def"


def test_a_public_image_is_closed_by_the_command(judge: Judge, facts: MakeFacts) -> None:
    open_to_all = facts(image={"public": True}, snapshots=[{"public": False}])
    ((found,), unjudged) = judge(ID, copy(open_to_all))
    assert unjudged == {}
    assert found.breach.message == "The copy ami-1 of snapshot nightly is public."
    assert found.breach.evidence["public_image_id"] == "ami-1"
    assert found.breach.remediation == (
        "aws ec2 modify-image-attribute --image-id ami-1"
        " --launch-permission 'Remove=[{Group=all}]' --region eu-west-1"
    )


def test_only_the_snapshot_that_is_public_is_closed(judge: Judge, facts: MakeFacts) -> None:
    one_open = facts(image={"public": False}, snapshots=[{"public": False}, {"public": True}])
    ((found,), _) = judge(ID, copy(one_open))
    assert found.breach.evidence["public_snapshot_ids"] == ["snap-2"]
    assert found.breach.remediation == (
        "aws ec2 modify-snapshot-attribute --snapshot-id snap-2 --attribute createVolumePermission"
        " --operation-type remove --group-names all --region eu-west-1"
    )


def test_what_is_public_is_found_though_the_rest_is_not_known(judge: Judge, facts: MakeFacts) -> None:
    assert len(judge(ID, copy(facts(image={"public": True})))[0]) == 1
    assert len(judge(ID, copy(facts(snapshots=[{"public": True}])))[0]) == 1
    assert judge(ID, copy(facts(image={"public": False}))) == ([], {ID: 1})
    assert judge(ID, copy(facts(**PRIVATE))) == ([], {})


def test_an_image_that_hides_one_of_its_snapshots_is_unjudged(judge: Judge, facts: MakeFacts) -> None:
    hidden = facts(
        image={"public": False, "snapshot_ids": ("snap-1", "snap-2")}, snapshots=[{"public": False}]
    )
    assert judge(ID, copy(hidden)) == ([], {ID: 1})


def test_sharing_is_looked_at_only_where_it_is_asked_for(judge: Judge, facts: MakeFacts) -> None:
    shared = facts(**PRIVATE, shared_with=[STRANGER])
    assert judge(ID, copy(shared)) == ([], {})
    assert len(judge(ID, copy(shared), sharing=True)[0]) == 1
    assert judge(ID, copy(facts(**PRIVATE)), sharing=True) == ([], {ID: 1})
    assert judge(ID, copy(facts(**PRIVATE, shared_with=None)), sharing=True) == ([], {})


def test_sharing_asks_for_two_more_sources() -> None:
    policy, settings = catalogue()[ID].policy, catalogue()[ID].settings_type
    assert policy.needs(settings()) == {IMAGES, SNAPSHOTS}
    asked = policy.needs(settings.model_validate({"sharing": True}))
    assert asked == {IMAGES, SNAPSHOTS, IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS}


def test_own_and_allowed_accounts_and_organisations_may_be_shared_with(
    judge: Judge, facts: MakeFacts
) -> None:
    shared = copy(facts(**PRIVATE, shared_with=[OURS, FRIEND, STRANGER, ORGANIZATION, UNIT]))
    ((found,), _) = judge(
        ID,
        shared,
        own_accounts=frozenset({OURS}),
        sharing=True,
        allowed_accounts=[FRIEND],
        allowed_organizations=[ORGANIZATION],
    )
    assert found.breach.evidence["shared_with"] == [STRANGER, UNIT]
    assert found.breach.message.endswith("is shared with accounts that are not allowed.")
    assert found.breach.remediation == (
        "aws ec2 modify-image-attribute --image-id ami-1 --launch-permission"
        f" 'Remove=[{{UserId={STRANGER}}},{{OrganizationalUnitArn={UNIT}}}]' --region eu-west-1"
        " && aws ec2 modify-snapshot-attribute --snapshot-id snap-1 --attribute createVolumePermission"
        f" --operation-type remove --user-ids {STRANGER} --region eu-west-1"
    )


def test_everybody_among_those_shared_with_is_public(judge: Judge, facts: MakeFacts) -> None:
    ((found,), _) = judge(ID, copy(facts(**PRIVATE, shared_with=["all"])), sharing=True)
    assert found.breach.message.endswith("is public.")
    assert "{Group=all}" in (found.breach.remediation or "")
    assert "--group-names all" in (found.breach.remediation or "")


def test_no_command_is_made_of_a_stranger_of_no_known_kind(judge: Judge, facts: MakeFacts) -> None:
    odd = copy(facts(**PRIVATE, shared_with=["1},{Group=all"]))
    ((found,), _) = judge(ID, odd, sharing=True)
    assert found.breach.remediation is None


@pytest.mark.parametrize(
    "refused",
    [
        {"allowed_accounts": ["1"]},
        {"allowed_accounts": [111122223333]},
        {"allowed_accounts": "111122223333"},
        {"allowed_organizations": ["o-abc"]},
        {"sharing": "yes"},
    ],
    ids=repr,
)
def test_settings_that_can_not_be_meant_are_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type(**refused)


def test_it_is_critical() -> None:
    assert catalogue()[ID].settings_type().severity is Severity.CRITICAL
