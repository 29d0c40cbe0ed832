"""What is accepted until a date: waivers of findings, and gaps in what can be read."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

WAIVERS = "waivers"
ACCEPTED_GAPS = "accepted_gaps"

_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def _read_date(value: Any) -> dt.date:
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("until_type", "no date")
    try:
        # Python would take 20270331 and 2027-W13-3 as well.
        if re.fullmatch(_DATE, value):
            return dt.date.fromisoformat(value)
    except ValueError:  # as on the 30th of February
        pass
    raise PydanticCustomError("until", "no date")


Until = Annotated[dt.date, BeforeValidator(_read_date), WithJsonSchema({"type": "string", "pattern": _DATE})]
Pattern = Annotated[str, Field(min_length=1, max_length=2_048)]
"""A name, or a pattern in which * stands for any characters and ? for any one."""
AccountPattern = Annotated[str, Field(pattern=r"^(?:[0-9]{12}|[0-9?]*\*[0-9?*]*|[0-9?]{12})$")]
# Whatever people write, a paragraph included: it is escaped where it is shown.
Words = Annotated[str, StringConstraints(strip_whitespace=True), Field(pattern=r"\S", max_length=2_000)]


class _Acceptance(BaseModel):
    # Strict: a number is no text.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    account: AccountPattern | None = Field(
        default=None, description="The account, by its twelve digits, or a pattern of them."
    )
    region: Pattern | None = Field(default=None, description="The Region, or a pattern such as eu-*.")
    owner: Words = Field(description="Who answers for it.")
    until: Until = Field(
        description="The last day on which it holds, to its end in UTC: a date such as 2027-03-31."
    )


class WaiverEntry(_Acceptance):
    """Findings that are known and accepted: they are written all the same, and do not make a run fail."""

    policy: Pattern | None = Field(default=None, description="The policy's id, or a pattern.")
    resource: Pattern | None = Field(
        default=None,
        description="The finding's resource_arn, or a pattern such as *:ExportSnapshotRecord/0a1b*.",
    )
    reason: Words = Field(description="Why it is accepted.")
    ticket: Words | None = Field(default=None, description="Where it was agreed on.")


class AcceptedGapEntry(_Acceptance):
    """What can't be read, and is known and accepted: its verdict stays, and it does not make a run fail."""

    source: Pattern | None = Field(
        default=None,
        description="What can't be read, such as lightsail:GetExportSnapshotRecords, or a pattern.",
    )
    reason: Pattern | None = Field(
        default=None,
        description="The reason in the ledger, such as access-denied, or a pattern; a gap of another is not covered.",
    )
    explanation: Words = Field(description="Why it is accepted.")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver as it stands in the file; None narrows nothing."""

    line: int
    policy: str | None
    account: str | None
    region: str | None
    resource: str | None
    owner: str
    reason: str
    ticket: str | None
    until: dt.date


@dataclass(frozen=True, slots=True)
class AcceptedGap:
    """An accepted gap as it stands in the file; None narrows nothing."""

    line: int
    account: str | None
    region: str | None
    source: str | None
    reason: str | None
    owner: str
    explanation: str
    until: dt.date
