"""Shared out to workers, the audit finds and says the same; what dies with a worker is planned again."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # has no stubs here
import pytest

from auditor.audit import RunOptions
from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from tests.audit.dask_cluster import HARMFUL, Lab, dask, made_lab, wait_for
from tests.audit.test_stopping import open_files
from tests.policies.installing import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.audit.conftest import Auditing, EstateMaker
    from tests.audit.dask_cluster import Dask, Ended

REGIONS = ("us-east-1", "eu-west-1")
WAIVER = "  - {policy: stale-failed-export, region: eu-west-1, owner: me, reason: known, until: 2099-01-01}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    how = {"records_per_target": 6, "page_size": 4}
    estate = generate(7, accounts=6, regions=REGIONS, now=datetime.now(UTC), **how)  # type: ignore[arg-type]
    return made_lab(tmp_path_factory.mktemp("workers"), estate)


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Dask]:
    with dask(lab) as running:
        yield running


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Ended:
    """What one process finds and says."""
    with lab.serving():
        return lab.audit()


def arn(lab: Lab, account: int, region: str, record: int = 0) -> str:
    told: str = lab.estate.accounts[account].records[region][record]["arn"]
    return told


def harm(lab: Lab, *lines: str) -> None:
    lab.harm.write_text("\n".join(lines))


def children_of(session: int) -> list[str]:
    """The processes of a session."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and os.getsid(int(process.name)) == session:
                told = (process / "cmdline").read_text().replace("\0", " ")
                found += (
                    [told] if told else []
                )  # without a command line it has ended, and nobody has looked yet
        except OSError:
            continue
    return found


def listens_on(process: int) -> set[str]:
    """The addresses at which a process, and those that it has started, can be reached."""
    first = psutil.Process(process)
    found = (each.net_connections("inet") for each in (first, *first.children(recursive=True)))
    return {each.laddr.ip for those in found for each in those if each.status == psutil.CONN_LISTEN}


def test_the_workers_of_a_dask_find_and_say_the_same_as_one_process(
    lab: Lab, cluster: Dask, alone: Ended
) -> None:
    with lab.serving(Fault(FaultKind.LATENCY, seconds=0.05)) as running:
        ended = lab.audit("--dask", cluster.url, "--concurrency", "4")
        assert 2 <= running.max_in_flight <= 4
        assumed = [call.account_id for call in running.calls if call.operation == "AssumeRole"]

    assert ended.code == alone.code, ended.err
    assert ended.findings == alone.findings
    assert len(ended.findings) > 10
    assert ended.ledger == alone.ledger
    assert ended.run["totals"] == alone.run["totals"]
    assert [line["event"] for line in ended.logged[:-1]] == [line["event"] for line in alone.logged[:-1]]
    # By a worker each, but for the one that the coordinator asks which Regions Lightsail has.
    assert len(assumed) == len(set(assumed)) + 1


def test_processes_of_this_machine_do_too_and_leave_nothing_behind(lab: Lab, alone: Ended) -> None:
    with lab.serving(), lab.started("--workers", "2") as started:
        ended = started.ended()
        assert children_of(started.process.pid) == []

    assert ended.code == alone.code, ended.err
    assert ended.findings == alone.findings
    assert ended.ledger == alone.ledger
    assert ended.run["totals"] == alone.run["totals"]
    assert [line["event"] for line in ended.logged[:-1]] == [line["event"] for line in alone.logged[:-1]]
    assert list((lab.folder / "tmp").iterdir()) == []


def test_a_worker_that_is_killed_loses_no_target(lab: Lab, cluster: Dask, alone: Ended) -> None:
    with lab.serving():
        harm(lab, f"once {arn(lab, 2, 'us-east-1')}")
        ended = lab.audit("--dask", cluster.url)
        assert len(lab.harmed) == 1

    assert ended.findings == alone.findings, ended.err
    assert ended.ledger == alone.ledger
    assert ended.code == alone.code
    assert any("a worker was lost" in line["event"] for line in ended.logged)


