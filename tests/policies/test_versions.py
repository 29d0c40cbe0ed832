from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import auditor
from auditor.policies import catalogue
from auditor.policies.versions import code_version

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TELL = """
import json
from auditor.policies import built_in
print(json.dumps({id: entry.version for id, entry in built_in().items()}))
"""

BLUEPRINTS = {"unsupported-blueprint"}
PRICED = {"duplicate-export", "unused-export"}
# commands.py imports copies.py: so does a policy that imports commands.py alone.
ON_COPIES = {policy_id for policy_id in catalogue() if policy_id not in {"oversized-disk", "stuck-export"}}


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("end_of_life", BLUEPRINTS),
        ("prices", PRICED),
        ("copies", ON_COPIES - {"stale-failed-export"}),
        ("reasons", {"repeated-failure", "stale-failed-export"}),
        ("judging", set()),
    ],
)
def test_those_policies_have_another_version_that_use_what_changed(
    module: str, others: set[str], tmp_path: Path
) -> None:
    (original,) = auditor.__path__
    shutil.copytree(original, tmp_path / "auditor", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "auditor" / "policies" / f"{module}.py").open("a") as changed:
        changed.write("#")
    told = subprocess.run(
        [sys.executable, "-c", TELL], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    versions = json.loads(told.stdout)
    before = {policy_id: catalogue()[policy_id].version for policy_id in versions}
    assert {policy_id for policy_id in versions if versions[policy_id] != before[policy_id]} == others


@pytest.mark.parametrize(
    ("line", "covers"),
    [
        ("from auditor.policies.prices import storage_cost", True),
        ("from auditor.policies import prices", True),
        ("from auditor.policies import (\n    copies,\n    prices,\n)", True),
        ("import auditor.policies.prices", True),
        ("import json", False),
        ("from auditor.policies import RecordPolicy", False),
    ],
)
def test_a_module_of_ones_own_is_read_the_same_way(*, line: str, covers: bool, tmp_path: Path) -> None:
    module = _module(tmp_path, f"{line}\n")
    alone = hashlib.sha256(f"{line}\n".encode()).hexdigest()[:12]
    assert (code_version(module) != alone) is covers


def _module(folder: Path, text: str) -> ModuleType:
    path = folder / "own.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("own", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
