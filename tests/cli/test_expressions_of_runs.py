from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, RunFolder, Serve, Spawn

CONFIG = """\
version: 1
defaults: {role_name: LightsailExportAuditor}
accounts: [{id: "111122223333"}]
policies:
  failed:
    expression: record.state == "Failed"
    message: "{record.name} failed"
    remediation: Export it again.
"""

WITHOUT = """
import sys


class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in MISSING else self.finder.find_spec(name, path, target)


MISSING = sys.argv.pop(1).split(",")
sys.meta_path[:] = map(Without, sys.meta_path)
from auditor.cli import main
main()
"""


@pytest.mark.parametrize("missing", ["cel_expr_python,google", "cel_expr_python", "google"])
@pytest.mark.parametrize("command", [("run", "-o", "out"), ("check",), ("policies",)])
def test_without_the_extra_a_command_names_it_and_how_to_install_it(
    command: tuple[str, ...], missing: str, spawn: Spawn, tmp_path: Path
) -> None:
    (tmp_path / "accounts.yaml").write_text(CONFIG)
    program = (sys.executable, "-c", WITHOUT, missing)
    ended = spawn(*command, "-c", "accounts.yaml", program=program).ended()
    assert ended.code == 2
    assert ended.err.startswith("auditor: accounts.yaml:5: expression of failed: ")
    assert "not installed; install it: pip install '.[cel]', with auditor's checkout" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()


def test_without_the_extra_what_needs_no_expression_goes_on(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(CONFIG.partition("policies:")[0])
    program = (sys.executable, "-c", WITHOUT, "cel_expr_python,google")
    ended = spawn("check", program=program).ended()
    assert ended.code == 0, ended.err


def test_a_division_by_zero_on_some_records_leaves_those_unjudged_and_the_run_goes_on(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    with served.config.open("a") as config:
        config.write("""\
  divided:
    expression: '10 / (record.state == "Failed" ? 0 : 5) == 2'
    message: "{record.name} was divided"
    remediation: None.
""")
    failed = Counter(
        (account.id, region)
        for account in served.estate.accounts
        for region, records in account.records.items()
        for record in records
        if record["state"] == "Failed"
    )
    count = failed.total()
    ended = auditor("run", "-o", "out", "--fail-on", "none", "--log-format", "console", "--quiet")
    assert ended.code == 3, ended.err
    assert ended.last == f"auditor: exit 3: {count} record(s) could not be judged, 0 allowed"
    assert f"{count} record(s) could not be judged (divided: {count})" in ended.out
    totals = out.run["totals"]
    assert totals["unjudged"] == {"records": count, "by_policy": {"divided": count}}
    assert {
        (line["account_id"], line["region"]): line["unjudged"] for line in out.coverage if line["unjudged"]
    } == {place: {"divided": of_place} for place, of_place in failed.items()}
    assert {line["verdict"] for line in out.coverage} == {"complete"}
    divided = [each for each in out.findings if each["policy"] == "divided"]
    assert 0 < len(divided) == totals["records"] - count
