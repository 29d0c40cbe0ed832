"""A soak of seconds: `python -m tests.fire soak` is the one of half an hour."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fire.soaking import ROOT, SLACK

SHORT = """
import json
from dataclasses import asdict
from tests.fire.soaking import soak
print(json.dumps(asdict(soak(seconds=12, lifetime=3, seed=3, tell=lambda _: None))))
"""


@pytest.mark.timeout(120)  # a night, and a deadline, more than the seconds that are asked for
def test_nights_beside_a_long_run_lose_nothing_and_say_nothing_that_the_ledger_does_not() -> None:
    # A process of its own: it counts all that the process has open.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHORT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    come = json.loads(done.stdout)
    assert come["wrong"] == []
    # Accounts that go are gaps, or findings that are not all of them; sessions that end are neither.
    assert set(come["exits"]) <= {"1", "3", "4"}
    assert come["roles_of_an_account"] >= come["long_seconds"] / 3 - 1
    assert come["loud"] > 0
    files = [sample["files"] for sample in come["samples"]]
    assert files[-1] <= files[0] + SLACK
