"""What the estate answers: AWS JSON 1.1 for Lightsail, XML for STS, and the errors of both; EC2's are in `ec2_xml`.

Protocols: Smithy, `aws.protocols#awsJson1_1`, `aws.protocols#awsQuery` and, for Account Management, `aws.protocols#restJson1`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

LIGHTSAIL, STS, EC2, ORGANIZATIONS, ACCOUNT = "lightsail", "sts", "ec2", "organizations", "account"
"""The services, by the name that signatures carry."""

JSON, XML, HTML = "application/x-amz-json-1.1", "text/xml", "text/html"
REST_JSON = "application/json"
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
SERVER_FAULT = 500
"""Statuses from here on are AWS's fault and not the caller's."""


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error of AWS's own, before it is written in the protocol of a service."""

    code: str
    message: str
    status: int = 400
    reason: str | None = None
    """What Organizations says beside the code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    content_type: str
    body: bytes
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def json_object(body: bytes) -> dict[str, Any] | ApiError:
    """Return what the body of a request asks for by name, or the error that AWS answers with."""
    try:
        given = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        given = None
    return (
        given
        if isinstance(given, dict)
        else ApiError("SerializationException", "The body is no JSON object.")
    )


def json_answer(content: object) -> Answer:
    """Return `content` as a success of Lightsail's."""
    return Answer(200, JSON, orjson.dumps(content))


def xml_answer(operation: str, result: str, request_id: str) -> Answer:
    """Return the XML `result` as a success of STS's."""
    text = (
        f'<{operation}Response xmlns="{STS_NAMESPACE}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(200, XML, text.encode())


def error_answer(error: ApiError, service: str, request_id: str) -> Answer:
    """Return `error` as `service` writes it."""
    if service == STS:
        kind = "Receiver" if error.status >= SERVER_FAULT else "Sender"
        text = (
            f'<ErrorResponse xmlns="{STS_NAMESPACE}"><Error><Type>{kind}</Type>{element("Code", error.code)}'
            f"{element('Message', error.message)}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Answer(error.status, XML, text.encode(), error.code)
    if service == ACCOUNT:
        # Its error's name stands in the header alone (Account Management's service model).
        body = orjson.dumps({"message": error.message})
        return Answer(error.status, REST_JSON, body, error.code, {"x-amzn-ErrorType": error.code})
    said = {"__type": error.code, "message": error.message}
    if error.reason is not None:
        said["Reason"] = error.reason
    body = orjson.dumps(said)
    return Answer(error.status, JSON, body, error.code, {"x-amzn-ErrorType": error.code})


def element(name: str, text: str) -> str:
    """Return an XML element that holds `text`."""
    return f"<{name}>{escape(text)}</{name}>"
