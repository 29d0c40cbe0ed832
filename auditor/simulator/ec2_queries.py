"""What a request to EC2 asks for: ids, filters, owners and pages, read from its form and held against EC2's bounds.

Source: EC2 API reference, DescribeImages, DescribeSnapshots, DescribeVolumes, and Error codes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.simulator.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.simulator.records import Record

MAX_FILTER_VALUES = 200
"""Values a filter (EC2 User Guide, Filter your resources)."""
LEAST_RESULTS, MOST_RESULTS = 5, 1000
"""What MaxResults may be."""
_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of thing that EC2 lists."""

    element: str
    """Where an answer holds the things."""
    id_parameter: str
    id_name: str
    prefix: str
    missing: tuple[str, str]
    """The code and the words for an id that is not there."""
    malformed: str
    filters: Mapping[str, Callable[[Record], object]]
    """What each filter looks at; a list where any of its values will do."""

    def is_malformed(self, one: str) -> ApiError:
        """Return what EC2 says of an id that is none of this kind's."""
        return ApiError(self.malformed, f'Invalid id: "{one}" (expecting "{self.prefix}...")')


@dataclass(frozen=True, slots=True)
class Query:
    """What a request for a listing asks for."""

    ids: tuple[str, ...]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    owners: tuple[str, ...]
    permitted: tuple[str, ...]
    """Whom it must be shared with: ids of accounts, `self` or `all`."""
    deprecated: bool
    disabled: bool
    max_results: int | None


def numbered(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the values of `name.1`, `name.2` and so on."""
    found: list[str] = []
    while (value := form.get(f"{name}.{len(found) + 1}")) is not None:
        found.append(value)
    return tuple(found)


def digest(form: Mapping[str, str]) -> str:
    """Return what a page token holds of its request, so that it is good for no other."""
    told = sorted((name, value) for name, value in form.items() if name != "NextToken")
    return hashlib.sha256(repr(told).encode()).hexdigest()


def query_of(form: Mapping[str, str], listing: Listing) -> Query | ApiError:
    """Return what `form` asks for, or what EC2 has against it."""
    ids = numbered(form, listing.id_parameter)
    for one in ids:
        if not one.startswith(listing.prefix):
            return listing.is_malformed(one)
    filters = _filters(form, listing)
    if isinstance(filters, ApiError):
        return filters
    most = _max_results(form.get("MaxResults"))
    if isinstance(most, ApiError):
        return most
    if ids and most is not None:
        return ApiError(
            "InvalidParameterCombination",
            f"The parameter {listing.id_name}s cannot be used with the parameter maxResults",
        )
    return Query(
        ids,
        filters,
        numbered(form, "Owner"),
        numbered(form, "ExecutableBy") or numbered(form, "RestorableBy"),
        _is_true(form, "IncludeDeprecated"),
        _is_true(form, "IncludeDisabled"),
        most,
    )


def matches(thing: Record, filters: tuple[tuple[str, tuple[str, ...]], ...], listing: Listing) -> bool:
    """Say whether `thing` has one of the values of every filter."""
    return all(_has(listing.filters[name](thing), values) for name, values in filters)


def named_ids(query: Query, listing: Listing) -> tuple[str, ...] | None:
    """Return the ids to which a filter narrows the listing, so that nothing else need be looked at."""
    own = _kebab(listing.id_name)
    for name, values in query.filters:
        if name == own and not any(_WILDCARD.search(value) for value in values):
            return values
    return None


def _has(found: object, values: tuple[str, ...]) -> bool:
    told = [_text(one) for one in found] if isinstance(found, list) else [_text(found)]
    return any(_is_like(one, value) for value in values for one in told)


def _is_like(text: str, value: str) -> bool:
    if not _WILDCARD.search(value):
        return text == value
    pattern = re.escape(value).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filters(form: Mapping[str, str], listing: Listing) -> tuple[tuple[str, tuple[str, ...]], ...] | ApiError:
    found: list[tuple[str, tuple[str, ...]]] = []
    while (name := form.get(f"Filter.{len(found) + 1}.Name")) is not None:
        values = numbered(form, f"Filter.{len(found) + 1}.Value")
        if name not in listing.filters:
            return ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not values:
            return ApiError("InvalidParameterValue", f"The filter '{name}' has no values")
        if len(values) > MAX_FILTER_VALUES:
            message = f"The maximum number of filter values specified on a single call is {MAX_FILTER_VALUES}"
            return ApiError("FilterLimitExceeded", message)
        found.append((name, values))
    return tuple(found)


def _max_results(text: str | None) -> int | ApiError | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not LEAST_RESULTS <= int(text) <= MOST_RESULTS:
        message = (
            f"Value ( {text} ) for parameter maxResults is invalid. "
            f"Expecting a value between {LEAST_RESULTS} and {MOST_RESULTS}."
        )
        return ApiError("InvalidParameterValue", message)
    return int(text)


def _is_true(form: Mapping[str, str], name: str) -> bool:
    return form.get(name, "").lower() == "true"


def _kebab(name: str) -> str:
    """Return a wire name as filters write it: `imageId` is `image-id`."""
    return re.sub("([A-Z])", r"-\1", name).lower()
