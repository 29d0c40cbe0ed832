"""Nights one after the other: what a run says of a finding follows from those before it, and from what it looked at."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from moto.server import ThreadedMotoServer

from auditor.audit import Observer, RunOptions
from auditor.config import History, PostgreSQLStore, S3Store, SQLiteStore
from auditor.errors import SinkError, UsageError
from auditor.history import open_history
from auditor.history.database import Database
from auditor.inventory import Filters
from auditor.model import Severity
from auditor.simulator.faults import Fault, FaultKind
from tests.history.servers import PASSWORD, postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

DENIED = FaultKind.ACCESS_DENIED


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(SQLiteStore(tmp_path / "history.sqlite3"))


def statuses(seen: Audited) -> dict[str, int]:
    return dict(Counter(finding["status"] for finding in seen.findings))


def without_account(estate: Estate, number: int) -> Estate:
    return replace(estate, accounts=estate.accounts[:number] + estate.accounts[number + 1 :])


def without_records(estate: Estate, number: int) -> Estate:
    accounts = [*estate.accounts]
    accounts[number] = replace(accounts[number], records={})
    return replace(estate, accounts=tuple(accounts))


def emptied(estate: Estate) -> Estate:
    return replace(estate, accounts=tuple(replace(each, records={}) for each in estate.accounts))


def runs_in(folder: Path) -> list[Path]:
    return list(folder.glob("run-*"))


def of(account: str, findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [finding for finding in findings if finding["account_id"] == account]


async def test_findings_are_new_in_the_first_night_and_recurring_in_the_second(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    first = await auditing(estate, history=history)
    second = await auditing(estate, history=history)
    assert first.found == second.found == estate.truth
    assert statuses(first) == {"new": len(estate.truth)}
    assert statuses(second) == {"recurring": len(estate.truth)}
    assert {each["first_seen"] for each in second.findings} == {first.run["started_at"]}
    assert {each["event_id"] for each in first.findings}.isdisjoint(
        each["event_id"] for each in second.findings
    )
    assert second.run["totals"]["findings"]["by_status"] == statuses(second)


async def test_what_is_gone_is_resolved_and_counts_no_more(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    await auditing(estate, history=history)
    seen = await auditing(emptied(estate), history=history)
    assert statuses(seen) == {"resolved": len(estate.truth)}
    assert {each["resolution"]["kind"] for each in seen.findings} == {"resource-gone"}
    assert seen.result.exit_code == 0
    assert not seen.result.findings
    third = await auditing(estate, history=history)
    assert statuses(third) == {"reopened": len(estate.truth)}


async def test_where_nobody_could_look_nothing_is_resolved_and_it_still_counts(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    denied, other = (each.id for each in estate.accounts)
    await auditing(estate, history=history)
    options = RunOptions(min_coverage=0, fail_on=Severity.INFO)
    fault = Fault(DENIED, account=denied)
    seen = await auditing(emptied(estate), fault, history=history, options=options)
    assert {each["status"] for each in of(other, seen.findings)} == {"resolved"}
    lost = of(denied, seen.findings)
    assert len(lost) == sum(each.account_id == denied for each in estate.truth) > 0
    assert {each["status"] for each in lost} == {"not_seen"}
    assert all("access-denied" in each["resolution"]["why"] for each in lost)
    assert f"{len(lost)} finding(s) at or above info" in [each.text for each in seen.result.conditions][-1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (RunOptions(filters=Filters(policies=("oversized-disk",))), "confined to other policies"),
        (RunOptions(filters=Filters(regions=("eu-west-1",))), "confined to other Regions"),
    ],
)
async def test_a_run_of_a_subset_resolves_nothing_that_it_did_not_look_for(
    auditing: Auditing, estate_of: EstateMaker, history: History, options: RunOptions, why: str
) -> None:
    estate = estate_of(2)
    await auditing(estate, history=history)
    seen = await auditing(estate, history=history, options=options)
    assert seen.found == estate.truth
    assert set(statuses(seen)) == {"recurring", "not_seen"}
    left_out = [each for each in seen.findings if each["status"] == "not_seen"]
    assert all(why in each["resolution"]["why"] for each in left_out)


async def test_an_account_that_left_the_configuration_is_not_seen_and_never_resolved(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    gone = estate.accounts[1].id
    await auditing(estate, history=history)
    for _ in range(2):
        seen = await auditing(without_account(estate, 1), history=history)
        assert {each["status"] for each in of(gone, seen.findings)} == {"not_seen"}
    back = await auditing(estate, history=history)
    assert {each["status"] for each in of(gone, back.findings)} == {"recurring"}


async def test_a_policy_that_is_switched_off_resolves_nothing(
    auditing: Auditing, estate_of: EstateMaker, history: History
) -> None:
    estate = estate_of(2)
    await auditing(estate, history=history)
    off = "policies: \n  oversized-disk: {enabled: false}\n"
    seen = await auditing(estate, history=history, extra=off)
    (status,) = {each["status"] for each in seen.findings if each["policy"] == "oversized-disk"}
    assert status == "not_seen"


async def test_a_run_that_another_is_in_the_way_of_begins_nothing(
    auditing: Auditing, estate_of: EstateMaker, history: History, tmp_path: Path
) -> None:
    with (
        open_history(history, holder="run of somebody else"),
        pytest.raises(UsageError, match=r"in use by run of somebody else"),
    ):
        await auditing(estate_of(1), history=history)
    assert not runs_in(tmp_path)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 as moto serves it, with an empty bucket; all other calls go to the simulator."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    client = boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
        aws_secret_access_key="s",
    )
    client.create_bucket(Bucket="nights")
    try:
        yield client
    finally:
        for held in client.list_objects_v2(Bucket="nights").get("Contents", ()):
            client.delete_object(Bucket="nights", Key=held["Key"])
        client.delete_bucket(Bucket="nights")
        client.close()
        server.stop()


IN_S3 = History(S3Store("nights", "history.sqlite3"))


@pytest.mark.usefixtures("s3")
async def test_two_nights_on_fresh_machines_know_of_each_other_by_s3(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    first = await auditing(estate, history=IN_S3)
    second = await auditing(without_records(estate, 1), history=IN_S3)
    stays, gone = (each.id for each in estate.accounts)
    assert statuses(first) == {"new": len(estate.truth)}
    assert {each["status"] for each in of(stays, second.findings)} == {"recurring"}
    assert {each["status"] for each in of(gone, second.findings)} == {"resolved"}
    assert 4 not in second.run["exit_conditions"]


async def test_a_lost_race_for_s3_is_said_and_what_the_other_wrote_stands(
    auditing: Auditing, estate_of: EstateMaker, s3: Any
) -> None:
    estate = estate_of(1)

    class Other(Observer):
        """Another run, which ends while this one is at it."""

        def ready(self) -> None:
            s3.put_object(Bucket="nights", Key="history.sqlite3", Body=b"of the other")

    seen = await auditing(estate, history=IN_S3, observer=Other())
    assert seen.found == estate.truth
    assert seen.result.exit_code == 4
    assert "another run has written it meanwhile" in seen.result.conditions[0].text
    assert s3.get_object(Bucket="nights", Key="history.sqlite3")["Body"].read() == b"of the other"


async def test_a_postgresql_that_goes_away_midway_costs_the_status_of_one_night(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1)
    with postgresql() as server:
        kept = History(PostgreSQLStore(server.url(), "postgresql://server/audit"))

        class Ends(Observer):
            """The server, which ends once the run is at it."""

            def ready(self) -> None:
                server.stop()

        try:
            seen = await auditing(estate, history=kept, observer=Ends())
        finally:
            server.start()
        after = await auditing(estate, history=kept)
    assert seen.found == after.found == estate.truth
    assert (statuses(seen), seen.result.exit_code) == ({"untracked": len(estate.truth)}, 4)
    assert "the history postgresql://server/audit went away: " in seen.result.conditions[0].text
    assert PASSWORD not in seen.result.conditions[0].text
    assert statuses(after) == {"new": len(estate.truth)}


@pytest.fixture
def _hanging_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3 that has no object yet, and does not answer to what is put there."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>NoSuchKey</Code><Message>None.</Message></Error>"
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            over.wait(40)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield
    over.set()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.usefixtures("_hanging_s3")
async def test_s3_that_hangs_is_not_waited_for_once_the_deadline_is_over_and_the_copy_is_kept(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    hangs = Fault(FaultKind.HANG, estate.accounts[1].id)
    seen = await auditing(estate, hangs, history=IN_S3, options=RunOptions(deadline=timedelta(seconds=2)))
    took = datetime.fromisoformat(seen.run["finished_at"]) - datetime.fromisoformat(seen.run["started_at"])
    assert took < timedelta(
        seconds=2 + 15
    )  # three are promised; a busy machine takes more, and none takes 30
    assert seen.run["exit_conditions"][:2] == [4, 3]
    copy = seen.result.folder / "auditor-history.sqlite3"
    assert "S3 did not say in time whether it took it" in seen.result.conditions[0].text
    assert f"this run's copy is kept in {copy}" in seen.result.conditions[0].text
    second = await auditing(emptied(estate), history=History(SQLiteStore(copy)))
    assert statuses(second).get("resolved", 0) == len(seen.findings)


async def test_a_history_that_fails_midway_costs_the_status_and_is_said(
    auditing: Auditing, estate_of: EstateMaker, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(2)
    await auditing(estate, history=history)

    def full(*_: object) -> object:
        raise SinkError("the history could not be written: the disk is full")

    # A disk that is full, at the seam to the database.
    monkeypatch.setattr(Database, "transaction", full_after(2, Database.transaction, full))
    seen = await auditing(estate, history=history)
    assert seen.found == estate.truth
    assert "untracked" in statuses(seen)
    assert seen.result.exit_code == 4
    assert "the disk is full" in seen.result.conditions[0].text


def full_after(
    times: int, works: Callable[..., object], fails: Callable[..., object]
) -> Callable[..., object]:
    left = [works] * times

    def transaction(*arguments: object) -> object:
        return (left.pop() if left else fails)(*arguments)

    return transaction
