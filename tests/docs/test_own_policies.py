"""The policy in Python that docs/own-policies.md shows: installed as it says, it does what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.policies.installing import Site

PAGE = (Path(__file__).parents[2] / "docs" / "own-policies.md").read_text("utf-8")
PYTHON = PAGE[PAGE.index("\n## In Python\n") :]
ID = "unticketed-export"
MODULE = "acme_unticketed"


def shown(language: str) -> str:
    """The one example of this language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PYTHON, re.DOTALL)
    assert isinstance(text, str)
    return text


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Where the example is installed, as its pyproject.toml says, with its cases beside it."""
    project = tomllib.loads(shown("toml"))
    assert project["tool"]["setuptools"]["py-modules"] == [MODULE]
    assert f"The module, `{MODULE}.py`:" in PYTHON
    points = project["project"]["entry-points"]["auditor.policies"]
    assert list(points) == [ID]
    site = Site(tmp_path)
    site.install(
        project["project"]["name"],
        "\n".join(f"{name} = {value}" for name, value in points.items()),
        **{MODULE: shown("python")},
    )
    (tmp_path / "cases.yaml").write_text(shown("yaml"), "utf-8")
    return site


def test_its_cases_pass(site: Site) -> None:
    ended = site.run("policies", "test", "cases.yaml")
    assert (ended.returncode, ended.stdout) == (0, "5 cases: 5 passed, 0 failed\n"), ended.stderr
    assert {case["expect"] for case in yaml.safe_load(shown("yaml"))["cases"]} == {
        "finding",
        "none",
        "unjudged",
    }


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("        if image is None:\n            return None\n", ""),
        ("            return None\n        image =", "            pass\n        image ="),
        ('raise UnusableField("sourceInfo.name")', "return None"),
        ("image = known(record.facts.image)", "image = getattr(record.facts.image, 'value', None)"),
    ],
)
def test_its_cases_see_what_breaks_it(site: Site, right: str, wrong: str) -> None:
    text = shown("python")
    assert right in text
    (site.folder / f"{MODULE}.py").write_text(text.replace(right, wrong), "utf-8")
    ended = site.run("policies", "test", "cases.yaml")
    assert ended.returncode == 1, ended.stdout


def test_it_is_listed_explained_and_set_as_the_page_says(site: Site) -> None:
    assert re.search(
        rf"^{ID} +medium +An export that nobody asked for", site.run("policies").stdout, re.MULTILINE
    )
    assert "`project` (OPS): whose tickets count." in site.run("explain", ID).stdout
    (setting,) = re.findall(r"`(policies: \{unticketed-export: .*\})`", PYTHON)
    head = 'version: 1\ndefaults: {role_name: R}\naccounts: [{id: "111122223333"}]\n'
    (site.folder / "accounts.yaml").write_text(f"{head}{setting}\n", "utf-8")
    listed = site.run("policies", "-c", "accounts.yaml")
    assert re.search(rf"^{ID} +high ", listed.stdout, re.MULTILINE), listed.stderr
    ended = site.run("policies", "test", "-c", "accounts.yaml", "cases.yaml")
    assert ended.returncode == 1
    assert ": a ticket\n  expected: none\n  got: finding\n" in ended.stdout


def test_a_run_judges_by_it(site: Site) -> None:
    ended = site.audit(ID)
    assert ended.returncode == 1, ended.stderr
    findings = (site.folder / "run" / "findings.jsonl").read_text("utf-8")
    assert "was exported without a ticket." in findings