def test_a_target_that_kills_its_worker_twice_is_a_gap_and_no_other_is(
    lab: Lab, cluster: Dask, alone: Ended
) -> None:
    killing = lab.estate.accounts[1].id
    with lab.serving():
        harm(lab, f"kill {arn(lab, 1, 'eu-west-1')}")
        ended = lab.audit("--dask", cluster.url, "--fail-on", "none")
        assert len(lab.harmed) == len(set(lab.harmed)) == 2

    assert ended.code == 3, ended.err
    assert ended.reasons == alone.reasons | {(killing, "eu-west-1"): ("failed", "worker-lost")}, ended.err
    assert ended.run["totals"]["targets"]["failed"] == 1
    left = [line for line in alone.findings if f'"account_id":"{killing}"' not in line or "us-east-1" in line]
    assert ended.findings == left


def test_a_bug_in_a_worker_is_told_of_and_touches_no_other_target(
    lab: Lab, cluster: Dask, alone: Ended
) -> None:
    account = lab.estate.accounts[3].id
    with lab.serving():
        harm(lab, f"evidence {arn(lab, 3, 'us-east-1')}")
        ended = lab.audit("--dask", cluster.url)

    assert ended.code == 5, ended.err
    assert ended.reasons == alone.reasons | {(account, "us-east-1"): ("partial", "internal-error")}
    (bug,) = (line for line in ended.logged if line["event"].startswith("internal error"))
    assert "planted: evidence that can be read once" in bug["exception"]


def test_a_bug_that_ends_a_shard_is_its_targets_verdict(lab: Lab, cluster: Dask, alone: Ended) -> None:
    with lab.serving():
        harm(lab, f"bug {arn(lab, 3, 'us-east-1')}")
        ended = lab.audit("--dask", cluster.url)

    assert ended.code == 5, ended.err
    changed = {key: told for key, told in ended.reasons.items() if told != alone.reasons[key]}
    assert set(changed.values()) == {("failed", "internal-error")}
    # Of whichever of the worker's shards ended first.
    assert len({account for account, _ in changed}) == 1
    (bug,) = (line for line in ended.logged if line["event"].startswith("internal error"))
    assert "planted: a bug of the auditor" in bug["exception"]


def test_a_worker_with_another_policy_is_refused_before_anything_is_audited(
    lab: Lab, cluster: Dask, tmp_path: Path
) -> None:
    Site(tmp_path).install("harmful", "harmful = harmful", harmful=HARMFUL + "# another version\n")
    with lab.serving():
        path = f"{tmp_path}:{':'.join(filter(None, sys.path))}"
        ended = lab.audit("--dask", cluster.url, more={"PYTHONPATH": path})

    assert ended.code == 2
    assert not ended.folder.exists()
    assert re.search(
        r"^auditor: the worker tcp://127.0.0.1:\d+ would judge otherwise: its policy harmful has version "
        r"\w+, and ours \w+; install the same$",
        ended.err,
        re.MULTILINE,
    )


def test_a_run_that_was_interrupted_goes_on_with_workers_as_without(
    lab: Lab, cluster: Dask, alone: Ended
) -> None:
    hangs = lab.estate.accounts[4].id
    with lab.serving(Fault(FaultKind.HANG, hangs)) as running, lab.started("--dask", cluster.url) as started:
        others = {account.id for account in lab.estate.accounts} - {hangs}
        wait_for(lambda: {call.account_id for call in running.calls if call.page == 2} == others)
        started.process.send_signal(signal.SIGTERM)
        cut = started.ended()
    assert cut.code == 143, cut.err

    with lab.serving() as running:
        ended = lab.audit("--dask", cluster.url, again=cut.folder)
        asked = {call.account_id for call in running.calls if call.page}

    assert ended.code == alone.code, ended.err
    assert ended.findings == alone.findings
    assert ended.ledger == alone.ledger
    assert ended.run["totals"]["findings"] == alone.run["totals"]["findings"]
    assert hangs in asked
    assert len(asked) < len(others)


def test_a_history_is_told_the_same_by_workers(lab: Lab, cluster: Dask, tmp_path: Path) -> None:
    first, *others = lab.estate.accounts
    fewer = {region: records[-1:] for region, records in first.records.items()}

    def night(store: str) -> str:
        return f"history:\n  store: {tmp_path}/{store}.sqlite3\nwaivers:\n{WAIVER}"

    with lab.serving():
        lab.audit(extra=night("one"))
    shutil.copy(tmp_path / "one.sqlite3", tmp_path / "two.sqlite3")
    changed = replace(lab.estate, accounts=(replace(first, records=fewer), *others))

    with lab.serving(estate=changed):
        one = lab.audit(extra=night("one"))
        shared = lab.audit("--dask", cluster.url, extra=night("two"))

    assert one.code == 1, one.err
    assert shared.findings == one.findings
    assert shared.run["totals"] == one.run["totals"]
    assert shared.run["waivers"] == one.run["waivers"]
    assert {*one.run["totals"]["findings"]["by_status"]} == {"recurring", "resolved"}
    assert one.run["totals"]["findings"]["waived"] > 0


