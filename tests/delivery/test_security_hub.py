"""Security Hub: what is imported where, and what becomes of an event by what it answers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from aiohttp import web
from moto.server import ThreadedMotoServer

from auditor.config import Receiver
from auditor.coverage import Ledger
from auditor.delivery import (
    Later,
    Refused,
    Taken,
    destination_settings,
    gap_events,
    make_destinations,
    run_event,
)
from auditor.errors import ConfigError
from auditor.history import Due, Event
from auditor.library import load_config
from auditor.model import (
    EXPORT_RECORDS,
    HUB_ACTIONS,
    Accepted,
    Account,
    Failure,
    Finding,
    Outcome,
    Reason,
    Resolution,
    ResolutionKind,
    Severity,
    Status,
    Target,
    Waived,
)
from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from tests.delivery.hubs import ACTION, ROLE, Hubs, said, taken
from tests.history.conftest import finding, record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from auditor.delivery.contract import AnyDestination
    from tests.delivery.conftest import Post

HOME, REGION, OTHER = "999988887777", "eu-west-1", "us-east-1"
ESTATE = generate(
    3, accounts=3, regions=(REGION, OTHER), now=datetime(2026, 11, 25, tzinfo=UTC), records_per_target=1
)
FIRST, SECOND, THIRD = (account.id for account in ESTATE.accounts)
NOW = "2026-11-25T01:00:00Z"


def hub(**settings: Any) -> AnyDestination:
    """The destination, as a configuration makes it."""
    role_of_hub = settings.pop("hub", None)
    told = destination_settings()["security-hub"](
        type="security-hub", **{"account": HOME, "region": REGION, **settings}
    )
    (made,) = make_destinations([Receiver("siem", told, {}, role_of_hub)], allow_http=False)
    return made


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **how: Any) -> AsyncIterator[Hubs]:
    hubs = Hubs(how.pop("estate", ESTATE), home=HOME, **how)
    async with hubs.serve() as url:
        for name, value in {**hubs.environ, "AWS_ENDPOINT_URL": url}.items():
            monkeypatch.setenv(name, value)
        yield hubs


def told(number: int = 1, account_id: str = FIRST, region: str = REGION, **how: Any) -> Finding:
    usual = {"status": Status.NEW, "first_seen": NOW, "observed_at": NOW, "run_id": "run-1"}
    return finding(number, account_id=account_id, region=region, **usual | how)


def due(*findings: Finding) -> list[Due]:
    from auditor.history.documents import document  # noqa: PLC0415

    return [
        Due(position, Event(f"e{position}", "finding", document(each), each.finding_id), "run-1", 0, None)
        for position, each in enumerate(findings, 1)
    ]


def gap(
    account_id: str = FIRST,
    reason: Reason = Reason.ACCESS_DENIED,
    accepted: Accepted | None = None,
    run_id: str = "run-1",
) -> Event:
    """The event of a gap, as a run makes it."""
    account = Account(account_id, "payments", "", None, "", 0, (REGION,))
    failed = {Target(EXPORT_RECORDS, account, OTHER): Failure(reason, "AccessDenied", "no\x1b[2J")}
    return gap_of(failed, accepted, run_id)


def gap_of(
    failed: Mapping[Target, Failure], accepted: Accepted | None = None, run_id: str = "run-1"
) -> Event:
    """The event of the one gap that these failures are."""
    ledger = Ledger(failed, lambda _target, _failure: accepted)
    for target, failure in failed.items():
        ledger.settle(target, Outcome(), failure)
    (event,) = gap_events(run_id, NOW, ledger.lines_of_gaps())
    return event


def run(exits: tuple[int, ...] = (0,), scope: str = "full", run_id: str = "run-1") -> Event:
    totals = {"targets": {"planned": 4, "complete": 4}, "findings": {"total": 2}}
    return run_event(
        {
            **record(25),
            "schema": "auditor.run/1",
            "run_id": run_id,
            "started_at": NOW,
            "scope": {"kind": scope},
            "totals": totals,
            "exit_conditions": list(exits),
            "exit_code": exits[0],
        }
    )


def notice(event: Event, position: int = 1) -> Due:
    return Due(position, event, "run-1", 0, None)


# What is imported, and where


async def test_each_finding_is_imported_into_its_own_account_and_region(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    where = [(account_id, region) for account_id in (FIRST, SECOND) for region in (REGION, OTHER)]
    found = [finding(number, account_id=a, region=r) for a, r in where for number in range(1, 4)]
    post.fill(found)

    async with serving(monkeypatch, external_id="canary-of-the-role") as hubs:
        # Several places at once; each account's role is assumed once all the same.
        (report,) = await post.deliver(hub(external_id="canary-of-the-role"))

    assert (report.taken, report.fault) == (12, None)
    assert {place: set(held) for place, held in hubs.held.items()} == {
        (a, r): {each.finding_id for each in found if (each.account_id, each.region) == (a, r)}
        for a, r in where
    }
    assert len(hubs.calls) == 4
    # One session an account, which is narrowed to what it is for.
    roles = sorted(f"arn:aws:iam::{account_id}:role/{ROLE}" for account_id in (FIRST, SECOND))
    assert sorted(form["RoleArn"] for form in hubs.assumed) == roles
    for form in hubs.assumed:
        (statement,) = json.loads(form["Policy"])["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", [ACTION])
        assert form["ExternalId"] == "canary-of-the-role"
    assert {call.role_arn for call in hubs.calls} == {form["RoleArn"] for form in hubs.assumed}


async def test_a_role_with_a_path_is_assumed_through_the_hub_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    estate = generate(4, accounts=1, regions=(REGION,), now=datetime.now(UTC), records_per_target=1, hub=True)
    assert estate.hub is not None
    role_of_hub = Account(
        estate.hub.account_id,
        None,
        estate.hub.role_arn,
        estate.hub.external_id,
        "audit",
        3600,
        (),
        source_identity="auditor",
        actions=HUB_ACTIONS,
    )
    async with (
        serving(monkeypatch, estate=estate, role="audit/Delivery") as hubs,
        hub(role_name="audit/Delivery", hub=role_of_hub) as destination,
    ):
        receipts = await destination.send(due(told(account_id=estate.accounts[0].id)))

    assert receipts == [Taken()]
    (form,) = hubs.assumed
    assert form["RoleArn"] == f"arn:aws:iam::{estate.accounts[0].id}:role/audit/Delivery"
    # It stays with all that is assumed by the hub's session.
    assert form["SourceIdentity"] == "auditor"


async def test_a_session_that_has_expired_is_made_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as hubs, hub() as destination:
        assert await destination.send(due(told(1))) == [Taken()]
        hubs.expire()
        assert await destination.send(due(told(2))) == [Taken()]

    assert len(hubs.assumed) == 2


async def test_the_life_of_a_finding_is_followed_and_the_customers_workflow_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiver = Waived("data-platform", "Kept for the auditors.", "OPS-1", "2026-12-30")
    gone = Resolution(ResolutionKind.RESOURCE_GONE, "the record is no longer there")
    async with serving(monkeypatch) as hubs, hub() as destination:
        held = hubs.held.setdefault((FIRST, REGION), {})
        assert await destination.send(due(told(1), told(2, waiver=waiver))) == [Taken(), Taken()]
        new, waived = told(1).finding_id, told(2).finding_id
        assert [held[each]["Workflow"]["Status"] for each in (new, waived)] == ["NEW", "SUPPRESSED"]
        held[new]["Workflow"] = {"Status": "NOTIFIED"}
        # It was last seen when it was new: what is newer is that it is gone.
        resolved = told(1, status=Status.RESOLVED, resolution=gone, waiver=waiver)
        assert await destination.send(due(resolved)) == [Taken()]

    assert (held[new]["RecordState"], held[new]["Compliance"]["Status"]) == ("ARCHIVED", "NOT_AVAILABLE")
    assert held[new]["Workflow"] == {"Status": "NOTIFIED"}
    assert held[new]["CreatedAt"] == NOW
    assert held[waived]["RecordState"] == "ACTIVE"


async def test_a_gap_is_told_of_in_its_own_account_and_the_run_at_home(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    accepted = Accepted("security", "It is being closed.", "2026-12-30")
    post.fill([], [gap(FIRST), gap(SECOND, accepted=accepted), run()])

    async with serving(monkeypatch) as hubs:
        report = await post.send(hub())

    assert (report.taken, report.fault) == (3, None)
    (of_first,) = hubs.findings(FIRST, REGION).values()
    (of_second,) = hubs.findings(SECOND, REGION).values()
    (of_run,) = hubs.findings(HOME, REGION).values()
    assert of_first["Compliance"]["Status"] == of_run["Compliance"]["Status"] == "NOT_AVAILABLE"
    assert of_first["Id"] == json.loads(gap(FIRST).body)["gap_id"]
    assert of_first["Description"].endswith(r"us-east-1: access-denied: AccessDenied: no\x1b[2J")
    assert of_first["Workflow"]["Status"] == "NEW"
    assert of_second["Workflow"]["Status"] == "SUPPRESSED"
    assert of_run["Severity"]["Label"] == "INFORMATIONAL"
    assert of_run["ProductFields"]["auditor/run_id"] == "run-1"


async def test_the_run_is_one_notice_that_each_night_renews_and_a_subset_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as hubs, hub() as destination:
        held = hubs.held.setdefault((HOME, REGION), {})
        ids, times = [], []
        for number, event in enumerate(
            (run(), run((3, 1), run_id="run-2"), run(scope="subset", run_id="run-3")), 1
        ):
            assert await destination.send([notice(event, number)]) == [Taken()]
            latest = max(held.values(), key=lambda each: str(each["UpdatedAt"]))
            ids.append(latest["Id"])
            times.append(latest["UpdatedAt"])

    assert ids[0] == ids[1] != ids[2]
    assert times == sorted(set(times))
    assert held[ids[0]]["ProductFields"]["auditor/run_id"] == "run-2"
    # What the second did not see stands at more than informational.
    assert held[ids[0]]["Severity"]["Label"] == "MEDIUM"


async def test_a_gap_of_two_nights_is_not_twice_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = [notice(gap(run_id="run-1"), 1), notice(gap(run_id="run-2"), 2)]
    async with serving(monkeypatch) as hubs, hub() as destination:
        assert await destination.send(nights) == [Taken(), Taken()]

    (one,) = hubs.findings(FIRST, REGION).values()
    assert one["ProductFields"]["auditor/run_id"] == "run-2"


# What can't be told where it belongs


@pytest.mark.parametrize("why", ["no role", "not enabled", "may not", "finding refused"])
async def test_a_gap_that_its_account_can_not_take_is_told_of_at_home(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def answer(call: Any) -> web.Response | None:
        if call.account_id != FIRST:
            return None
        if why == "may not":
            return said(403, "AccessDeniedException", "User is not authorized")
        if why == "finding refused":
            return taken(1, (call.findings[0]["Id"], "InvalidAccess", "the product is not enabled"))
        return None

    how: dict[str, Any] = {
        "without_role": {FIRST} if why == "no role" else set(),
        "disabled": {(FIRST, REGION)} if why == "not enabled" else set(),
    }
    async with serving(monkeypatch, answer=answer, **how) as hubs, hub() as destination:
        receipts = await destination.send([notice(gap(FIRST))])

    assert receipts == [Taken()]
    (one,) = hubs.findings(HOME, REGION).values()
    assert (one["AwsAccountId"], one["ProductFields"]["auditor/asked_as"]) == (HOME, FIRST)
    assert f"account {FIRST}" in one["Description"]


async def test_a_gap_does_not_wait_for_what_the_findings_of_its_account_wait_for(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    found = [finding(number, account_id=FIRST, region=REGION) for number in range(1, 4)]
    post.fill(found)
    post.fill(found, [gap(FIRST)])
    async with serving(monkeypatch, without_role={FIRST}) as hubs:
        report = await post.send(hub(), seconds=2, pause=30)

    assert (report.taken, report.left) == (1, 6)
    assert len(hubs.findings(HOME, REGION)) == 1


async def test_a_gap_of_no_account_is_told_of_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure(Reason.EXPIRED_CREDENTIALS, "ExpiredToken", "expired")
    accounts = (Account(each, None, "", None, "", 0, ()) for each in (FIRST, SECOND))
    event = gap_of({Target(EXPORT_RECORDS, account, REGION): failure for account in accounts})
    async with serving(monkeypatch) as hubs, hub() as destination:
        assert await destination.send([notice(event)]) == [Taken()]

    (one,) = hubs.findings(HOME, REGION).values()
    assert one["Description"].startswith("2 targets could not be read to the end in 2 accounts")


async def test_records_that_could_not_be_judged_are_a_gap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(EXPORT_RECORDS, Account(FIRST, None, "", None, "", 0, ()), OTHER)
    ledger = Ledger([target])
    ledger.settle(target, Outcome(unjudged={"stuck-export": 2}, pages=1), None)
    (event,) = gap_events("run-1", NOW, ledger.lines_of_gaps())
    async with serving(monkeypatch) as hubs, hub() as destination:
        assert await destination.send([notice(event)]) == [Taken()]

    (one,) = hubs.findings(FIRST, REGION).values()
    assert (one["Title"], one["GeneratorId"]) == ("Could not be judged", "auditor/coverage/unjudged")
    assert one["Compliance"]["Status"] == "NOT_AVAILABLE"


async def test_base_credentials_that_are_bad_make_nothing_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch) as hubs, hub() as destination:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
        receipts = [
            await destination.send([each]) for each in (notice(gap(FIRST)), notice(run()), *due(told()))
        ]

    assert all(isinstance(receipt, Later) for (receipt,) in receipts)
    assert hubs.calls == []


async def test_what_not_even_home_takes_is_undeliverable_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    post.fill([], [gap(FIRST), run()])
    how: dict[str, Any] = {"without_role": {FIRST}, "disabled": {(HOME, REGION)}}
    async with serving(monkeypatch, **how) as hubs:
        report = await post.send(hub())

    assert hubs.held == {}
    assert (report.taken, report.undeliverable, report.refused, report.left) == (0, 2, 2, 0)
    assert report.fault is not None
    assert report.fault.startswith("siem: 2 undeliverable, each in dead-letter.jsonl: ")
    of_gap, of_run = post.dead_letters()
    assert of_gap["reason"].startswith(f"{FIRST} {REGION}: AccessDenied: ")
    assert f"{HOME} {REGION}: InvalidAccessException: Account {HOME} is not subscribed" in of_gap["reason"]
    assert (of_gap["kind"], of_run["kind"]) == ("gap", "run")


async def test_a_finding_waits_for_a_role_and_is_refused_where_security_hub_is_not_enabled(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    post.fill([finding(n, account_id=a, region=REGION) for a in (FIRST, SECOND, THIRD) for n in range(1, 4)])
    how: dict[str, Any] = {"without_role": {FIRST}, "disabled": {(SECOND, REGION)}}
    async with serving(monkeypatch, **how) as hubs:
        report = await post.send(hub(), seconds=2, pause=30)

    assert {account_id for account_id, _ in hubs.held} == {THIRD}
    assert (report.taken, report.refused, report.undeliverable, report.left) == (3, 3, 0, 3)
    # One call said it of all three, and STS was asked once.
    assert len([call for call in hubs.calls if call.account_id == SECOND]) == 1
    assert len([form for form in hubs.assumed if FIRST in form["RoleArn"]]) == 1
    assert all(letter["reason"].startswith(f"{SECOND} {REGION}: Inval") for letter in post.dead_letters())


async def test_a_role_of_another_account_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Fault(FaultKind.WRONG_ACCOUNT, FIRST, operation="AssumeRole", to_account=SECOND)
    async with serving(monkeypatch, faults=(other,)) as hubs, hub() as destination:
        (receipt,) = await destination.send(due(told(account_id=FIRST)))

    assert isinstance(receipt, Later)
    assert f"the role assumed is of account {SECOND}, not of {FIRST}" in receipt.why
    assert hubs.calls == []


# What Security Hub says of each


async def test_what_is_said_of_each_finding_is_what_becomes_of_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [told(number) for number in range(1, 5)]
    ids = [each.finding_id for each in found]
    failed = (
        (ids[1], "InvalidInput", "Finding does not adhere to Amazon Finding Format"),
        (ids[2], "InternalError", "again"),
    )
    async with serving(monkeypatch, answer=lambda _call: taken(4, *failed)), hub() as destination:
        receipts = await destination.send(due(*found))

    assert receipts == [
        Taken(),
        Refused(f"InvalidInput: {FIRST} {REGION}: Finding does not adhere to Amazon Finding Format"),
        Later(f"InternalError: {FIRST} {REGION}: again"),
        Taken(),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        "all is well",
        {"SuccessCount": 2},
        {"SuccessCount": "2", "FailedCount": "0"},
        {"SuccessCount": 2, "FailedCount": 0, "FailedFindings": "none"},
        {"SuccessCount": 1, "FailedCount": 1, "FailedFindings": ["one"]},
        {"SuccessCount": 1, "FailedCount": 1, "FailedFindings": [{"Id": 7, "ErrorCode": {}}]},
        {"FailedCount": 0, "SuccessCount": 1, "FailedFindings": []},
        {"FailedCount": 1, "SuccessCount": 1, "FailedFindings": []},
        {
            "FailedCount": 1,
            "SuccessCount": 1,
            "FailedFindings": [{"Id": "of nobody", "ErrorCode": "InvalidInput"}],
        },
        {"FailedCount": 1, "SuccessCount": 1, "FailedFindings": [{"ErrorCode": "InvalidInput"}]},
    ],
)
async def test_without_a_word_on_each_none_counts_as_taken(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    async with serving(monkeypatch, answer=lambda _call: web.json_response(answer)), hub() as destination:
        receipts = await destination.send(due(told(1), told(2)))

    assert all(isinstance(each, Later) for each in receipts)


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda: said(429, "LimitExceededException", "slow down"), "LimitExceededException: slow down"),
        (lambda: said(429, "TooManyRequestsException", "slow down"), "TooManyRequestsException: slow down"),
        (lambda: said(500, "InternalException", "oh"), "InternalException: oh"),
        (
            lambda: said(403, "AccessDeniedException", "not authorized"),
            "AccessDeniedException: not authorized",
        ),
        (
            lambda: said(403, "UnrecognizedClientException", "bad token"),
            "UnrecognizedClientException: bad token",
        ),
        (lambda: web.Response(status=503, text="<html>busy</html>"), "503"),
        (lambda: web.Response(text="<html>a proxy says hello</html>", content_type="text/html"), ""),
        (lambda: web.Response(status=301, headers={"Location": "http://elsewhere.example.com/"}), "301"),
    ],
)
async def test_what_is_not_clearly_taken_is_kept(
    monkeypatch: pytest.MonkeyPatch, response: Callable[[], web.Response], why: str
) -> None:
    async with serving(monkeypatch, answer=lambda _call: response()) as hubs, hub() as destination:
        (receipt,) = await destination.send(due(told()))

    assert isinstance(receipt, Later)
    assert receipt.why.startswith(f"{FIRST} {REGION}: ")
    assert why in receipt.why
    assert len(hubs.calls) == 1
    assert ESTATE.base.secret_key not in receipt.why


async def test_a_gap_whose_account_is_merely_busy_waits_and_is_not_told_of_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = lambda _call: said(429, "LimitExceededException", "slow down")  # noqa: E731 -- it is named
    async with serving(monkeypatch, answer=busy) as hubs, hub() as destination:
        (receipt,) = await destination.send([notice(gap(FIRST))])

    assert isinstance(receipt, Later)
    assert {call.account_id for call in hubs.calls} == {FIRST}


async def test_one_that_hangs_holds_up_no_other_account(monkeypatch: pytest.MonkeyPatch, post: Post) -> None:
    post.fill([finding(1, account_id=FIRST, region=REGION), finding(1, account_id=SECOND, region=REGION)])
    async with serving(monkeypatch, hanging={FIRST}) as hubs:
        report = await post.send(hub(timeout="1s"), seconds=4, pause=30)

    assert (report.taken, report.left) == (1, 1)
    assert hubs.findings(SECOND, REGION)
    assert report.fault is not None
    assert "no answer within 1 s" in report.fault


@pytest.mark.parametrize("code", ["InvalidInputException", "RequestEntityTooLargeException", "413"])
async def test_what_spoils_a_call_is_found_and_the_others_are_taken(
    monkeypatch: pytest.MonkeyPatch, post: Post, code: str
) -> None:
    post.fill([finding(number, account_id=FIRST, region=REGION) for number in range(1, 10)])
    bad = finding(7, account_id=FIRST, region=REGION).finding_id

    def answer(call: Any) -> web.Response | None:
        if bad not in {each["Id"] for each in call.findings}:
            return None
        if code == "413":
            return web.Response(status=413, text="<html>too large</html>")
        return said(400, code, "Invalid parameter 'Findings'")

    async with serving(monkeypatch, answer=answer) as hubs:
        report = await post.send(hub())

    assert (report.taken, report.refused, report.left) == (8, 1, 0)
    assert bad not in hubs.all
    assert len(hubs.calls) <= 8
    (letter,) = post.dead_letters()
    assert letter["event"]["finding_id"] == bad


# Limits


async def test_no_call_holds_more_than_the_service_takes(monkeypatch: pytest.MonkeyPatch, post: Post) -> None:
    large = {f"key-{number}": "é" * 1_500 for number in range(40)}
    post.fill(
        [
            *[finding(number, account_id=FIRST, region=REGION, related=large) for number in range(1, 60)],
            *[finding(number, account_id=FIRST, region=REGION) for number in range(60, 400)],
            finding(
                400, account_id=FIRST, region=REGION, evidence={"x": "y" * 9_000_000}, message="m" * 10_000
            ),
        ]
    )
    async with serving(monkeypatch) as hubs:
        report = await post.send(hub())

    assert (report.taken, report.refused, report.left, report.why) == (400, 0, 0, None)
    assert max(len(call.findings) for call in hubs.calls) == 100
    assert max(call.size for call in hubs.calls) < 1_048_576
    cut = hubs.findings(FIRST, REGION)[finding(400, account_id=FIRST, region=REGION).finding_id]
    assert cut["ProductFields"]["auditor/truncated"] == "true"
    whole = hubs.findings(FIRST, REGION)[finding(100, account_id=FIRST, region=REGION).finding_id]
    assert "auditor/truncated" not in whole["ProductFields"]


# Secrets and settings


async def test_no_secret_is_in_what_is_said_or_written(
    monkeypatch: pytest.MonkeyPatch, post: Post, capfd: pytest.CaptureFixture[str]
) -> None:
    post.fill([finding(1, account_id=FIRST, region=REGION), finding(1, account_id=SECOND, region=REGION)])

    other = {FIRST: SECOND, SECOND: FIRST}

    def answer(call: Any) -> web.Response:
        keys = [
            each for each in hubs._delivery._keys._keys.values() if each.account_id != other[call.account_id]
        ]
        told = " ".join(f"{key.secret} {key.token}" for key in keys)
        return said(400, "ValidationException", f"{call.account_id} {told} canary-of-the-role")

    async with serving(monkeypatch, external_id="canary-of-the-role", answer=answer) as hubs:
        report = await post.send(hub(external_id="canary-of-the-role"), seconds=1, pause=30)

    shown = "".join((*capfd.readouterr(), str(report)))
    assert report.left == 2
    assert "canary" not in shown
    assert not any(secret in shown for secret in hubs.secrets)


CONFIG = """\
version: 1
defaults: {{role_name: R, hub_role_arn: "arn:aws:iam::999988887777:role/Hub"}}
accounts: [{{id: "111122223333"}}]
history: {{}}
destinations: {{hub: {{type: security-hub, {settings}}}}}
"""


def test_a_configuration_names_it_and_its_hub_comes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(
        CONFIG.format(settings='account: "999988887777", region: eu-west-1, external_id: "${ID}"')
    )
    config = load_config(path, {"ID": "canary-of-the-role"})

    (receiver,) = config.destinations
    assert receiver.hub is not None
    assert receiver.hub.role_arn == "arn:aws:iam::999988887777:role/Hub"
    assert "canary" not in repr(receiver)
    assert "canary-of-the-role" in config.secrets


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("region: eu-west-1", "hub has no account"),
        ("account: 999988887777, region: eu-west-1", "account of hub"),
        ('account: "999988887777", region: Ireland', "region of hub"),
        ('account: "999988887777", region: eu-west-1, role_name: /x', "role_name of hub"),
        ('account: "999988887777", region: eu-west-1, external_id: "canary 7"', "external_id of hub"),
    ],
)
def test_what_can_not_be_used_is_told(tmp_path: Path, settings: str, text: str) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(CONFIG.format(settings=settings))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert text in str(caught.value)
    assert "canary" not in str(caught.value)


# Somebody else's server


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


async def test_moto_takes_it_too(monkeypatch: pytest.MonkeyPatch, moto: str, post: Post) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "the-secret-key",
    }.items():
        monkeypatch.setenv(name, value)
    post.fill([finding(1, severity=Severity.INFO, account_id=FIRST, region=REGION)], [run()])

    report = await post.send(hub())

    sts = boto3.client("sts", region_name=REGION, endpoint_url=moto)
    given = sts.assume_role(RoleArn=f"arn:aws:iam::{FIRST}:role/x", RoleSessionName="look")["Credentials"]
    there = boto3.client(
        "securityhub",
        region_name=REGION,
        endpoint_url=moto,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    (one,) = there.get_findings()["Findings"]
    assert (report.taken, report.fault) == (2, None)
    assert (one["Id"], one["Severity"]["Label"]) == (
        finding(1, account_id=FIRST, region=REGION).finding_id,
        "INFORMATIONAL",
    )
