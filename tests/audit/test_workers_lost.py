"""Where there are no workers left, or nobody who knows them, a run says so and ends."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from tests.audit.dask_cluster import Lab, dask, free_port, made_lab, wait_for

if TYPE_CHECKING:
    from pathlib import Path

SOON = {
    "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "2s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s",
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    now = datetime.now(UTC)
    estate = generate(7, accounts=3, regions=("us-east-1",), now=now, records_per_target=6, page_size=4)
    return made_lab(tmp_path, estate)


def test_a_scheduler_that_does_not_answer_is_named_and_nothing_is_audited(lab: Lab) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with lab.serving():
        ended = lab.audit("--dask", url, more=SOON)

    assert ended.code == 2
    assert f"auditor: --dask {url}: no scheduler answers: " in ended.err
    assert not ended.folder.exists()


def test_a_scheduler_without_workers_is_told_of_and_one_that_goes_ends_the_run_over_tls_too(lab: Lab) -> None:
    hangs = lab.estate.accounts[0].id
    with (
        dask(lab, processes=0, tls=True) as cluster,
        lab.serving(Fault(FaultKind.HANG, hangs, page=2)) as running,
    ):
        none = lab.audit("--dask", cluster.url, more=SOON)
        assert none.code == 2
        assert f"auditor: --dask {cluster.url}: no worker there within 2 s" in none.err

        cluster.start_worker()
        with lab.started("--dask", cluster.url, more=SOON) as started:
            wait_for(lambda: any(call.account_id == hangs and call.page == 2 for call in running.calls))
            os.killpg(cluster.scheduler.pid, signal.SIGKILL)
            ended = started.ended()

    assert ended.code == 3, ended.err
    assert ended.reasons[hangs, "us-east-1"] == ("failed", "worker-lost")
    assert "did not answer for 2 s" in ended.coverage[0]["error_message"]
    assert len(ended.reasons) == 3


def test_workers_that_are_all_lost_end_the_run_with_a_gap_for_all_that_is_left(lab: Lab) -> None:
    with dask(lab, processes=1, nanny=False) as cluster, lab.serving():
        lab.harm.write_text(f"kill {lab.estate.accounts[0].records['us-east-1'][0]['arn']}")
        ended = lab.audit("--dask", cluster.url, "--fail-on", "none", more=SOON)

    assert ended.code == 3, ended.err
    assert set(ended.reasons.values()) <= {("failed", "worker-lost"), ("complete", None)}
    assert ended.reasons[lab.estate.accounts[0].id, "us-east-1"] == ("failed", "worker-lost")
    assert "no worker was left for 2 s" in ended.coverage[0]["error_message"]
    (line,) = (line for line in ended.logged if line["event"].startswith("the workers are lost"))
    assert cluster.url in line["why"]
