"""Promises that every policy keeps, those added later included."""

from __future__ import annotations

import json
import re
import unicodedata
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import PolicySettings, parse_duration
from auditor.model import shown
from auditor.policies import RecordPolicy, TargetPolicy, builtin, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.policies import Entry, Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]

KINDS = ("Breaks it", "Keeps it", "Can't be judged")
SECTIONS = ["Why", "What it finds", "Settings", "What to do", "Examples"]
HOSTILE = "=cmd|'\x1b[2J\r\n\x00\x7f\x9b\u2028\u202e\u2066<b>\U000e0041\ud800"

every_policy = pytest.mark.parametrize("entry", catalogue().values(), ids=list(catalogue()))


def sections(entry: Entry) -> dict[str, str]:
    """The page's sections: a heading stands at the margin, what belongs to it is indented."""
    found: dict[str, str] = {}
    heading = ""
    for line in entry.text.splitlines()[1:]:
        if line and not line.startswith(" "):
            heading = line
            found[heading] = ""
        else:
            found[heading] = found.get(heading, "") + line + "\n"
    return {heading: text for heading, text in found.items() if heading}


def examples(entry: Entry) -> Iterator[tuple[str, str, list[Any]]]:
    """Each block of the page's examples: its kind, what it is of, and its records."""
    blocks: list[tuple[str, list[str]]] = []
    for line in sections(entry)["Examples"].splitlines():
        if re.match(" {4}[^ ]", line):
            blocks.append((line.strip(), []))
        elif blocks:
            blocks[-1][1].append(line)
    for title, lines in blocks:
        kind = next((kind for kind in KINDS if title.startswith(kind)), "")
        assert kind, f"{title!r}: an example of no kind"
        assert title.endswith("::"), f"{title!r}: what follows is no literal block"
        yield kind, title, list(values("\n".join(lines)))


def values(text: str) -> Iterator[Any]:
    """JSON values that stand one after the other."""
    decoder = json.JSONDecoder()
    place = 0
    while rest := text[place:].lstrip():
        value, used = decoder.raw_decode(rest)
        yield value
        place = len(text) - len(rest) + used


def as_records(raws: list[Any], now: datetime) -> list[Any]:
    """The records of an example, its relative times made real, and each with an ARN."""
    records = deepcopy(raws)
    for number, record in enumerate(records):
        record.setdefault("arn", f"arn:record:{number}")
        if "createdAt" in record:
            back, _, word = record["createdAt"].partition(" ")
            assert word == "ago"
            record["createdAt"] = (now - parse_duration(back)).timestamp()
    return records


def breaking(entry: Entry, now: datetime) -> Iterator[list[Any]]:
    yield from (as_records(raws, now) for kind, _, raws in examples(entry) if kind == "Breaks it")


def with_hostile_names(record: dict[str, Any]) -> dict[str, Any]:
    source = record.get("sourceInfo", {}) | {"name": HOSTILE}
    return record | {"name": HOSTILE, "sourceInfo": source}


def with_hostile_arns_alone(record: dict[str, Any]) -> dict[str, Any]:
    source = {key: value for key, value in record.get("sourceInfo", {}).items() if key != "name"}
    return record | {"arn": HOSTILE, "name": None, "sourceInfo": source | {"arn": HOSTILE}}


def test_every_module_of_the_room_is_a_policy_whose_id_is_its_name_with_hyphens() -> None:
    (folder,) = builtin.__path__
    modules = {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}
    assert modules, "the room is empty"
    assert {policy_id.replace("-", "_") for policy_id in catalogue()} == modules
    for policy_id, entry in catalogue().items():
        assert entry.id == policy_id
        assert entry.policy.__module__ == f"auditor.policies.builtin.{policy_id.replace('-', '_')}"
        assert "_" not in policy_id


def test_policies_stand_in_the_order_of_their_ids() -> None:
    assert list(catalogue()) == sorted(catalogue())


@every_policy
def test_a_policy_is_of_one_kind_and_has_settings_of_its_own(entry: Entry) -> None:
    assert issubclass(entry.policy, RecordPolicy) != issubclass(entry.policy, TargetPolicy)
    assert issubclass(entry.settings_type, PolicySettings)
    assert entry.settings_type is not PolicySettings
    assert entry.settings_type().enabled, "a policy that is named nowhere is on"


