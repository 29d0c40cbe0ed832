from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import Unjudgeable
from auditor.expressions import FACT_FIELDS, SCHEMA, Program, checked, template_faults
from auditor.model import ABSENT, SOURCES_OF_FACTS, ExportRecord, Facts, Image, Known, Snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IMAGE = Image("ami-1", None, public=True, created=1.0, last_launched=None, snapshot_ids=(), state=None)


def value(text: str, raw: Any, facts: Facts | None = None) -> Any:
    assert checked(text).faults == ()
    program = Program(text, NOW)
    return program.value(program.data(ExportRecord(raw, facts or Facts()), None))


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("record.state ==", 1, 16),
        ("record.stat == 'x'", 1, 7),
        ("true &&\n  nothing == 1", 2, 3),
        ("record.state == 5", 1, 14),
        ("record.name + 'x' == 'y'", 1, 13),
        ("record.name.matches('(')", 1, 20),
        ("record.name.matches(record.state)", 1, 20),
        ("[1] == [1]", 1, 5),
        ("{'a': 1}.size() == 1", 1, 1),
        ("dyn(record.name) == 1", 1, 4),
        ("[1].all(record, record > 0)", 1, 8),
    ],
)
def test_what_can_t_be_taken_is_told_with_its_place(text: str, line: int, column: int) -> None:
    assert (line, column) in {(fault.line, fault.column) for fault in checked(text).faults}


def test_facts_mentioned_are_exactly_those() -> None:
    assert checked("facts.image == null && facts.snapshots.all(s, s.encrypted)").mentions.facts == {
        "image",
        "snapshots",
    }
    assert checked("record.state == 'facts.image'").mentions.facts == frozenset()


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("record.state == 'Failed'", {}),
        ("record.state != 'Failed'", {"state": 5}),
        (
            "1 / (record.sourceInfo.diskSnapshotInfo.sizeInGb - 5) > 1",
            {"sourceInfo": {"diskSnapshotInfo": {"sizeInGb": 5}}},
        ),
        ("facts.image == null", {}),
    ],
)
def test_what_is_not_known_leaves_the_record_unjudged(text: str, raw: Any) -> None:
    with pytest.raises(Unjudgeable):
        value(text, raw)


def test_an_absent_fact_is_null_and_of_a_list_an_empty_one() -> None:
    gone = Facts(image=ABSENT, snapshots=ABSENT)
    assert value("facts.image == null && size(facts.snapshots) == 0", {}, gone) is True


def test_the_schema_names_every_field_of_every_fact() -> None:
    for each in (Facts, Image, Snapshot):
        assert list(SCHEMA[each.__name__]) == list(each._fields)
    assert list(SOURCES_OF_FACTS) == list(FACT_FIELDS)


def test_a_loop_that_would_run_long_is_ended() -> None:
    disks = [{"sizeInGb": 1}] * 1_000
    raw = {"sourceInfo": {"instanceSnapshotInfo": {"fromDiskInfo": disks}}}
    listed = "record.sourceInfo.instanceSnapshotInfo.fromDiskInfo"
    with pytest.raises(Unjudgeable, match="budget"):
        value(f"{listed}.all(a, {listed}.all(b, a.sizeInGb == b.sizeInGb))", raw)


def test_a_message_holds_nothing_that_changes_from_night_to_night() -> None:
    assert template_faults("{record.name} in {region}, {{so}}") == []
    for text in ("{now}", "{string(age(record.createdAt))}", "{", "{record.nam}", "{facts.volumes}"):
        assert template_faults(text)


WORDS = ["record", "facts", ".image", ".name", ".state", "'a'", "(", ")", "[", "]", "+", "==", "&&", "!", "1", "/0",
         ".map(x,", ".all(y,", "x", "y", ",", "?", ":", "null", "now", "age(", "{", "}", "-", "size(", "\ud800", "\0"]  # fmt: skip
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "state", "sourceInfo"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join), json)
def test_no_expression_and_no_record_crashes_it(text: str, raw: object) -> None:
    if not checked(text).faults:
        program = Program(text, NOW)
        try:
            program.value(program.data(ExportRecord(raw, Facts(image=Known(IMAGE))), None))
        except Unjudgeable as error:
            assert str(error)  # noqa: PT017 -- any reason will do
