from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from auditor.audit.start import run_start
from auditor.inventory import Filters, policies_of
from auditor.library import load_config
from auditor.model import Control, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.formats import RunStart

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
BEGINNING = """version: 1
accounts:
  - id: "111122223333"
    role_name: Auditor
"""
POLICIES = """policies:
  stuck-export: {max_age: 24h, severity: low}
  # a comment
  large-image:
    expression: record.state == "Failed"
    message: It failed.
    remediation: Look.
    controls: [{framework: NIST, id: CM-8}]
"""


def start_of(folder: Path, text: str, filters: Filters | None = None) -> RunStart:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    config = load_config(path, {})
    filters = filters or Filters()
    return run_start("run-1", NOW, config, filters, policies_of(config, filters))


def test_a_start_says_what_the_run_is(tmp_path: Path) -> None:
    start = start_of(tmp_path, BEGINNING)
    assert (start.run_id, start.started_at) == ("run-1", "2025-03-01T12:00:00Z")
    assert start.config_path == str(tmp_path / "mine.yaml")
    assert not start.is_subset
    assert start.filters == {"policies": (), "accounts": (), "regions": ()}


def test_a_start_points_at_the_line_that_sets_a_policy(tmp_path: Path) -> None:
    policies = start_of(tmp_path, BEGINNING + POLICIES).policies
    lines = (BEGINNING + POLICIES).splitlines()
    assert lines[policies["stuck-export"].line - 1].startswith("  stuck-export:")
    assert lines[policies["large-image"].line - 1].startswith("  large-image:")
    assert lines[policies["unused-export"].line - 1] == "policies:"


def test_without_policies_in_the_file_each_is_at_its_first_line(tmp_path: Path) -> None:
    assert {policy.line for policy in start_of(tmp_path, BEGINNING).policies.values()} == {1}


def test_a_start_tells_of_each_policy_what_a_receiver_of_its_findings_asks(tmp_path: Path) -> None:
    policies = start_of(tmp_path, BEGINNING + POLICIES).policies
    stuck, own = policies["stuck-export"], policies["large-image"]
    assert stuck.title == "An export to EC2 that started, and never came to an end."
    assert stuck.description.startswith("AWS documents no time that an export takes")
    assert stuck.description.endswith("whoever waits for it is not told.")
    assert stuck.severity is Severity.LOW
    assert own.description.startswith("Records of which this is true:")
    assert (own.remediation, own.controls) == ("Look.", (Control("NIST", "CM-8", "organisational"),))


@pytest.mark.parametrize(
    "filters",
    [
        Filters(policies=("stuck-export",)),
        Filters(accounts=("111122223333",)),
        Filters(regions=("us-east-1",)),
    ],
    ids=["policies", "accounts", "regions"],
)
def test_a_run_that_is_confined_is_a_subset(tmp_path: Path, filters: Filters) -> None:
    start = start_of(tmp_path, BEGINNING, filters)
    assert start.is_subset
    assert start.filters == {
        "policies": filters.policies,
        "accounts": filters.accounts,
        "regions": filters.regions,
    }


def test_every_policy_there_is_has_a_reason_in_its_start(tmp_path: Path) -> None:
    policies = start_of(tmp_path, BEGINNING).policies
    assert len(policies) > 10
    for policy in policies.values():
        assert policy.description != policy.title, policy.id
