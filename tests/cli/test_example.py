"""What accounts.example.yaml comments out can be written as it stands there: each block alone, and all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import auditor as package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Auditor

EXAMPLE = (Path(package.__file__).parent.parent / "accounts.example.yaml").read_text("utf-8").splitlines()
KEY = re.compile(r"(?P<indent> *)#(?P<gap> ?)(?P<key>[a-z][a-z_-]*):( |$)")
BESIDE = {"hub_external_id": ("hub_role_arn",), "destinations": ("history",)}
"""What a block is of no use without."""
INSTEAD = {"role_arn": "role_name"}
"""What a block takes the place of, at its own level."""


def blocks() -> Iterator[tuple[str, range]]:
    """Yield each key that is commented out, with the lines that belong to it: those that are set in deeper."""
    number = 0
    while number < len(EXAMPLE):
        begin = number
        number += 1
        if (key := KEY.match(EXAMPLE[begin])) is None:
            continue
        deeper = f"{key['indent']}#{key['gap']} "
        while number < len(EXAMPLE) and EXAMPLE[number].startswith(deeper):
            number += 1
        yield key["key"], range(begin, number)


BLOCKS = dict(blocks())


def written(*names: str, without: tuple[str, ...] = ()) -> str:
    """Return the example with these blocks written, and what they take the place of, or `without` names, left out."""
    lines = dict(enumerate(EXAMPLE))
    for name in names:
        key = KEY.match(EXAMPLE[BLOCKS[name][0]])
        assert key is not None
        for number in BLOCKS[name]:
            lines[number] = EXAMPLE[number].replace(f"#{key['gap']}", "", 1)
    text = "".join(f"{line}\n" for line in lines.values())
    for name in [INSTEAD[name] for name in names if name in INSTEAD]:
        text, count = re.subn(rf"^  {name}: .*\n", "", text, flags=re.MULTILINE)
        assert count == 1
    for name in without:
        text, count = re.subn(rf"^{name}:\n(?:[ #].*\n|\n)+?(?=[a-z#])", "", text, flags=re.MULTILINE)
        assert count == 1
    return text


def keys(text: str) -> set[str]:
    """Return every key of a document, at whatever depth."""
    root = yaml.compose(text, yaml.SafeLoader)
    assert root is not None
    return {key.value for mapping in nested(root) for key, _ in mapping.value}


def nested(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    match node:
        case yaml.MappingNode():
            yield node
            for _, value in node.value:
                yield from nested(value)
        case yaml.SequenceNode():
            for each in node.value:
                yield from nested(each)


@pytest.fixture(autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITOR_EXTERNAL_ID", "external-4711")
    monkeypatch.setenv("AUDIT_HOOK_KEY", "canary-of-the-signature")


def test_every_block_is_known() -> None:
    assert list(BLOCKS) == [
        "role_arn",
        "session_name",
        "hub_role_arn",
        "hub_external_id",
        "session_tags",
        "source_identity",
        "session_policy",
        "session_duration",
        "max_requests_per_second",
        "max_requests_per_second_per_region",
        "regions",
        "organization",
        "ignore_after",
        "failed-in-production",
        "history",
        "destinations",
        "waivers",
        "accepted_gaps",
    ]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_is_commented_out_can_be_written(auditor: Auditor, tmp_path: Path, name: str) -> None:
    text = written(name, *BESIDE.get(name, ()))
    assert name in keys(text)
    (tmp_path / "accounts.yaml").write_text(text, "utf-8")
    ended = auditor("check")
    assert (ended.code, "accounts.yaml is valid: " in ended.out) == (0, True), ended.err


def test_all_of_them_can_be_written_together(auditor: Auditor, tmp_path: Path) -> None:
    text = written(*BLOCKS)
    assert keys(text) >= BLOCKS.keys()
    (tmp_path / "accounts.yaml").write_text(text, "utf-8")
    ended = auditor("check")
    assert ended.code == 0, ended.err
    assert ", 14 policies, and those of the organization" in ended.out


def test_an_organization_can_take_the_place_of_the_list(auditor: Auditor, tmp_path: Path) -> None:
    text = written("organization", without=("accounts",))
    assert yaml.safe_load(text).keys() == {"version", "defaults", "organization", "policies", "limits"}
    (tmp_path / "accounts.yaml").write_text(text, "utf-8")
    ended = auditor("check")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("narrowed", "others"),
    [
        ("include", ("ous", "accounts", "names", "tags")),
        ("waivers", ("policy", "account", "region", "resource")),
        ("accepted_gaps", ("account", "region", "source", "reason")),
    ],
)
def test_what_a_block_is_narrowed_by_can_be_written_each_alone(
    auditor: Auditor, tmp_path: Path, narrowed: str, others: tuple[str, ...]
) -> None:
    text = written("organization", "waivers", "accepted_gaps")
    said = yaml.safe_load(text)
    (entry,) = [said["organization"]["include"]] if narrowed == "include" else said[narrowed]
    assert set(others) <= entry.keys()
    whole = dict(entry)
    for kept in others:
        entry.clear()
        entry.update({key: value for key, value in whole.items() if key == kept or key not in others})
        (tmp_path / "accounts.yaml").write_text(yaml.safe_dump(said), "utf-8")
        ended = auditor("check")
        assert ended.code == 0, ended.err
