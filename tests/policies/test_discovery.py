from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import auditor
from auditor.policies import catalogue

if TYPE_CHECKING:
    from pathlib import Path

POLICY = '''"""A policy that was just added.

Why
    To be found.
"""

from auditor.config import PolicySettings
from auditor.policies.contract import RecordPolicy


class Settings(PolicySettings):
    """What the configuration may set."""


class Policy(RecordPolicy[Settings]):
    """Finds nothing."""

    settings_type = Settings
    remediation = "None."

    def judge(self, record):
        return None
'''

TELL = """
import json
from auditor.policies import catalogue
print(json.dumps({id: [entry.title, entry.policy.__module__, entry.version] for id, entry in catalogue().items()}))
"""


@pytest.fixture
def a_copy(tmp_path: Path) -> Path:
    """The folder of a copy of the package, to which a module can be added."""
    (original,) = auditor.__path__
    shutil.copytree(original, tmp_path / "auditor", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_new_module_is_a_new_policy_and_no_file_is_edited(a_copy: Path) -> None:
    (a_copy / "auditor" / "policies" / "builtin" / "just_added.py").write_text(POLICY)
    command = [sys.executable, "-c", TELL]
    told = subprocess.run(command, cwd=a_copy, capture_output=True, check=True, text=True)
    policies = json.loads(told.stdout)
    assert sorted(policies) == sorted([*catalogue(), "just-added"])
    title, module, _ = policies["just-added"]
    assert (title, module) == ("A policy that was just added.", "auditor.policies.builtin.just_added")


def test_a_policy_whose_code_changes_by_a_byte_has_another_version(a_copy: Path) -> None:
    changed, *others = catalogue().values()
    name = changed.id.replace("-", "_")
    with (a_copy / "auditor" / "policies" / "builtin" / f"{name}.py").open("a") as module:
        module.write("#")
    command = [sys.executable, "-c", TELL]
    told = subprocess.run(command, cwd=a_copy, capture_output=True, check=True, text=True)
    policies = json.loads(told.stdout)
    assert policies[changed.id][2] != changed.version
    assert {each.id: each.version for each in others}.items() <= {
        policy_id: version for policy_id, (_, _, version) in policies.items()
    }.items()
