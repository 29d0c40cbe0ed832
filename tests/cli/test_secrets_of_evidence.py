"""Credentials, tokens and ExternalIds in nothing of the evidence, unpacked: not even where AWS itself tells them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import FaultKind
from tests.cli.test_secrets import Quoting, quoting, searched, secrets_of, served
from tests.evidence.unpacking import unpacked

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.cli.conftest import Process, Served

__all__ = ["quoting", "served"]  # fixtures


def index_of(held: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in held["evidence/index.jsonl.zst"].splitlines()]


def test_no_secret_stands_in_the_evidence(process: Process, served: Served, tmp_path: Path) -> None:
    ended = process("run", "-o", "out", "-f", "json", "--evidence", "--log-level", "debug")
    assert ended.code == 3
    assert {call.fault for call in served.calls} >= {FaultKind.EXPIRED, FaultKind.RESET}
    held = unpacked(tmp_path / "out")
    assert {name.partition("-")[0] for name in held} >= {"evidence/answers", "evidence/index.jsonl.zst"}
    found = {
        (what, name)
        for name, raw in held.items()
        for what, _ in searched(raw.decode("utf-8", "replace"), served)
        if what != "page token"  # AWS's own, of no use to others, and they stand in the answers as these came
    }
    assert found == set()
    told = index_of(held)
    # The refused role, the role given without its body, and the Region that is off: each is told of.
    assert {
        (line["reason"], line["status"], line["withheld"]) for line in told if line["region"] is None
    } >= {
        (None, 200, True),
        ("access-denied", 403, False),
    }
    assert {"sts:AssumeRole", "sts:GetCallerIdentity", "account:ListRegions"} <= {
        line["source"] for line in told
    }
    assert len(list(secrets_of(served))) > 10


@pytest.mark.parametrize("refused", ["Refused", "Lister"])
def test_an_answer_that_quotes_an_external_id_is_withheld_and_told_of(
    process: Process, quoting: type[Quoting], tmp_path: Path, refused: str
) -> None:
    quoting.refused = refused
    process("run", "-o", "out", "--evidence", "--log-level", "debug")
    held = unpacked(tmp_path / "out")
    assert {name for name, raw in held.items() if b"canary" in raw} == set()
    told = index_of(held)
    withheld = [line for line in told if line["withheld"] and line["status"] != 200]
    assert {line["reason"] for line in withheld} == {"access-denied"}
    assert all(line["length"] == 0 for line in withheld)
    asked = [line["request"] for line in told if line["source"] == "sts:AssumeRole"]
    assert asked
    assert all(set(request) >= {"RoleArn", "RoleSessionName"} for request in asked)
    assert all("ExternalId" not in request for request in asked)
