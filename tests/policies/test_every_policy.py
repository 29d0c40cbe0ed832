"""Promises that every policy keeps, those added later included."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore import xform_name
from botocore.session import Session

from auditor.config import PolicySettings, parse_duration
from auditor.errors import UnknownFact, UnusableField
from auditor.model import (
    DISK_SNAPSHOTS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    NOT_ASKED,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
    ExportRecord,
    Facts,
    shown,
)
from auditor.policies import RecordPolicy, TargetPolicy, builtin, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.policies import Entry, Found, Policy

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]
    MakeFacts = Callable[..., Facts]
    Cases = Callable[..., list[tuple[list[ExportRecord], dict[str, Any]]]]

KINDS = ("Breaks it", "Keeps it", "Can't be judged")
SECTIONS = ["Why", "What it finds", "Settings", "What to do", "Examples"]
SOURCES = {
    "image": {IMAGES},
    "snapshots": {SNAPSHOTS},
    "volumes": {VOLUMES},
    "shared_with": {IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS},
    "operation": {OPERATIONS},
    "stacks": {STACK_RECORDS},
    "source": {INSTANCE_SNAPSHOTS, DISK_SNAPSHOTS},
}
"""Each fact, and the sources that tell it."""
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


class Example(NamedTuple):
    """One block of the page's examples.

    A value of it is a record as AWS gives it, or `{"record": …, "facts": …}` where facts are known of it; before them
    may stand the settings that it is of, as `{"settings": …}`. Of the facts see the fixture of that name.
    """

    kind: str
    title: str
    settings: dict[str, Any]
    records: list[tuple[Any, dict[str, Any]]]
    """What AWS gave, and what is known beside it."""


def examples(entry: Entry) -> Iterator[Example]:
    """Each block of the page's examples."""
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
        settings: dict[str, Any] = {}
        records: list[tuple[Any, dict[str, Any]]] = []
        for value in values("\n".join(lines)):
            if "settings" in value:
                assert not records, f"{title!r}: settings stand before the records"
                settings = value["settings"]
            elif "record" in value:
                assert set(value) == {"record", "facts"}, f"{title!r}: a record and its facts"
                records.append((value["record"], value["facts"]))
            else:
                records.append((value, {}))
        yield Example(kind, title, settings, records)


def values(text: str) -> Iterator[Any]:
    """JSON values that stand one after the other."""
    decoder = json.JSONDecoder()
    place = 0
    while rest := text[place:].lstrip():
        value, used = decoder.raw_decode(rest)
        yield value
        place = len(text) - len(rest) + used


UNASKED = dict.fromkeys(("volumes", "stacks"), NOT_ASKED)
"""What is not looked up for a record of which no policy asks more than its copy."""


def asks(policy: Policy[Any], record: ExportRecord) -> bool:
    """Whether it asks more of this record; one that can't tell does."""
    try:
        return policy.asks(record)
    except (UnknownFact, UnusableField):
        return True


Case = tuple[list[ExportRecord], dict[str, Any]]


@pytest.fixture(scope="session")
def cases(now: datetime, facts: MakeFacts) -> Cases:
    """`cases(entry, kind, …)` → the records and the settings of each example of these kinds."""

    def of(entry: Entry, *kinds: str) -> list[Case]:
        return [as_case(example, now, facts) for example in examples(entry) if example.kind in kinds]

    return of


def as_case(example: Example, now: datetime, facts: MakeFacts) -> Case:
    """The records of an example, its relative times made real, and each with an ARN."""
    records = []
    for number, (raw, told) in enumerate(deepcopy(example.records)):
        raw.setdefault("arn", f"arn:record:{number}")
        if "createdAt" in raw:
            back, _, word = raw["createdAt"].partition(" ")
            assert word == "ago"
            raw["createdAt"] = (now - parse_duration(back)).timestamp()
        records.append(ExportRecord(raw, facts(**told)))
    return records, example.settings


def became(result: tuple[list[Found], dict[str, int]]) -> str:
    found, unjudged = result
    return ("Breaks it" if found else "Keeps it") if not unjudged else "Can't be judged"


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
            case ():
                assert text == "none"
            case bool():
                assert text == str(default).lower()
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
    assert {example.kind for example in examples(entry)} == set(KINDS)
    assert all(example.records for example in examples(entry))


@every_policy
def test_its_examples_are_true(entry: Entry, judge: Judge, now: datetime, facts: MakeFacts) -> None:
    for example in examples(entry):
        records, settings = as_case(example, now, facts)
        assert became(judge(entry.id, *records, **settings)) == example.kind, example.title


