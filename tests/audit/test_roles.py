"""Roles: one session per account, of the account that was planned, for as long as it is needed."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from auditor.audit import RunOptions, audit
from auditor.aws import given
from auditor.inventory import Filters
from auditor.simulator.estate import Estate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.conftest import Audited, Auditing, EstateMaker

MANY = (
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-central-1",
    "eu-north-1",
    "sa-east-1",
)


def configured(estate: Estate, old: str, new: str) -> Estate:
    """Return the estate with a configuration that says `new` where the true one says `old`."""
    assert old in estate.accounts_yaml()

    class Configured(Estate):
        def accounts_yaml(self) -> str:
            return estate.accounts_yaml().replace(old, new)

    return Configured(**{field.name: getattr(estate, field.name) for field in fields(estate)})


def assumed(seen: Audited) -> list[str | None]:
    """The account of each AssumeRole, in order."""
    return [call.account_id for call in seen.calls if call.operation == "AssumeRole"]


@pytest.mark.parametrize("concurrency", [1, 4, 64])
async def test_a_role_is_assumed_once_whatever_the_regions_and_the_concurrency(
    auditing: Auditing, estate_of: EstateMaker, concurrency: int
) -> None:
    estate = estate_of(3, regions=MANY, records_per_target=4)

    # Slow answers, so that every Region asks for the role while it is being assumed.
    slow = Fault(FaultKind.LATENCY, operation="AssumeRole", seconds=0.1)
    seen = await auditing(estate, slow, options=RunOptions(concurrency=concurrency))

    assert sorted(map(str, assumed(seen))) == sorted(account.id for account in estate.accounts)
    assert set(seen.reasons.values()) == {("complete", None)}
    assert len(seen.reasons) == 24
    keys = {(call.account_id, call.access_key_id) for call in seen.calls if call.page}
    assert len(keys) == 3


async def test_an_external_id_that_is_wrong_or_missing_costs_the_account_and_no_other(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(4)
    wrong, missing, *right = estate.accounts
    estate = configured(estate, str(wrong.external_id), "ext-of-somebody-else")
    estate = configured(estate, f'    external_id: "{missing.external_id}"\n', "")

    seen = await auditing(estate)

    for account in (wrong, missing):
        for region in estate.regions:
            line = seen.line(account.id, region)
            assert (line["verdict"], line["reason"]) == ("failed", "role-not-assumable")
            assert line["error_code"] == "AccessDenied"
            assert line["requests"] == 0
        assert assumed(seen).count(account.id) == 1
    for account in right:
        assert {seen.reasons[account.id, region] for region in estate.regions} == {("complete", None)}
    whole = {one for one in estate.truth if one.account_id in {account.id for account in right}}
    assert seen.found == whole
    assert whole


async def test_nothing_is_read_with_the_role_of_another_account(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3)
    planned, other, right = (account.id for account in estate.accounts)
    fault = Fault(FaultKind.WRONG_ACCOUNT, planned, operation="AssumeRole", to_account=other)

    seen = await auditing(estate, fault, options=RunOptions(filters=Filters(accounts=(planned, right))))

    assert {call.account_id for call in seen.calls if call.operation == "GetExportSnapshotRecords"} == {right}
    for region in estate.regions:
        line = seen.line(planned, region)
        assert (line["verdict"], line["reason"], line["pages"]) == ("failed", "wrong-account", 0)
        assert other in line["error_message"]
        assert seen.reasons[right, region] == ("complete", None)
    assert {finding["account_id"] for finding in seen.findings} == {right}
    assert assumed(seen).count(planned) == 1


async def test_a_role_may_have_a_path(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(2)
    accounts = tuple(replace(account, role_name="audit/deep/Reader") for account in estate.accounts)
    arn = '  role_arn: "arn:aws:iam::{account_id}:role/audit/deep/Reader"\n'
    estate = replace(estate, accounts=accounts)
    # The accounts' own ARNs go, so that the template of the defaults is what is used.
    for account in accounts:
        estate = configured(estate, f'    role_arn: "{account.role_arn}"\n', "")
    estate = configured(estate, "  role_name: LightsailExportAuditor\n", arn)

    seen = await auditing(estate)

    assert seen.found == estate.truth
    assert set(seen.reasons.values()) == {("complete", None)}


@pytest.mark.parametrize("chained", [True, False], ids=["chained", "the role's own limit"])
async def test_a_session_longer_than_sts_gives_is_asked_for_again_at_an_hour_with_one_warning(
    auditing: Auditing, estate_of: EstateMaker, *, chained: bool
) -> None:
    limit = 43_200 if chained else 3_600
    estate = estate_of(4, chained=chained, max_session_duration=limit)
    estate = configured(estate, "defaults:\n", "defaults:\n  session_duration: 4h\n")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))

    with capture_logs() as logs:
        seen = await auditing(estate)

    assert set(seen.reasons.values()) == {("complete", None)}
    assert seen.found == estate.truth
    told = [entry for entry in logs if "1h" in entry["event"]]
    assert [entry["log_level"] for entry in told] == ["warning"]
    assert told[0]["asked_s"] == 14_400
    granted = [call for call in seen.calls if call.operation == "AssumeRole" and call.error is None]
    assert len(granted) == 4


async def test_a_session_as_long_as_the_role_allows_is_not_cut(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, max_session_duration=14_400)
    estate = configured(estate, "defaults:\n", "defaults:\n  session_duration: 4h\n")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))

    with capture_logs() as logs:
        seen = await auditing(estate)

    assert set(seen.reasons.values()) == {("complete", None)}
    assert len(assumed(seen)) == 2
    assert not [entry for entry in logs if "1h" in entry["event"]]


async def test_sessions_shorter_than_the_run_are_refreshed_before_they_end(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, records_per_target=24, page_size=2)

    seen = await auditing(estate, Fault(FaultKind.LATENCY, seconds=0.3), credential_lifetime=3)

    assert seen.found == estate.truth
    assert set(seen.reasons.values()) == {("complete", None)}
    assert "ExpiredTokenException" not in {call.error for call in seen.calls}
    for account in estate.accounts:
        assert 2 <= assumed(seen).count(account.id) <= 6


def test_a_session_is_refreshed_early_and_not_at_the_moment_of_all_others() -> None:
    def usable_for(life: float) -> set[float]:
        expiration = datetime.now(UTC) + timedelta(seconds=life)
        answer = {"Credentials": {"Expiration": expiration}}
        return {given.usable_for(answer) for _ in range(50)}

    hour, short, past = usable_for(3600), usable_for(10), usable_for(-60)

    assert 3600 - 300 * 1.2 - 1 <= min(hour) < max(hour) <= 3600 - 300 * 1.1
    assert max(hour) - min(hour) > 10
    assert 10 * 0.8 - 1 <= min(short) < max(short) <= 10 * 0.9
    assert past == {float("inf")}  # the clocks differ: AWS says when it is over


async def test_a_session_that_aws_calls_expired_is_assumed_again_once(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3)
    survives, stays, untouched = (account.id for account in estate.accounts)

    seen = await auditing(
        estate,
        Fault(FaultKind.EXPIRED, survives, "us-east-1", times=1),
        Fault(FaultKind.EXPIRED, stays, "us-east-1", page=2),
    )

    assert [assumed(seen).count(account) for account in (survives, stays, untouched)] == [2, 2, 1]
    assert seen.reasons.pop((stays, "us-east-1")) == ("partial", "expired-credentials")
    line = seen.line(stays, "us-east-1")
    assert (line["requests"], line["retries"], line["pages"]) == (3, 0, 1)
    others = {verdict for place, verdict in seen.reasons.items() if place != (stays, "us-east-1")}
    assert others == {("complete", None)}


async def test_an_answer_of_sts_that_never_comes_good_is_a_gap_of_that_account_alone(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    reasons = {
        FaultKind.THROTTLE: "throttled",
        FaultKind.SERVICE_ERROR: "service-error",
        FaultKind.RESET: "network-error",
        FaultKind.NOT_JSON: "bad-response",
        FaultKind.CUT_BODY: "bad-response",
        FaultKind.EXPIRED: "expired-credentials",
        FaultKind.REQUEST_EXPIRED: "clock-skew",
        FaultKind.ACCESS_DENIED: "role-not-assumable",
        FaultKind.UNRECOGNIZED_CLIENT: "role-not-assumable",
        FaultKind.INVALID_SIGNATURE: "role-not-assumable",
    }
    estate = estate_of(len(reasons) + 1, regions=["us-east-1"])
    *struck, untouched = estate.accounts
    faults = [
        Fault(kind, account.id, operation="AssumeRole") for kind, account in zip(reasons, struck, strict=True)
    ]

    seen = await auditing(estate, *faults)

    for (kind, reason), account in zip(reasons.items(), struck, strict=True):
        assert seen.reasons[account.id, "us-east-1"] == ("failed", reason), kind
        again = reason in {"throttled", "service-error", "network-error", "bad-response"}
        assert assumed(seen).count(account.id) == (6 if again else 1), kind
    assert seen.reasons[untouched.id, "us-east-1"] == ("complete", None)


async def test_sts_that_cannot_be_reached_is_the_network_and_not_the_role(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(3, regions=["us-east-1"])
    with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        port = nobody.getsockname()[1]

    with serve_in_thread(estate) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
        result = await audit(auditing.config(estate), RunOptions(folder=tmp_path / "run"))

    lines = list(result.ledger.lines())
    assert len(lines) == 3
    assert {(line["verdict"], line["reason"]) for line in lines} == {("failed", "network-error")}
    assert result.record["caller_arn"] is None
    assert result.exit_code == 3
    assert running.calls == []
