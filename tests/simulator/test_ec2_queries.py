"""EC2's bounds: filters, ids, owners, pages and tokens, as botocore meets them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from auditor.simulator.estate import Estate, SimAccount, generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
REGION = "us-east-1"
ESTATE: Estate = generate(
    29, accounts=2, regions=[REGION], now=NOW, records_per_target=90, planted=1.0, afterlife=True
)
FIRST, SECOND = ESTATE.accounts
NO_IMAGE, NO_SNAPSHOT = "ami-00000000000000000", "snap-00000000000000000"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve_in_thread(ESTATE) as server:
        yield server


@pytest.fixture
def ec2(running: Running, client_of: Callable[..., Any]) -> Any:
    return client_of(running, "ec2")


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def only(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


def images(answer: Any) -> set[str]:
    return {image["ImageId"] for image in answer["Images"]}


def snapshots(answer: Any) -> set[str]:
    return {snapshot["SnapshotId"] for snapshot in answer["Snapshots"]}


def public(account: SimAccount, kind: str) -> set[str]:
    held = getattr(account.afterlife[REGION], f"{kind}_permissions")
    return {one for one, permissions in held.items() if {"group": "all"} in permissions}


def shared_with(account: SimAccount, who: str, kind: str) -> set[str]:
    held = getattr(account.afterlife[REGION], f"{kind}_permissions")
    return {one for one, permissions in held.items() if {"userId": who} in permissions}


def enabled(account: SimAccount) -> set[str]:
    held = account.afterlife[REGION].images
    return {one for one, image in held.items() if image["imageState"] != "disabled"}


def test_two_hundred_values_a_filter_are_taken_and_one_more_is_not(ec2: Any) -> None:
    image = min(enabled(FIRST))
    values = [image, *(f"ami-{number:017x}" for number in range(199))]
    assert images(ec2.describe_images(Filters=only("image-id", *values))) == {image}
    assert refusal(ec2.describe_images, Filters=only("image-id", *values, NO_IMAGE)) == "FilterLimitExceeded"


def test_a_filter_that_is_not_known_or_has_no_values_is_refused(ec2: Any) -> None:
    assert refusal(ec2.describe_images, Filters=only("snapshot-id", "x")) == "InvalidParameterValue"
    assert refusal(ec2.describe_snapshots, Filters=only("snapshot-id")) == "InvalidParameterValue"


def test_filters_hold_together_and_take_wildcards(ec2: Any) -> None:
    clear = {one for one, s in FIRST.afterlife[REGION].snapshots.items() if s["encrypted"] is False}
    assert clear
    found = ec2.describe_snapshots(
        OwnerIds=["self"], Filters=only("encrypted", "false") + only("status", "comp*")
    )
    assert snapshots(found) == clear
    assert (
        ec2.describe_snapshots(Filters=only("encrypted", "false") + only("status", "error"))["Snapshots"]
        == []
    )


def test_one_id_that_is_missing_fails_the_whole_call(ec2: Any) -> None:
    image, snapshot = min(enabled(FIRST)), next(iter(FIRST.afterlife[REGION].snapshots))
    assert images(ec2.describe_images(ImageIds=[image])) == {image}
    assert refusal(ec2.describe_images, ImageIds=[image, NO_IMAGE]) == "InvalidAMIID.NotFound"
    assert refusal(ec2.describe_images, ImageIds=["snap-1"]) == "InvalidAMIID.Malformed"
    assert refusal(ec2.describe_snapshots, SnapshotIds=[snapshot, NO_SNAPSHOT]) == "InvalidSnapshot.NotFound"
    private = max(set(SECOND.afterlife[REGION].snapshots) - public(SECOND, "snapshot"))
    assert refusal(ec2.describe_snapshots, SnapshotIds=[private]) == "InvalidSnapshot.NotFound"
    assert images(ec2.describe_images(Filters=only("image-id", image, NO_IMAGE))) == {image}


def test_ids_and_max_results_do_not_go_together(ec2: Any) -> None:
    image = min(enabled(FIRST))
    assert refusal(ec2.describe_images, ImageIds=[image], MaxResults=5) == "InvalidParameterCombination"
    assert refusal(ec2.describe_images, MaxResults=4) == "InvalidParameterValue"
    assert refusal(ec2.describe_images, MaxResults=1001) == "InvalidParameterValue"


def test_owners_and_whom_it_is_shared_with_narrow_what_is_seen(ec2: Any) -> None:
    others = public(SECOND, "image") | shared_with(SECOND, FIRST.id, "image")
    assert public(SECOND, "image")
    assert shared_with(SECOND, FIRST.id, "image")
    assert images(ec2.describe_images(Owners=["self"])) == enabled(FIRST)
    assert images(ec2.describe_images()) == enabled(FIRST) | others
    assert images(ec2.describe_images(Owners=[SECOND.id])) == others
    assert images(ec2.describe_images(Owners=["self"], ExecutableUsers=["all"])) == public(FIRST, "image")
    assert images(ec2.describe_images(ExecutableUsers=["self"])) == shared_with(SECOND, FIRST.id, "image")
    answer = ec2.describe_snapshots(OwnerIds=["self"], RestorableByUserIds=["all"])
    assert snapshots(answer) == public(FIRST, "snapshot") != set()
    restorable = snapshots(ec2.describe_snapshots(RestorableByUserIds=["self"]))
    assert restorable == set(FIRST.afterlife[REGION].snapshots) | shared_with(SECOND, FIRST.id, "snapshot")


def test_disabled_images_are_told_when_asked_for_and_deprecated_ones_to_their_owner(ec2: Any) -> None:
    held = FIRST.afterlife[REGION].images
    (disabled,) = (one for one, image in held.items() if image["imageState"] == "disabled")
    (deprecated,) = (one for one, image in held.items() if "deprecationTime" in image)
    seen = images(ec2.describe_images(Owners=["self"]))
    assert disabled not in seen
    assert deprecated in seen
    assert disabled in images(ec2.describe_images(Owners=["self"], IncludeDisabled=True))


def test_a_strangers_deprecated_image_is_left_out_unless_asked_for(client_of: Callable[..., Any]) -> None:
    estate = generate(
        29, accounts=2, regions=[REGION], now=NOW, records_per_target=20, planted=1.0, afterlife=True
    )
    life = estate.accounts[1].afterlife[REGION]
    (deprecated,) = (one for one, image in life.images.items() if "deprecationTime" in image)
    life.image_permissions[deprecated] = [{"group": "all"}]
    with serve_in_thread(estate) as running:
        ec2 = client_of(running, "ec2")
        assert deprecated not in images(ec2.describe_images())
        assert deprecated in images(ec2.describe_images(IncludeDeprecated=True))


def test_pages_hold_all_of_it_once_and_an_empty_one_leads_on(client_of: Callable[..., Any]) -> None:
    faults = [Fault(FaultKind.EMPTY_PAGE, operation="DescribeImages", page=2)]
    with serve_in_thread(ESTATE, faults=faults) as running:
        ec2 = client_of(running, "ec2")
        paginator = ec2.get_paginator("describe_images")
        pages = [page["Images"] for page in paginator.paginate(Owners=["self"], MaxResults=5)]
        sizes = [len(page) for page in pages]
        assert sizes[:3] == [5, 0, 5]
        listed = [image["ImageId"] for page in pages for image in page]
        assert len(listed) == len(set(listed))
        assert set(listed) == enabled(FIRST)


def test_a_token_is_good_for_its_own_question_only(ec2: Any) -> None:
    token = ec2.describe_images(Owners=["self"], MaxResults=5)["NextToken"]
    assert len(ec2.describe_images(Owners=["self"], MaxResults=5, NextToken=token)["Images"]) == 5
    assert refusal(ec2.describe_images, MaxResults=5, NextToken=token) == "InvalidPaginationToken"
    assert refusal(ec2.describe_images, NextToken="x") == "InvalidPaginationToken"


def test_permissions_are_told_to_the_owner_alone(ec2: Any) -> None:
    for image in sorted(enabled(FIRST)):
        told = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
        held = FIRST.afterlife[REGION].image_permissions.get(image, [])
        assert [
            {key[0].lower() + key[1:]: v for key, v in p.items()} for p in told["LaunchPermissions"]
        ] == held
    snapshot = min(public(FIRST, "snapshot"))
    told = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert told["CreateVolumePermissions"] == [{"Group": "all"}]
    foreign = min(public(SECOND, "image"))
    for one, code in ((foreign, "AuthFailure"), (NO_IMAGE, "InvalidAMIID.NotFound")):
        assert refusal(ec2.describe_image_attribute, ImageId=one, Attribute="launchPermission") == code


def test_ec2_can_answer_with_what_was_not_asked_for_and_with_less(client_of: Callable[..., Any]) -> None:
    asked = sorted(enabled(FIRST))[:10]
    for kind in (FaultKind.UNASKED, FaultKind.FEWER):
        with serve_in_thread(ESTATE, faults=[Fault(kind, operation="DescribeImages")]) as running:
            got = images(client_of(running, "ec2").describe_images(Filters=only("image-id", *asked)))
        if kind is FaultKind.FEWER:
            assert len(got) == 5
            assert got < set(asked)
        else:
            assert len(got) == 12
            assert len(got - enabled(FIRST)) == 1


def test_a_dry_run_says_that_it_would_have_been_allowed(ec2: Any) -> None:
    assert refusal(ec2.describe_images, DryRun=True) == "DryRunOperation"


ERRORS = {
    FaultKind.THROTTLE: ("RequestLimitExceeded", 503),
    FaultKind.SERVICE_ERROR: ("InternalError", 500),
    FaultKind.EXPIRED: ("RequestExpired", 400),
    FaultKind.ACCESS_DENIED: ("UnauthorizedOperation", 403),
    FaultKind.UNAUTHENTICATED: ("AuthFailure", 401),
    FaultKind.UNRECOGNIZED_CLIENT: ("AuthFailure", 401),
    FaultKind.INVALID_INPUT: ("InvalidParameterValue", 400),
    FaultKind.OPT_IN_REQUIRED: ("OptInRequired", 403),
    FaultKind.REQUEST_EXPIRED: ("RequestExpired", 400),
    FaultKind.INVALID_SIGNATURE: ("AuthFailure", 401),
}


def test_ec2_answers_each_error_in_its_own_words(client_of: Callable[..., Any]) -> None:
    faults = [Fault(kind, operation="DescribeVolumes", times=1) for kind in ERRORS]
    with serve_in_thread(ESTATE, faults=faults) as running:
        ec2 = client_of(running, "ec2")
        seen = []
        for _ in faults:
            with pytest.raises(ClientError) as caught:
                ec2.describe_volumes()
            response = caught.value.response
            seen.append((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]))
        assert seen == list(ERRORS.values())
        assert ec2.describe_volumes()["Volumes"]


def test_a_region_that_is_not_enabled_a_wrong_secret_and_an_old_session_are_refused(
    client_of: Callable[..., Any],
) -> None:
    off = "ap-southeast-3"
    estate = generate(29, accounts=2, regions=[off], now=NOW, afterlife=True)
    with serve_in_thread(estate) as running:
        assert client_of(running, "ec2", 0, off).describe_images(Owners=["self"])["Images"]
        assert refusal(client_of(running, "ec2", 1, off).describe_images) == "AuthFailure"
        wrong = client_of(running, "ec2", 0, off)
        keys = wrong._request_signer._credentials
        keys.secret_key = "wrong"
        assert refusal(wrong.describe_images) == "AuthFailure"
    with serve_in_thread(estate, credential_lifetime=0) as running:
        assert refusal(client_of(running, "ec2", 0, off).describe_images) == "RequestExpired"


def test_a_signature_for_another_service_is_no_signature_for_ec2(
    running: Running, client_of: Callable[..., Any]
) -> None:
    ec2 = client_of(running, "ec2")
    ec2._request_signer._signing_name = "sts"
    assert refusal(ec2.describe_images) == "AuthFailure"


def test_a_set_can_be_missing_from_an_answer(client_of: Callable[..., Any]) -> None:
    fault = Fault(FaultKind.MISSING_KEY, operation="DescribeImages")
    with serve_in_thread(ESTATE, faults=[fault]) as running:
        assert "Images" not in client_of(running, "ec2").describe_images()
