from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor

PAGE = Path(__file__).parents[2] / "docs" / "own-policies.md"
CONFIG, CASES, _ = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_examples_of_the_page_run(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(CONFIG)
    (tmp_path / "cases.yaml").write_text(CASES)
    assert auditor("check").code == 0
    ended = auditor("policies", "test", "-c", "accounts.yaml", "cases.yaml")
    assert (ended.code, ended.out) == (0, "3 cases: 3 passed, 0 failed\n")
    assert "public-image" in auditor("policies", "-c", "accounts.yaml").out
    assert "facts.image.public" in auditor("explain", "public-image", "-c", "accounts.yaml").out


def test_a_case_that_fails_says_what_was_expected_and_what_came(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(CONFIG)
    (tmp_path / "cases.yaml").write_text(CASES.replace("expect: none", "expect: finding"))
    ended = auditor("policies", "test", "-c", "accounts.yaml", "cases.yaml")
    assert ended.code == 1
    assert "  expected: finding\n  got: none\n" in ended.out


def test_faults_of_expressions_and_cases_have_their_lines(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(CONFIG.replace("image.public", "image.publik"))
    ended = auditor("check")
    assert ended.code == 2
    assert re.search(
        r"accounts.yaml:6: expression of public-image, line 1, column \d+: .*write public", ended.err
    )
    (tmp_path / "accounts.yaml").write_text(CONFIG.replace("public-image:", "oversized-disk:"))
    assert "there is a policy 'oversized-disk' already" in auditor("check").err
    (tmp_path / "cases.yaml").write_text("cases:\n  - expekt: none\n")
    ended = auditor("policies", "test", "cases.yaml")
    assert ended.code == 2
    assert "cases.yaml:2: unknown key 'expekt'; write expect" in ended.err
