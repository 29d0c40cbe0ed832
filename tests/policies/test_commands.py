from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import ExportRecord
from auditor.policies.commands import all_of, aws


@given(st.text(min_size=1), st.text())
def test_whatever_a_thing_is_called_it_is_one_word_of_the_command_or_there_is_none(
    name: str, region: str
) -> None:
    record = ExportRecord({"location": {"regionName": region}})
    command = aws(record, "ec2 deregister-image", image_id=name)
    if command is not None:
        where = ["--region", region] if region else []
        assert shlex.split(command) == ["aws", "ec2", "deregister-image", "--image-id", name, *where]
        assert command.isprintable()


@pytest.mark.parametrize(
    "name",
    ["-rf", "--endpoint-url", "file:///etc/passwd", "https://evil", "a\nb", "\x1b[2J", "\u202e", "\ud800"],
)
def test_no_command_is_made_of_what_the_cli_or_a_terminal_would_take_for_more_than_a_name(name: str) -> None:
    assert aws(ExportRecord({}), "ec2 deregister-image", image_id=name) is None
    assert (
        aws(ExportRecord({"location": {"regionName": name}}), "ec2 deregister-image", image_id="ami-1")
        is None
    )


def test_a_name_that_a_shell_would_run_is_quoted() -> None:
    command = aws(ExportRecord({}), "ec2 deregister-image", image_id="$(id); ami'")
    assert command == """aws ec2 deregister-image --image-id '$(id); ami'"'"''"""


def test_of_several_commands_one_that_is_missing_leaves_none() -> None:
    assert all_of(["one", "two"]) == "one && two"
    assert all_of(["one", None]) is None
    assert all_of([]) is None