@every_policy
def test_it_needs_no_fact_of_a_source_that_it_does_not_name(entry: Entry, judge: Judge, cases: Cases) -> None:
    for records, settings in cases(entry, *KINDS):
        asked = entry.policy.needs(entry.settings_type(**settings))
        assert asked <= frozenset().union(*SOURCES.values())
        unasked = {name: NOT_ASKED for name, sources in SOURCES.items() if not sources & asked}
        bare = [ExportRecord(each.raw, each.facts._replace(**unasked)) for each in records]
        before, after = judge(entry.id, *records, **settings), judge(entry.id, *bare, **settings)
        assert said(after[0]) == said(before[0])
        assert after[1] == before[1]


@every_policy
def test_it_judges_a_record_of_which_it_asks_no_more_by_its_copy_alone(
    entry: Entry, judge: Judge, cases: Cases, now: datetime
) -> None:
    for records, settings in cases(entry, *KINDS):
        policy = entry.policy(entry.settings_type(**settings), now)
        bare = [
            each if asks(policy, each) else ExportRecord(each.raw, each.facts._replace(**UNASKED))
            for each in records
        ]
        before, after = judge(entry.id, *records, **settings), judge(entry.id, *bare, **settings)
        assert said(after[0]) == said(before[0])
        assert after[1] == before[1]


@every_policy
def test_an_unknown_fact_is_never_taken_for_a_pass_nor_for_a_breach(
    entry: Entry, judge: Judge, cases: Cases
) -> None:
    for records, settings in cases(entry, *KINDS):
        found, _ = before = judge(entry.id, *records, **settings)
        for number, record in enumerate(records):
            for name in SOURCES:
                unknown = record.facts._replace(**{name: NOT_ASKED})
                less = [*records]
                less[number] = ExportRecord(record.raw, unknown)
                after = judge(entry.id, *less, **settings)
                assert became(after) in {became(before), "Can't be judged"}, name
                assert subjects(after[0]) <= subjects(found), name


@every_policy
def test_the_command_that_it_tells_to_run_is_one_of_aws(entry: Entry, judge: Judge, cases: Cases) -> None:
    for records, settings in cases(entry, "Breaks it"):
        for record in records:
            record.raw.setdefault("location", {"regionName": "eu-west-1"})
        for each in judge(entry.id, *records, **settings)[0]:
            for command in (each.breach.remediation or "").split(" && "):
                assert not command or is_known_to_aws(shlex.split(command)), command


def is_known_to_aws(words: list[str]) -> bool:
    """Whether botocore knows the operation, and each of its options, and all that it requires is told."""
    program, service, name, *rest = words
    model = Session().get_service_model(service)
    operation = {xform_name(each, "-"): each for each in model.operation_names}[name]
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    options = {word.removeprefix("--") for word in rest if word.startswith("--")}
    known = {xform_name(member, "-") for member in shape.members}
    required = {xform_name(member, "-") for member in shape.required_members}
    return program == "aws" and options - {"region"} <= known and required <= options and "region" in options


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
    entry: Entry, arn: object, judge: Judge, cases: Cases
) -> None:
    for records, settings in cases(entry, "Breaks it"):
        nameless = [ExportRecord(record.raw | {"arn": arn}, record.facts) for record in records]
        assert judge(entry.id, *nameless, **settings) == ([], {entry.id: len(records)})


@every_policy
def test_nothing_that_it_says_changes_from_night_to_night(
    entry: Entry, judge: Judge, cases: Cases, now: datetime
) -> None:
    for records, settings in cases(entry, "Breaks it"):
        tonight, _ = judge(entry.id, *records, at=now, **settings)
        for later in (timedelta(seconds=1), timedelta(days=1), timedelta(days=99)):
            then, _ = judge(entry.id, *records, at=now + later, **settings)
            assert said(then) == said(tonight)


def said(found: list[Found]) -> list[tuple[object, ...]]:
    """All that a policy says of what it found, in order."""
    breaches = [each.breach for each in found]
    return [
        (one.record.arn, one.message, one.evidence, one.resource, one.remediation, one.cost)
        for one in breaches
    ]


def subjects(found: list[Found]) -> set[str]:
    return {(each.breach.resource or each.breach.record).arn for each in found}


@every_policy
@pytest.mark.parametrize("made_hostile", [with_hostile_names, with_hostile_arns_alone])
def test_its_message_shows_nothing_hostile_raw(
    entry: Entry, made_hostile: Callable[[Any], dict[str, Any]], judge: Judge, cases: Cases
) -> None:
    for records, settings in cases(entry, "Breaks it"):
        hostile = [ExportRecord(made_hostile(record.raw), record.facts) for record in records]
        found, _ = judge(entry.id, *hostile, **settings)
        assert found
        for each in found:
            for text in (each.breach.message, each.breach.remediation or ""):
                assert shown(text) == text
                assert {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


@every_policy
def test_its_evidence_can_be_written_as_json(entry: Entry, judge: Judge, cases: Cases) -> None:
    for records, settings in cases(entry, "Breaks it"):
        for each in judge(entry.id, *records, **settings)[0]:
            assert each.breach.evidence
            assert json.loads(json.dumps(each.breach.evidence)) == each.breach.evidence
