"""Policies that other distributions bring: found by their entry points, and refused with words where they are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.policies.installing import Site

if TYPE_CHECKING:
    from pathlib import Path

POLICY = '''"""Records of any name.

Why
    To be seen.
"""

from auditor.config import PolicySettings
from auditor.policies import Breach, RecordPolicy


class Settings(PolicySettings):
    """What the configuration may set."""


class Policy(RecordPolicy[Settings]):
    """Any record."""

    settings_type = Settings
    remediation = "None is needed."
    controls = ()

    def judge(self, record):
        return Breach(record, "Here is one.", {})
'''
CONFIGURATION = """version: 1
defaults: {role_name: R, regions: [us-east-1]}
accounts: [{id: "111122223333"}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("point", ["any-record = mine", "any-record = mine:Policy"])
def test_a_module_or_a_class_is_a_policy_like_those_built_in(site: Site, point: str) -> None:
    doc = (
        POLICY
        if point.endswith("mine")
        else POLICY.replace(
            '    """Any record."""', '    """Any record.\n\n    Why\n        To be seen.\n    """'
        )
    )
    site.install("mine", point, mine=doc)
    told = site.run("policies")
    assert told.returncode == 0, told.stderr
    assert "any-record" in told.stdout
    ended = site.audit()
    findings = [json.loads(line) for line in (site.folder / "run/findings.jsonl").read_text().splitlines()]
    assert ended.returncode == 1, ended.stderr
    assert {found["policy"] for found in findings} == {"any-record"}
    assert len(findings) == 4


@pytest.mark.parametrize(
    ("points", "module", "told"),
    [
        (
            "lame = lame",
            "raise SystemExit(3)",
            "policy lame (lame of the distribution mine 1.0): can't be imported",
        ),
        ("lame = lame", "import nothing_of_this_name", "can't be imported: ModuleNotFoundError"),
        ("lame = lame:Policy", "Policy = 3", "policy lame (lame:Policy of the distribution mine 1.0): "),
        ("lame = lame", '"""A page."""', "policy lame (lame of the distribution mine 1.0): "),
        (
            "lame = lame:Made",
            "import mine\nMade = type('Made', (mine.Policy,), {'__doc__': 'Made.', '__module__': 'nowhere'})",
            "its source is not there",
        ),
        (
            "stuck-export = mine",
            "",
            "two policies have the id stuck-export: one of auditor itself, one of the",
        ),
    ],
)
def test_what_is_no_policy_is_refused_with_the_distribution_it_is_of(
    site: Site, points: str, module: str, told: str
) -> None:
    site.install("mine", points, mine=POLICY, lame=module)
    (site.folder / "accounts.yaml").write_text(CONFIGURATION)
    for command in ("policies", "check", "run"):
        ended = site.run(command)
        assert ended.returncode == 2, ended.stderr
        assert told in ended.stderr
        assert "uninstall" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_two_distributions_with_one_id_are_both_named(site: Site) -> None:
    site.install("mine", "any-record = mine", mine=POLICY)
    site.install("yours", "any-record = yours", yours=POLICY)
    ended = site.run("policies")
    assert ended.returncode == 2
    assert "mine 1.0" in ended.stderr
    assert "yours 1.0" in ended.stderr


def test_an_expression_may_not_take_the_id_of_an_installed_policy(site: Site) -> None:
    site.install("mine", "any-record = mine", mine=POLICY)
    said = "policies:\n  any-record: {expression: 'record.state == \"x\"', severity: low, message: m, remediation: r}\n"
    (site.folder / "accounts.yaml").write_text(CONFIGURATION + said)
    ended = site.run("check")
    assert ended.returncode == 2
    assert "accounts.yaml:5: there is a policy 'any-record' already" in ended.stderr


@pytest.mark.parametrize(
    "crash",
    [
        "    def judge(self, record):\n        raise ZeroDivisionError\n",
        "    def __init__(self, *_):\n        raise ZeroDivisionError\n",
        "    def judge(self, record):\n        raise SystemExit(0)\n",
        "    def judge(self, record):\n        raise type('Mute', (Exception,), dict(__str__=None, __repr__=None))\n",
        "    def judge_of(self, target):\n        raise SystemExit(0)\n",
        "    @classmethod\n    def needs(cls, settings):\n        raise ZeroDivisionError\n",
        "    sources = frozenset({'ec2:DescribeNothing'})\n",
        "    def judge(self, record):\n        return Breach(record, 'Here.', {}, resource='arn:x')\n",
        "    def judge(self, record):\n        return Breach(record, 'Here.', {}, resource=Resource(None, '', ''))\n",
        "    def judge(self, record):\n        return Breach(record, 'Here.', {}, remediation=object())\n",
        "    def judge(self, record):\n        return Breach(record, 'Here.', {}, cost=1.5)\n",
        "    def judge(self, record):\n        return Breach(record, 'Here.', {}, cost=Cost(object(), '', '', ''))\n",
    ],
)
def test_one_that_raises_leaves_its_records_unjudged_and_the_run_goes_on(site: Site, crash: str) -> None:
    at = POLICY.index("    def judge")
    judge = "" if "def judge(" in crash else POLICY[at:]
    head = POLICY[:at].replace("import Breach, RecordPolicy", "import Breach, RecordPolicy, Resource")
    head = head.replace("from auditor.policies", "from auditor.model import Cost\nfrom auditor.policies")
    site.install("mine", "any-record = mine", mine=f"{head}{crash}\n{judge}")
    ended = site.audit()
    assert ended.returncode == 3, ended.stderr
    record = json.loads((site.folder / "run/run.json").read_text())
    assert record["totals"]["unjudged"]["by_policy"] == {"any-record": 4}
    assert "policy crashed" in ended.stderr


def test_one_that_names_the_records_among_its_sources_reads_them_once(site: Site) -> None:
    at = POLICY.index("    def judge")
    sources = "    sources = frozenset({'lightsail:GetExportSnapshotRecords'})\n\n"
    site.install("mine", "any-record = mine", mine=POLICY[:at] + sources + POLICY[at:])
    ended = site.audit()
    assert ended.returncode == 1, ended.stderr
    record = json.loads((site.folder / "run/run.json").read_text())
    assert record["totals"]["targets"]["planned"] == 1
    assert record["totals"]["findings"]["by_policy"] == {"any-record": 4}
