"""What can't be shared out to workers as it was asked for is said before anything is begun."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditor.audit.crew_asked import scheduler_of

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, RunFolder, Serve

HINT = "the plan, ExternalIds included, would go in the clear to scheduler: use tls://"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--workers", "0"), "Invalid value for '--workers': 0 is not in the range x>=1."),
        (("--workers", "-1"), "Invalid value for '--workers': -1 is not in the range x>=1."),
        (
            ("--workers", "2", "--dask", "tcp://127.0.0.1:1"),
            "--dask uses those that there are: leave one of them out",
        ),
        (("--workers", "2", "--evidence"), "--workers: evidence is kept by one process"),
        (("--dask", "tcp://127.0.0.1:1", "--evidence"), "--dask: evidence is kept by one process"),
        (("--dask", "tcp://scheduler:8786"), HINT),
        (("--dask", "scheduler:8786"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
        (("--dask", "http://127.0.0.1:8786"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
        (("--dask", "tcp://127.0.0.1:0"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
        (("--dask", "tcp://"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
        (("--dask", "tcp://127.0.0.1:port"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
        (("--dask", "tls://me:canary@scheduler:8786"), "--dask: write tcp://HOST:PORT or tls://HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_refused(
    auditor: Auditor, serve: Serve, out: RunFolder, arguments: tuple[str, ...], told: str
) -> None:
    served = serve()
    ended = auditor("run", "-o", "out", *arguments)

    assert ended.code == 2
    assert told in ended.err
    assert "canary" not in ended.err
    assert not out.path.exists()
    assert list(served.calls) == []


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("tcp://127.0.0.1", "tcp://127.0.0.1:8786"),
        ("tls://scheduler/", "tls://scheduler:8786"),
        ("tls://[::1]", "tls://[::1]:8786"),
        ("tls://scheduler:9000", "tls://scheduler:9000"),
    ],
)
def test_a_scheduler_without_a_port_is_called_at_the_usual_one(asked: str, called: str) -> None:
    assert scheduler_of(asked) == called


def test_where_dask_is_not_installed_that_is_said_with_how_to_install_it(
    auditor: Auditor, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    monkeypatch.setitem(sys.modules, "distributed", None)

    ended = auditor("run", "-o", "out", "--workers", "2")

    assert ended.code == 2
    assert "auditor: --workers: Dask is not installed; install it: pip install '.[dask]'" in ended.err


def test_a_run_of_one_process_does_not_import_dask() -> None:
    program = "import sys, auditor, auditor.audit, auditor.cli.running; print({'dask', 'distributed'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