def test_what_is_secret_is_nowhere_in_what_dask_logs_or_names(lab: Lab, cluster: Dask) -> None:
    with lab.serving():
        lab.audit("--dask", cluster.url)
    told = "".join(log.read_text("utf-8") for log in lab.folder.glob("dask_*.log"))
    assert told
    for account in lab.estate.accounts:
        assert account.external_id
        assert account.external_id not in told
    assert lab.estate.base.secret_key not in told
    assert "Traceback" not in told


def test_at_the_deadline_workers_hand_over_what_they_have(lab: Lab, cluster: Dask, alone: Ended) -> None:
    hangs, later = lab.estate.accounts[0].id, lab.estate.accounts[1].id
    with lab.serving(Fault(FaultKind.HANG, hangs), Fault(FaultKind.HANG, later, page=2)):
        ended = lab.audit("--dask", cluster.url, "--deadline", "4s", "--fail-on", "none")

    assert ended.code == 3, ended.err
    assert ended.took_s < 4 + 6
    expected = alone.reasons
    for region in REGIONS:
        expected |= {(hangs, region): ("failed", "deadline"), (later, region): ("partial", "deadline")}
    assert ended.reasons == expected
    assert any(f'"account_id":"{later}"' in line for line in ended.findings)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_ends_the_run_soon_and_keeps_what_was_done(
    lab: Lab, alone: Ended, number: signal.Signals, code: int
) -> None:
    hangs, later = lab.estate.accounts[0].id, lab.estate.accounts[1].id
    faults = Fault(FaultKind.HANG, hangs), Fault(FaultKind.HANG, later, page=2)
    with lab.serving(*faults) as running, lab.started("--workers", "2") as started:
        wait_for(lambda: sum(call.page == 2 and call.account_id == later for call in running.calls) == 2)
        wait_for(lambda: len({call.account_id for call in running.calls if call.page == 2}) == 5)
        assert listens_on(started.process.pid) == {"127.0.0.1"}
        os.killpg(started.process.pid, number)
        sent = time.monotonic()
        ended = started.ended()
        assert time.monotonic() - sent < 8
        assert children_of(started.process.pid) == []

    assert ended.code == code, ended.err
    expected = alone.reasons
    for region in REGIONS:
        expected |= {(hangs, region): ("failed", "interrupted"), (later, region): ("partial", "interrupted")}
    assert ended.reasons == expected
    assert list((lab.folder / "tmp").iterdir()) == []


def test_ctrl_c_while_workers_start_ends_them_without_a_word_of_theirs(lab: Lab) -> None:
    with lab.serving(), lab.started("--workers", "2") as started:
        wait_for(
            lambda: len(children_of(started.process.pid)) > 2
        )  # the run, a helper of multiprocessing's, a worker
        os.killpg(started.process.pid, signal.SIGINT)
        ended = started.ended()
        assert children_of(started.process.pid) == []

    assert ended.code == 130
    assert ended.last == "exit 130: interrupted before anything was audited"
    assert not ended.folder.exists()
    assert list((lab.folder / "tmp").iterdir()) == []


def test_workers_end_with_a_coordinator_that_is_killed(lab: Lab) -> None:
    with lab.serving(Fault(FaultKind.HANG)) as running, lab.started("--workers", "2") as started:
        wait_for(lambda: any(call.page for call in running.calls))
        assert len(children_of(started.process.pid)) > 2
        started.process.kill()
        wait_for(lambda: children_of(started.process.pid) == [])


async def test_a_program_shares_out_its_runs_and_keeps_nothing_open(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3)
    resource_tracker.ensure_running()  # of multiprocessing, a process that stays as long as this one
    before = open_files()

    seen = await auditing(estate, options=RunOptions(workers=2))

    gc.collect()  # what was left open would warn, and so fail
    assert seen.found == estate.truth
    assert set(seen.reasons.values()) == {("complete", None)}
    assert len(asyncio.all_tasks()) == 1
    assert open_files() <= before
