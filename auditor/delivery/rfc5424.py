"""A syslog message as RFC 5424 has it, counted in octets as RFC 6587 and RFC 5425 send it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FACILITIES = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    "ntp": 12,
    "audit": 13,
    "alert": 14,
    "clock": 15,
} | {f"local{number}": 16 + number for number in range(8)}
"""RFC 5424, table 1, by the names that syslog daemons give these."""

_NIL = "-"
_LONGEST_HOST, _LONGEST_PROCESS, _LONGEST_ID = 255, 128, 32
_LONGEST_VALUE = 64
"""Characters of a value in structured data: as many as a finding_id has."""
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_SPECIAL = re.compile(r'(["\\\]])')
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def head(  # noqa: PLR0913 -- as many fields as a message has
    *,
    facility: str,
    severity: int,
    time: datetime | None,
    host: str,
    app_name: str,
    process: str,
    message_id: str,
    data: str,
) -> bytes:
    """Return all that stands before a message's text, which has to be ASCII.

    UTF-8 would have to begin with a byte order mark, which receivers take for a part of the text.

    :param severity: 0, an emergency, to 7.
    :param data: what `structured` returns.
    """
    fields = (
        f"<{FACILITIES[facility] * 8 + severity}>1",
        rfc3339(time) if time is not None else _NIL,
        _word(host, _LONGEST_HOST),
        app_name,
        _word(process, _LONGEST_PROCESS),
        _word(message_id, _LONGEST_ID),
        data,
    )
    return " ".join(fields).encode() + b" "


def structured(data_id: str, data: Mapping[str, str | None]) -> str:
    r"""Return an element of structured data, in which `"`, `\` and `]` are escaped, as section 6.3.3 asks.

    What is not plainly visible in a value is written as its escape first, and what is long is cut.
    """
    pairs = (f' {name}="{_value(value)}"' for name, value in data.items() if value is not None)
    return f"[{data_id}{''.join(pairs)}]"


def framed(one: bytes) -> bytes:
    """Return a message after the number of its octets (RFC 6587, 3.4.1; RFC 5425, 4.3)."""
    return b"%d %b" % (len(one), one)


def ascii_json(body: bytes) -> bytes:
    r"""Return the same JSON, in ASCII: whatever else stands in its texts is written as `\u…`."""
    if body.isascii():
        return body
    return _NOT_ASCII.sub(_escaped, body.decode()).encode()


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _value(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", shown(text)[:_LONGEST_VALUE])


def _word(text: str, longest: int) -> str:
    """Return a field of the header, which holds printable ASCII without blanks."""
    return _NOT_PRINTABLE.sub("?", text)[:longest] or _NIL
