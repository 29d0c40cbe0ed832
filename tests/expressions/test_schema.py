from __future__ import annotations

import re
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from botocore.session import get_session

from auditor.expressions import SCHEMA
from auditor.model import Facts, Image, Known, Operation, Snapshot, SourceSnapshot, StackRecord, Volume

SHAPES = {
    "Record": "ExportSnapshotRecord",
    "Location": "ResourceLocation",
    "SourceInfo": "ExportSnapshotRecordSourceInfo",
    "InstanceSnapshotInfo": "InstanceSnapshotInfo",
    "DiskInfo": "DiskInfo",
    "DiskSnapshotInfo": "DiskSnapshotInfo",
    "DestinationInfo": "DestinationInfo",
}
CLASSES = {
    each.__name__: each for each in (Facts, Image, Operation, Snapshot, SourceSnapshot, StackRecord, Volume)
}
SCALARS = {"string": "string", "integer": "int", "boolean": "bool", "timestamp": "time"}
TIMES = {("Image", "created"), ("Image", "last_launched"), ("Snapshot", "started")}
"""Seconds since the epoch in those classes, which a number's type doesn't tell."""


def kind_of_shape(shape: Any) -> str:
    if shape.type_name == "list":
        return f"[{kind_of_shape(shape.member)}]"
    if shape.type_name == "structure":
        return {aws: ours for ours, aws in SHAPES.items()}[shape.name]
    return SCALARS[str(shape.type_name)]


@pytest.mark.parametrize("name", SHAPES)
def test_a_record_has_the_fields_that_aws_documents_and_no_others(name: str) -> None:
    shape: Any = get_session().get_service_model("lightsail").shape_for(SHAPES[name])
    assert SCHEMA[name] == {member: kind_of_shape(of) for member, of in shape.members.items()}


def kind_of_hint(hint: Any, path: tuple[str, str]) -> str:
    if path in TIMES:
        assert set(get_args(hint)) == {float, type(None)}
        return "time"
    # A fact is a union with Absent and Unknown, and a field that AWS may leave out is one with None.
    if get_origin(hint) in {Union, UnionType}:
        hint = get_args(hint)[0]
    if get_origin(hint) is Known:
        (hint,) = get_args(hint)
    inner = str(hint) if get_args(hint) else hint.__name__
    several = re.fullmatch(r"(?:tuple\[(.*), \.\.\.\]|frozenset\[(.*)\])", inner)
    one = (several[1] or several[2] if several else inner).rpartition(".")[2]
    kind = {"str": "string", "bool": "bool", "float": "int"}.get(one, one)
    return f"[{kind}]" if several else kind


@pytest.mark.parametrize("name", CLASSES)
def test_facts_have_the_fields_of_their_classes_and_no_others(name: str) -> None:
    of = CLASSES[name]
    hints = get_type_hints(of)
    assert SCHEMA[name] == {each: kind_of_hint(hints[each], (name, each)) for each in of._fields}


def test_every_message_is_compared() -> None:
    # Account is of the run's own list: its id and its name.
    assert SCHEMA.keys() == SHAPES.keys() | CLASSES.keys() | {"Account"}
