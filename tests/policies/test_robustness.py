from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.config import PolicySettings
from auditor.model import ExportRecord
from auditor.policies import Entry, Judgement, Panel, TargetPolicy, catalogue

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


class BeginsBadly(TargetPolicy[PolicySettings]):
    settings_type = PolicySettings
    remediation = "None."

    def begin(self) -> Judgement:
        raise ZeroDivisionError("a bug")


def test_a_policy_that_raises_when_it_begins_leaves_the_target_unjudged_by_it() -> None:
    entries = {"broken": Entry("broken", BeginsBadly, "A page.", "0")}
    crashes: list[Any] = []
    judge = Panel(entries, {"broken": PolicySettings()}, NOW).begin(crashes.append)
    judge.judge([ExportRecord({"arn": "arn:1"})])
    judge.conclude(complete=True)
    assert judge.unjudged == {"broken": 1}
    assert [crash.policy for crash in crashes] == ["broken"]


def judge_disk(size: object) -> Any:
    entries = catalogue()
    crashes: list[Any] = []
    settings = entries["oversized-disk"].settings_type()
    judge = Panel(entries, {"oversized-disk": settings}, NOW).begin(crashes.append)
    source = {
        "resourceType": "DiskSnapshot",
        "fromResourceName": "db",
        "diskSnapshotInfo": {"sizeInGb": size},
    }
    found = judge.judge([ExportRecord({"arn": "arn:1", "sourceInfo": source})])
    return found, judge.unjudged, crashes


@pytest.mark.parametrize("size", [math.nan, math.inf, 10**400, -1, -640.0])
def test_a_size_that_no_disk_has_is_unjudged(size: object) -> None:
    assert judge_disk(size) == ([], {"oversized-disk": 1}, [])


def test_a_block_disk_is_listed_under_the_name_of_what_it_was_made_from() -> None:
    (found,), _, _ = judge_disk(16_000)
    (disk,) = found.breach.evidence["disks"]
    assert disk["name"] == "db"
