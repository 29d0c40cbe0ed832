"""`auditor simulate`: an estate that stays, and the environment that points a client at it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Auditor, RunFolder, Spawn, Started


def environ_printed(started: Started) -> dict[str, str]:
    """What a shell would take from what it prints."""
    printed = started.out_until("# Ctrl-C ends it.")
    exports = [shlex.split(line) for line in printed if line.startswith("export ")]
    return dict(word.split("=", 1) for _, word in exports)


def test_what_it_prints_is_all_that_an_audit_of_it_needs_and_ctrl_c_ends_it(
    spawn: Spawn, auditor: Auditor, out: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = spawn("simulate", "--port", "0", "--write-config", "sim.yaml")
    for name, value in environ_printed(simulator).items():
        monkeypatch.setenv(name, value)
    assert (
        auditor("check", "-c", "sim.yaml").out == "sim.yaml is valid: 6 accounts, 240 targets, 13 policies\n"
    )
    ended = auditor("run", "-c", "sim.yaml", "-o", "out", "--quiet")
    assert ended.code == 3
    assert out.run["totals"]["targets"]["complete"] >= 15
    assert out.run["totals"]["findings"]["total"] == len(out.findings) > 0
    assert {line["reason"] for line in out.coverage} >= {"role-not-assumable", "page-token-loop"}

    stopped = simulator.ended_by()
    assert (stopped.code, stopped.out, stopped.err) == (0, "# Ended.\n", "")


def test_a_seed_makes_another_estate_in_every_region_in_which_nothing_fails(
    spawn: Spawn, auditor: Auditor, out: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--seed", "5", "--accounts", "2", "--write-config", "sim.yaml")
    simulator = spawn("simulate", "--port", "0", *options)
    for name, value in environ_printed(simulator).items():
        monkeypatch.setenv(name, value)
    ended = auditor("run", "-c", "sim.yaml", "-o", "out", "--quiet")
    assert ended.code == 1
    assert out.run["totals"]["accounts"] == 2
    assert out.run["scope"]["regions_not_planned"] == []
    assert {line["verdict"] for line in out.coverage} == {"complete", "skipped"}
    assert simulator.ended_by().code == 0


def test_a_configuration_that_stands_there_already_is_not_overwritten(
    auditor: Auditor, tmp_path: Path
) -> None:
    (tmp_path / "sim.yaml").write_text("mine", "utf-8")
    ended = auditor("simulate", "--port", "0", "--write-config", "sim.yaml")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "auditor: sim.yaml: exists already; name another file, or move it away",
        "auditor: exit 2: nothing was audited",
    ]
    assert (tmp_path / "sim.yaml").read_text("utf-8") == "mine"
