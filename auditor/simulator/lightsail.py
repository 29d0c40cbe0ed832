"""Lightsail: GetExportSnapshotRecords, paged.

Source: Lightsail API reference; the page's size is not documented and cannot be asked for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from auditor.simulator.answers import Answer, ApiError, json_answer
from auditor.simulator.faults import FaultKind

if TYPE_CHECKING:
    from auditor.simulator.estate import SimAccount
    from auditor.simulator.faults import Fault

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
INVALID_TOKEN = ApiError("InvalidInputException", "The page token is not valid.")


@dataclass(frozen=True, slots=True)
class PageAsked:
    """The page that a request asks for."""

    number: int
    """Counted from 1."""
    token: str | None
    after_empty: bool = False


class Pages:
    """The pages of every target; a token names one of them, and only the server can make it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def asked(self, body: bytes, account: SimAccount, region: str) -> PageAsked | ApiError:
        """Return the page that `body`, the request's, asks for."""
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ApiError("SerializationException", "The request is no JSON.")
        token = content.get("pageToken") if isinstance(content, dict) else None
        if token is None:
            return PageAsked(1, None)
        if not isinstance(token, str):
            return ApiError("SerializationException", "pageToken is no string.")
        mark, _, number = token.partition("-")[0].partition(".")
        if not _NUMBER.fullmatch(number) or token != self._token(account, region, int(number), mark):
            return INVALID_TOKEN
        return PageAsked(int(number), token, after_empty=mark == "e")

    def page(self, account: SimAccount, region: str, asked: PageAsked, fault: Fault | None) -> Answer:
        """Return the page that was asked for; beyond the last one, an empty last page."""
        records = account.records.get(region, ())
        start = (asked.number - 1) * account.page_size
        following: int | None = asked.number + 1
        if fault is not None and fault.kind is FaultKind.EMPTY_PAGE:
            token = self._token(account, region, asked.number, "e")
            return json_answer({"exportSnapshotRecords": [], "nextPageToken": token})
        if fault is not None and fault.kind is FaultKind.TOKEN_LOOP:
            # Two pages after the first one lead to each other, be there records in them or not.
            following = asked.number + 1 if asked.number < (fault.page or 1) + 2 else asked.number - 1
        elif start + account.page_size >= len(records):
            following = None
        content: dict[str, object] = {
            "exportSnapshotRecords": list(records[start : start + account.page_size])
        }
        if following is not None:
            content["nextPageToken"] = self._token(account, region, following)
        return json_answer(content)

    def _token(self, account: SimAccount, region: str, number: int, mark: str = "p") -> str:
        seal = hashlib.sha256(f"{self._seed}/{account.id}/{region}/{mark}.{number}".encode()).hexdigest()
        return f"{mark}.{number}-{seal}"