@every_policy
def test_its_version_is_that_of_its_code(entry: Entry) -> None:
    assert re.fullmatch("[0-9a-f]{12}", entry.version)
    assert len({each.version for each in catalogue().values()}) == len(catalogue())


@every_policy
def test_its_page_has_a_title_and_every_section_in_order(entry: Entry) -> None:
    assert list(sections(entry)) == SECTIONS
    assert entry.title.endswith(".")
    assert all(text.strip() for text in sections(entry).values())


@every_policy
def test_its_page_tells_every_setting_with_its_true_default(entry: Entry) -> None:
    told = dict(re.findall(r"^ {4}`(\w+)` \(([^)]*)\)", sections(entry)["Settings"], re.MULTILINE))
    fields = entry.settings_type.model_fields
    # `enabled` is the same for every policy, and told where all are told of.
    assert set(told) == set(fields) - {"enabled"}
    for name, text in told.items():
        default = fields[name].default
        match default:
            case None:
                assert text == "off"
            case timedelta():
                assert parse_duration(text) == default
            case _:
                assert text == str(default)


@every_policy
def test_it_says_what_to_do_and_which_controls_it_serves(entry: Entry) -> None:
    assert entry.policy.remediation.strip().endswith(".")
    assert entry.policy.controls
    for control in entry.policy.controls:
        assert control.framework
        assert control.id
        assert control.mapping in {"direct", "vendor", "organisational"}


@every_policy
def test_it_has_an_example_of_every_kind(entry: Entry) -> None:
    assert {kind for kind, _, _ in examples(entry)} == set(KINDS)
    assert all(raws for _, _, raws in examples(entry))


@every_policy
def test_its_examples_are_true(entry: Entry, judge: Judge, now: datetime) -> None:
    for kind, title, raws in examples(entry):
        found, unjudged = judge(entry.id, *as_records(raws, now))
        became = ("Breaks it" if found else "Keeps it") if not unjudged else "Can't be judged"
        assert became == kind, title


@every_policy
@pytest.mark.parametrize("raw", [{}, None, [], [{}], "", "text", 0, 1.5, True], ids=repr)
def test_what_says_nothing_never_passes(entry: Entry, raw: object, judge: Judge) -> None:
    assert judge(entry.id, raw) == ([], {entry.id: 1})


@every_policy
def test_an_arn_alone_never_passes(entry: Entry, judge: Judge) -> None:
    assert judge(entry.id, {"arn": "arn:record"}) == ([], {entry.id: 1})


@every_policy
@pytest.mark.parametrize("arn", [None, "", 1, True, ["arn:record"], {}], ids=repr)
def test_what_breaks_it_but_has_no_arn_is_unjudged(
    entry: Entry, arn: object, judge: Judge, now: datetime
) -> None:
    for records in breaking(entry, now):
        nameless = [record | {"arn": arn} for record in records]
        assert judge(entry.id, *nameless) == ([], {entry.id: len(records)})


@every_policy
def test_nothing_that_it_says_changes_from_night_to_night(entry: Entry, judge: Judge, now: datetime) -> None:
    for records in breaking(entry, now):
        tonight, _ = judge(entry.id, *records, at=now)
        for later in (timedelta(seconds=1), timedelta(days=1), timedelta(days=99)):
            then, _ = judge(entry.id, *records, at=now + later)
            said = [(each.breach.message, each.breach.evidence) for each in tonight]
            assert [(each.breach.message, each.breach.evidence) for each in then] == said


@every_policy
@pytest.mark.parametrize("made_hostile", [with_hostile_names, with_hostile_arns_alone])
def test_its_message_shows_nothing_hostile_raw(
    entry: Entry, made_hostile: Callable[[Any], dict[str, Any]], judge: Judge, now: datetime
) -> None:
    for records in breaking(entry, now):
        found, _ = judge(entry.id, *map(made_hostile, records))
        assert found
        for each in found:
            message = each.breach.message
            assert shown(message) == message
            assert {unicodedata.category(char) for char in message} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


@every_policy
def test_its_evidence_can_be_written_as_json(entry: Entry, judge: Judge, now: datetime) -> None:
    for records in breaking(entry, now):
        for each in judge(entry.id, *records)[0]:
            assert each.breach.evidence
            assert json.loads(json.dumps(each.breach.evidence)) == each.breach.evidence
