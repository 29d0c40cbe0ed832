"""How EC2 writes its answers: XML of its own, without the wrapper that other Query services have.

Protocol: Smithy, `aws.protocols#ec2Query`.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from auditor.simulator.answers import Answer, ApiError

if TYPE_CHECKING:
    from auditor.simulator.records import Record

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTENT_TYPE = "text/xml;charset=UTF-8"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 may hold."""


def fragment(value: object) -> str:
    """Return `value` as XML: a mapping's elements, a list's items, or text."""
    if isinstance(value, dict):
        return "".join(f"<{name}>{fragment(held)}</{name}>" for name, held in value.items())
    if isinstance(value, list):
        return "".join(f"<item>{fragment(held)}</item>" for held in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_NOT_IN_XML.sub("\ufffd", str(value)), quote=False)


def answer(operation: str, content: str, request_id: str) -> Answer:
    """Return the elements `content` as a success."""
    text = (
        f'{_HEAD}<{operation}Response xmlns="{NAMESPACE}"><requestId>{request_id}</requestId>'
        f"{content}</{operation}Response>"
    )
    return Answer(200, _CONTENT_TYPE, text.encode())


def error_answer(error: ApiError, request_id: str) -> Answer:
    """Return `error` as EC2 writes it."""
    told: Record = {"Code": error.code, "Message": error.message}
    text = (
        f"{_HEAD}<Response><Errors><Error>{fragment(told)}</Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )
    return Answer(error.status, _CONTENT_TYPE, text.encode(), error.code)
