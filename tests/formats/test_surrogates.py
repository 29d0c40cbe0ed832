from __future__ import annotations

import json

from auditor.formats import encoded
from auditor.model import Control, Severity


def test_a_lone_surrogate_in_a_dataclass_is_escaped_too() -> None:
    assert json.loads(encoded([Control("F", "\ud800", "direct")]))[0]["id"] == r"\ud800"


def test_a_lone_surrogate_changes_no_other_text() -> None:
    assert json.loads(encoded({"bad": "\ud800", "good": "\x1b\u202e"})) == {
        "bad": r"\ud800",
        "good": "\x1b\u202e",
    }


def test_a_key_that_is_a_name_of_ours_changes_no_text() -> None:
    assert json.loads(encoded({Severity.HIGH: "\x1b", "arn": "\u202e"})) == {"high": "\x1b", "arn": "\u202e"}
