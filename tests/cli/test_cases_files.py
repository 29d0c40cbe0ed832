"""Files of cases that can't be used: told for what they are, with their line, and no case of them passes unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor

HEAD = "policy: stuck-export\nnow: 2026-11-23T12:00:00Z\ncases:\n"
ONE = "auditor: exit 2: 1 problem in the cases; nothing was tested"
BEGIN = "write cases: and a list below it, as docs/own-policies.md shows"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", f"cases.yaml: is empty; {BEGIN}"),
        ("# nothing\n", f"cases.yaml: holds nothing but comments; {BEGIN}"),
        ("x" * (4 * 1024 * 1024 + 1), "cases.yaml: is larger than 4 MiB; split the cases over several files"),
        ("cases: []\n", "cases.yaml:1: there are no cases; write cases: and a list below it"),
        (HEAD + "  - 3\n", "cases.yaml:4: case 1 is a value; write keys, such as record and expect"),
        (
            HEAD + "  - {records: [], expect: none}\n",
            "cases.yaml:4: records is empty; write a record below it",
        ),
        (HEAD + "  - {records: 3, expect: none}\n", "cases.yaml:4: records is no list; write one record"),
        (
            HEAD + "  - {record: null, expect: none}\n",
            "cases.yaml:4: a record is a mapping; write it as AWS's",
        ),
        (
            "version: 1\n" + HEAD + "  - {record: {}, expect: unjudged}\n",
            "cases.yaml:1: unknown key 'version'; ",
        ),
        (
            HEAD + "  - {record: {}, expect: none, region: [x]}\n",
            "cases.yaml:4: region is no text; write it in quotes",
        ),
        (
            HEAD.replace("stuck", "stuk") + "  - {record: {}, expect: none}\n",
            "cases.yaml:1: unknown policy 'stuk-export'; write stuck-export",
        ),
    ],
)
def test_a_file_of_cases_is_refused_as_one_and_not_as_the_configuration(
    auditor: Auditor, tmp_path: Path, content: str, told: str
) -> None:
    (tmp_path / "cases.yaml").write_text(content, "utf-8")
    ended = auditor("policies", "test", "cases.yaml")
    assert (ended.code, ended.out) == (2, "")
    said, last = ended.err.splitlines()
    assert said.startswith(f"auditor: {told}")
    assert last == ONE


def test_a_case_of_no_keys_is_none_that_passes(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(HEAD + "  - {}\n", "utf-8")
    ended = auditor("policies", "test", "cases.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert "cases.yaml:4: this case has no expect; write expect: finding, none or unjudged" in ended.err
    assert "cases.yaml:4: write one of record, and records with a list" in ended.err
    assert ended.last == "auditor: exit 2: 2 problems in the cases; nothing was tested"


def test_faults_of_several_files_are_told_at_once(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(HEAD, "utf-8")
    ended = auditor("policies", "test", "first.yaml", "nope.yaml")
    assert ended.err.splitlines() == [
        "auditor: first.yaml:3: there are no cases; write cases: and a list below it",
        "auditor: nope.yaml: no such file; name a file of cases, as docs/own-policies.md shows one",
        "auditor: exit 2: 2 problems in the cases; nothing was tested",
    ]


def test_a_configuration_that_can_t_be_used_is_called_so_all_the_same(
    auditor: Auditor, tmp_path: Path
) -> None:
    (tmp_path / "cases.yaml").write_text(HEAD, "utf-8")
    ended = auditor("policies", "test", "-c", "nope.yaml", "cases.yaml")
    assert ended.err.splitlines() == [
        "auditor: nope.yaml: no such file; copy accounts.example.yaml and fill in your accounts, or name yours with -c",
        "auditor: exit 2: 1 problem in the configuration; nothing was audited",
    ]


def test_evidence_of_any_size_is_compared_and_shown(auditor: Auditor, tmp_path: Path) -> None:
    case = "  - {record: {state: Started, createdAt: 5}, expect: finding, evidence: {state: 1%s}}\n" % (
        "0" * 30
    )
    (tmp_path / "cases.yaml").write_text(HEAD + case, "utf-8")
    ended = auditor("policies", "test", "cases.yaml")
    assert (ended.code, ended.last) == (1, "auditor: exit 1: 1 of 1 cases failed")
    assert f'  expected in the evidence: {{"state":1{"0" * 30}}}\n' in ended.out
    assert '  got: {"state":"Started","created_at":"1970-01-01T00:00:05Z","max_age":"1d"}\n' in ended.out
