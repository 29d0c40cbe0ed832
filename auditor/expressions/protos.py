"""The protocol buffers that the CEL library speaks in: our fields' types to it, its checked expressions from it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message, message_factory, timestamp_pb2

from auditor.expressions.schema import SCHEMA, element

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGE = "auditor"

_SCALARS = {
    "string": "TYPE_STRING",
    "int": "TYPE_INT64",
    "bool": "TYPE_BOOL",
    "time": ".google.protobuf.Timestamp",
}

# cel-spec, proto/cel/expr/syntax.proto and checked.proto: the parts of them that are looked at. Entries of maps
# are written as on the wire, messages of a key and a value.
_TREE: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "CheckedExpr": {
        "references": (2, "[Reference_]"),
        "types": (3, "[Type_]"),
        "expr": (4, "Expr"),
        "source": (5, "Source"),
    },
    "Source": {"positions": (4, "[Position_]")},
    "Position_": {"key": (1, "int"), "value": (2, "int")},
    "Reference_": {"key": (1, "int"), "value": (2, "Reference")},
    "Reference": {"overloads": (3, "[string]")},
    "Type_": {"key": (1, "int"), "value": (2, "Type")},
    "Type": {
        "dyn": (1, "Nothing"),
        "null": (2, "int"),
        "list": (6, "Nothing"),
        "map": (7, "Nothing"),
        "message": (9, "string"),
    },
    "Nothing": {},
    "Expr": {
        "id": (2, "int"),
        "constant": (3, "Constant"),
        "ident": (4, "Ident"),
        "select": (5, "Select"),
        "call": (6, "Call"),
        "list": (7, "List"),
        "struct": (8, "Nothing"),
        "loop": (9, "Loop"),
    },
    "Constant": {"text": (6, "string")},
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "[Expr]")},
    "List": {"elements": (1, "[Expr]")},
    "Loop": {
        "variable": (1, "string"),
        "range": (2, "Expr"),
        "result_name": (3, "string"),
        "begin": (4, "Expr"),
        "condition": (5, "Expr"),
        "step": (6, "Expr"),
        "result": (7, "Expr"),
    },
}


@cache
def field_types() -> Any:
    """Return the descriptors of all that an expression can name."""
    return _pool(
        PACKAGE,
        {
            name: {key: (number, kind) for number, (key, kind) in enumerate(fields.items(), 1)}
            for name, fields in SCHEMA.items()
        },
    )


def read_tree(data: bytes) -> Any:
    """Return the checked expression that the library wrote as `data`.

    :raises ValueError: where it is nested too deeply, or written in a way that is not known here.
    """
    envelope, tree = any_pb2.Any(), _tree_class()()
    try:
        envelope.ParseFromString(data)
        tree.ParseFromString(envelope.value)
    except message.DecodeError as error:
        raise ValueError("nested too deeply") from error
    # An expression in which nothing was seen would break no rule.
    if not envelope.type_url.endswith("/cel.expr.CheckedExpr") or not tree.HasField("expr"):
        raise ValueError(f"written as {envelope.type_url}")
    return tree


def timestamp(seconds: float) -> Any:
    """Return seconds since the epoch as the library takes a time inside of a mapping."""
    whole = int(seconds // 1)
    return timestamp_pb2.Timestamp(seconds=whole, nanos=min(int((seconds - whole) * 1e9), 999_999_999))


@cache
def _tree_class() -> Any:
    pool = _pool("auditor.tree", _TREE)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("auditor.tree.CheckedExpr"))


def _pool(package: str, messages: Mapping[str, Mapping[str, tuple[int, str]]]) -> Any:
    pool = descriptor_pool.DescriptorPool()
    times = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(times)
    pool.Add(times)
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    file.dependency.append(times.name)
    for name, fields in messages.items():
        _declare(file.message_type.add(name=name), package, fields.items())
    pool.Add(file)
    return pool


def _declare(declared: Any, package: str, fields: Iterable[tuple[str, tuple[int, str]]]) -> None:
    field_class = descriptor_pb2.FieldDescriptorProto
    for name, (number, kind) in fields:
        one = element(kind) or kind
        label = field_class.LABEL_OPTIONAL if one == kind else field_class.LABEL_REPEATED
        field = declared.field.add(name=name, number=number, label=label)
        type_ = _SCALARS.get(one, f".{package}.{one}")
        if type_.startswith("."):
            field.type, field.type_name = field_class.TYPE_MESSAGE, type_
        else:
            field.type = getattr(field_class, type_)
