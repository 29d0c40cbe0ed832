"""The threat table names tests that there are, a row each at the least, and what it says of the locks is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| threat |")
]


def collected(file: str) -> set[str]:
    """Return the names of the tests that pytest collects of a file."""
    assert Path(file).name.startswith("test_"), f"pytest collects nothing of {file}"
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {each.name for each in functions if each.name.startswith("test_")}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED.findall(PAGE)}))
def test_each_test_that_is_named_is_there(file: str) -> None:
    named = {test for of, test in NAMED.findall(PAGE) if of == file}
    assert named - collected(file) == set()


def test_each_threat_has_what_holds_it_and_a_test() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        threat, holds, shown = row
        assert threat
        assert holds
        assert NAMED.findall(shown), threat
        assert NAMED.sub("", shown).replace(",", "").strip() == "", threat


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", ".ci/hadolint.lock"])
def test_everything_that_is_locked_has_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
