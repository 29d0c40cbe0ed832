from __future__ import annotations

import pytest

from auditor.audit import FormatRequest
from auditor.cli.running import format_requests
from auditor.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "request_for"),
    [
        ("json", FormatRequest("json")),
        ("json=out.json", FormatRequest("json", "out.json")),
        ("json=-", FormatRequest("json", "-")),
        ("json=a:b=c", FormatRequest("json", "a:b=c")),
        ("ocsf:1.6", FormatRequest("ocsf", None, "1.6")),
        ("ocsf:1.3.0=a:b=c", FormatRequest("ocsf", "a:b=c", "1.3.0")),
    ],
)
def test_a_format_is_asked_for_with_a_variant_and_a_path(asked: str, request_for: FormatRequest) -> None:
    assert format_requests([asked]) == (request_for,)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("json=", "-f json=: no path after the =; write -f json for the run's folder"),
        ("ocsf:1.6=", "-f ocsf:1.6=: no path after the =; write -f ocsf:1.6 for the run's folder"),
        ("ocsf:", "-f ocsf:: no variant after the :; write -f ocsf for the usual"),
        ("ocsf:=x", "-f ocsf:=x: no variant after the :; write -f ocsf for the usual"),
    ],
)
def test_what_is_missing_of_a_format_is_told(asked: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_requests([asked])
    assert str(caught.value) == why
