"""The shape of the code: who may start tasks, and what stands in which folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import auditor

PACKAGE = Path(auditor.__file__).parent
STARTS_TASKS = {"create_task", "create_task_group", "ensure_future", "gather", "TaskGroup", "start_soon"}


def test_only_the_audit_starts_tasks() -> None:
    starting = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in STARTS_TASKS
    }

    assert starting == {"audit"}


def test_the_front_door_leads_to_the_library_and_to_nothing_else() -> None:
    from auditor import library  # noqa: PLC0415 -- what the front door leads to

    for name in library.__all__:
        assert getattr(auditor, name) is getattr(library, name)
    with pytest.raises(AttributeError, match="no attribute 'findings'"):
        _ = auditor.findings
