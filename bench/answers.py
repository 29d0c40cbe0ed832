"""The benchmark server's answers of STS, and the frame of HTTP around every answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

_BASE_ACCOUNT = "999999999999"
_KEY = re.compile(rb"credential=(?:asia|akia)\w{4}(\d{12})/")
_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([^/]+)")

_ASSUME_ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>\
<AssumedRoleUser><AssumedRoleId>AROABENCHBENCHBENCHX:{session}</AssumedRoleId>\
<Arn>arn:aws:sts::{account}:assumed-role/{role}/{session}</Arn></AssumedRoleUser>\
<Credentials><AccessKeyId>ASIAXXXX{account}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
</AssumeRoleResult><ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></AssumeRoleResponse>"""

_IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\
<GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/bench</Arn><UserId>AIDABENCHBENCHBENCHX</UserId>\
<Account>{account}</Account></GetCallerIdentityResult>\
<ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


def http(body: bytes, content_type: str, status: str = "200 OK") -> bytes:
    """Return a whole HTTP answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n\r\n"
    )
    return head.encode() + body


REGIONS = http(b'{"regions":[]}', "application/x-amz-json-1.1")

UNKNOWN = http(b'{"__type":"UnknownOperationException"}', "application/x-amz-json-1.1", "400 Bad Request")
"""To whatever the benchmark's server does not play."""


THROTTLED = http(
    b'{"__type":"ThrottlingException","message":"Rate exceeded"}',
    "application/x-amz-json-1.1",
    "400 Bad Request",
)


def account_of(head: bytes) -> int | None:
    """Return the account whose role signed a request, as a number. `head` is in lower case."""
    matched = _KEY.search(head)
    return int(matched[1]) if matched else None


def assume_role(form: bytes) -> bytes:
    """Return credentials for the role asked for; its account stands in the key and in the assumed ARN."""
    fields = parse_qs(form.decode())
    matched = _ROLE.fullmatch(fields["RoleArn"][0])
    if matched is None:
        return UNKNOWN
    account, role = matched.groups()
    body = _ASSUME_ROLE.format(
        account=account,
        role=role,
        session=fields["RoleSessionName"][0],
        secret="s" * 40,
        token="t" * 356,  # as long as those that STS gives
        expiration=(datetime.now(UTC) + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return http(body.encode(), "text/xml")


def caller_identity(head: bytes) -> bytes:
    """Return the account that the request's key names, or the base account. `head` is in lower case."""
    matched = _KEY.search(head)
    account = matched.group(1).decode() if matched else _BASE_ACCOUNT
    return http(_IDENTITY.format(account=account).encode(), "text/xml")
