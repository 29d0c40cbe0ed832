from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from auditor.errors import UsageError
from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import Running, serve, serve_in_thread

if TYPE_CHECKING:
    from typing import Any

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ESTATE = generate(17, accounts=2, regions=["us-east-1", "ap-southeast-3"], now=NOW, records_per_target=3)


def client(running: Running, account: int, region: str = "us-east-1") -> Any:
    session = botocore.session.get_session()
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    base, into = running.estate.base, running.estate.accounts[account]
    sts: Any = session.create_client(
        "sts",
        "us-east-1",
        endpoint_url=running.url,
        aws_access_key_id=base.access_key,
        aws_secret_access_key=base.secret_key,
        aws_session_token=base.session_token,
        config=config,
    )
    assert into.external_id is not None
    role = sts.assume_role(RoleArn=into.role_arn, RoleSessionName="test", ExternalId=into.external_id)
    return session.create_client(
        "lightsail",
        region,
        endpoint_url=running.url,
        aws_access_key_id=role["Credentials"]["AccessKeyId"],
        aws_secret_access_key=role["Credentials"]["SecretAccessKey"],
        aws_session_token=role["Credentials"]["SessionToken"],
        config=config,
    )


def refusal(lightsail: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        lightsail.get_export_snapshot_records()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_opt_in_region_that_is_not_enabled_does_not_know_the_account() -> None:
    with serve_in_thread(ESTATE) as running:
        assert client(running, 0, "ap-southeast-3").get_export_snapshot_records()["exportSnapshotRecords"]
        assert refusal(client(running, 1, "ap-southeast-3")) == ("UnrecognizedClientException", 400)


def test_a_region_without_records_is_an_empty_page() -> None:
    with serve_in_thread(ESTATE) as running:
        answer = client(running, 0, "eu-north-1").get_export_snapshot_records()
        assert answer["exportSnapshotRecords"] == []
        assert "nextPageToken" not in answer


def test_assumed_credentials_end_when_the_estate_was_told() -> None:
    with serve_in_thread(ESTATE, credential_lifetime=0) as running:
        assert refusal(client(running, 0)) == ("ExpiredTokenException", 400)


def test_an_operation_that_is_not_simulated_is_unknown() -> None:
    with (
        serve_in_thread(ESTATE) as running,
        pytest.raises(ClientError, match="UnknownOperationException"),
    ):
        client(running, 0).get_instances()


def test_an_unsigned_request_is_answered_in_the_words_of_its_service() -> None:
    with serve_in_thread(ESTATE) as running:
        headers = {"X-Amz-Target": "Lightsail_20161128.GetExportSnapshotRecords"}
        for asked, words in ((headers, b"MissingAuthenticationTokenException"), ({}, b"<ErrorResponse ")):
            request = Request(running.url, b"{}", asked)  # noqa: S310 -- loopback
            with pytest.raises(OSError, match=r"HTTP Error 40[03]") as caught, urlopen(request):  # noqa: S310
                pass
            error: Any = caught.value
            with error:
                assert words in error.read()


def test_calls_tell_who_asked_for_what() -> None:
    with serve_in_thread(ESTATE) as running:
        client(running, 1).get_export_snapshot_records()
        assumed, read = running.calls
    account_id = ESTATE.accounts[1].id
    assert (assumed.operation, assumed.account_id, assumed.page) == ("AssumeRole", account_id, None)
    assert assumed.access_key_id == ESTATE.base.access_key
    assert (read.operation, read.account_id, read.page) == ("GetExportSnapshotRecords", account_id, 1)
    assert (read.region, read.token, read.status, read.error) == ("us-east-1", None, 200, None)
    assert read.access_key_id is not None
    assert re.fullmatch("ASIA[A-Z2-7]{16}", read.access_key_id)


def test_the_most_requests_in_flight_at_once_are_counted() -> None:
    faults = [Fault(FaultKind.LATENCY, seconds=0.3)]
    with serve_in_thread(ESTATE, faults=faults) as running, ThreadPoolExecutor(3) as threads:
        clients = [client(running, 0) for _ in range(3)]
        assert running.max_in_flight == 1
        together = threading.Barrier(3)

        def read(lightsail: Any) -> int:
            together.wait(5)
            return len(lightsail.get_export_snapshot_records()["exportSnapshotRecords"])

        assert list(threads.map(read, clients)) == [3, 3, 3]
        assert running.max_in_flight == 3


def test_the_environment_names_the_server_and_the_base_identity() -> None:
    estate = generate(17, accounts=1, regions=["us-east-1"], now=NOW, chained=True)
    with serve_in_thread(estate) as running:
        assert running.environ == {
            "AWS_ENDPOINT_URL": running.url,
            "AWS_ACCESS_KEY_ID": estate.base.access_key,
            "AWS_SECRET_ACCESS_KEY": estate.base.secret_key,
            "AWS_SESSION_TOKEN": estate.base.session_token,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    with serve_in_thread(ESTATE) as running:
        assert "AWS_SESSION_TOKEN" not in running.environ


async def test_a_port_in_use_is_a_usage_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is in use: choose another"):
            await serve(ESTATE, port=port)
        with pytest.raises(UsageError, match="is in use"), serve_in_thread(ESTATE, port=port):
            pass
    with pytest.raises(UsageError, match=r"port 70000 of 127\.0\.0\.1 can't be listened on"):
        await serve(ESTATE, port=70_000)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])  # noqa: S104 -- refused, that is the test
async def test_nothing_but_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(UsageError, match=f"{host} is no loopback address"):
        await serve(ESTATE, port=0, host=host)


async def test_serving_in_a_loop_goes_on_until_it_is_cancelled() -> None:
    ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(ESTATE, port=0, ready=ready.set_result))
    running = await asyncio.wait_for(ready, 5)
    answer = await asyncio.to_thread(lambda: client(running, 0).get_export_snapshot_records())
    assert len(answer["exportSnapshotRecords"]) == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
        pass


def test_a_server_ends_soon_though_a_request_is_still_delayed() -> None:
    faults = [Fault(FaultKind.LATENCY, seconds=50)]
    arrived = threading.Event()
    assumed = threading.Event()

    def clock() -> float:
        # The server looks at its clock for each request: so it is known, without polling, when one is there.
        if assumed.is_set():
            arrived.set()
        return time.time()

    with ThreadPoolExecutor(1) as threads:
        with serve_in_thread(ESTATE, faults=faults, clock=clock) as running:
            lightsail = client(running, 0)
            assumed.set()
            read = threads.submit(lightsail.get_export_snapshot_records)
            assert arrived.wait(5)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert len(read.result(5)["exportSnapshotRecords"]) == 3
