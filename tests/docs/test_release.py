"""A release holds the package and nothing else, and its documents say what is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import auditor
from tests.docs.linters import BIN, OF_GITHUB, hold_to_commits, hold_to_schema, hold_to_zizmor

ROOT = Path(__file__).parents[2]
RELEASE = (ROOT / "docs" / "release.md").read_text("utf-8")
WORKFLOW = ROOT / "docs" / "release" / "github-actions.yml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def documented(tool: str) -> list[str]:
    """Return the documented command of this tool, as it stands in docs/release.md."""
    (line,) = re.findall(rf"^({tool} .*)$", RELEASE, re.MULTILINE)
    return str(line).split()


def locked() -> dict[str, str]:
    """Return the locked version of each dependency."""
    found = re.findall(
        r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE
    )
    return dict(found)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both packages by the documented command."""
    folder = tmp_path_factory.mktemp("dist")
    python, *rest = documented("python -m build")
    assert python == "python"
    command = [sys.executable, *rest, "--outdir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def package_files() -> set[str]:
    """Return every file of the package."""
    files = (path for path in (ROOT / "auditor").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_a_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    info = f"auditor-{auditor.__version__}.dist-info"
    own = {
        f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert names == package_files() | own
    assert {"auditor/py.typed", "auditor/formats/report/page.html"} <= names


def test_an_sdist_holds_what_a_wheel_is_made_of_and_nothing_else(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    top = f"auditor-{auditor.__version__}"
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(f"{top}/") for member in archive if member.isfile()}
    assert names == package_files() | {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}


def test_the_package_can_not_be_uploaded_under_a_name_that_is_another_s() -> None:
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.*"))]:
        text = page.read_text("utf-8")
        assert not re.search(
            r"pip install (?:-\S+ )*['\"]?auditor(?![\w.-]*\.(?:whl|tar))\b(?!`? would)", text
        ), page


def test_the_documents_name_every_extra() -> None:
    named = re.search(r"There are (`[^.]*)\.", RELEASE)
    assert named is not None
    assert re.findall(r"`([a-z]+)`", named[1]) == sorted(PROJECT["optional-dependencies"])


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    entries = re.findall(r"^## (\S+) ", (ROOT / "docs" / "changelog.md").read_text("utf-8"), re.MULTILINE)
    assert entries[0] == auditor.__version__


def test_the_program_says_its_version() -> None:
    ended = subprocess.run([str(BIN / "auditor"), "--version"], check=True, capture_output=True, text=True)
    assert ended.stdout == f"auditor, version {auditor.__version__}\n"


def test_the_sbom_is_valid_and_names_all_that_is_locked(tmp_path: Path) -> None:
    command = documented("cyclonedx-py")
    written = tmp_path / command[-1]
    subprocess.run(
        [str(BIN / command[0]), *command[1:-1], str(written)], cwd=ROOT, check=True, capture_output=True
    )
    text = written.read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert told["metadata"]["component"]["name"] == "auditor"
    assert {each["name"]: each["version"] for each in told["components"]} == locked()
    assert all(
        any(source.get("hashes") for source in each["externalReferences"]) for each in told["components"]
    )


def test_the_workflow_is_what_github_s_schema_says() -> None:
    hold_to_schema(WORKFLOW, OF_GITHUB)


def test_zizmor_finds_nothing_in_the_workflow() -> None:
    hold_to_zizmor(WORKFLOW)


def test_each_action_is_pinned_to_a_commit() -> None:
    hold_to_commits(WORKFLOW)


def test_the_workflow_does_what_the_documents_say() -> None:
    told = WORKFLOW.read_text("utf-8")
    for tool in ("pip-audit", "python -m build"):
        assert " ".join(documented(tool)) in told
    assert "cyclonedx-py requirements requirements.lock" in told
