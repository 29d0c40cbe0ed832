"""Lightsail: what it lists in pages, and GetRegions.

Source: Lightsail API reference; the page's size is not documented and cannot be asked for.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import botocore.session
import orjson

from auditor.simulator.answers import Answer, ApiError, json_answer
from auditor.simulator.faults import GET_RECORDS, FaultKind
from auditor.simulator.tokens import EMPTY, FIRST_PAGE, PageAsked, looped, page_of, token_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.simulator.estate import Estate, SimAccount
    from auditor.simulator.faults import Fault
    from auditor.simulator.records import Record

GET_REGIONS = "GetRegions"
LIST_KEYS = {
    GET_RECORDS: "exportSnapshotRecords",
    "GetOperations": "operations",
    "GetCloudFormationStackRecords": "cloudFormationStackRecords",
    "GetInstanceSnapshots": "instanceSnapshots",
    "GetDiskSnapshots": "diskSnapshots",
}
"""What is listed in pages, and where a page holds it."""
INVALID_TOKEN = ApiError("InvalidInputException", "The page token is not valid.")
_CONTINENTS = {"us": "NA", "ca": "NA", "mx": "NA", "sa": "SA", "eu": "EU", "ap": "AS"}


class Pages:
    """The pages of every target."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def asked(self, operation: str, body: bytes, account: SimAccount, region: str) -> PageAsked | ApiError:
        """Return the page that `body`, the request's, asks for."""
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ApiError("SerializationException", "The request is no JSON.")
        token = content.get("pageToken") if isinstance(content, dict) else None
        if token is None:
            return FIRST_PAGE
        if not isinstance(token, str):
            return ApiError("SerializationException", "pageToken is no string.")
        return page_of(self._listing(operation, account, region), token) or INVALID_TOKEN

    def page(
        self, operation: str, account: SimAccount, region: str, asked: PageAsked, fault: Fault | None
    ) -> Answer:
        """Return the page that was asked for; beyond the last one, an empty last page."""
        key, listing = LIST_KEYS[operation], self._listing(operation, account, region)
        records = _listed(operation, account, region)
        start = (asked.number - 1) * account.page_size
        following: int | None = asked.number + 1
        if fault is not None and fault.kind is FaultKind.EMPTY_PAGE:
            return json_answer({key: [], "nextPageToken": token_for(listing, asked.number, EMPTY)})
        if fault is not None and fault.kind is FaultKind.TOKEN_LOOP:
            following = looped(asked.number, fault.page)
        elif start + account.page_size >= len(records):
            following = None
        content: dict[str, object] = {key: list(records[start : start + account.page_size])}
        if following is not None:
            content["nextPageToken"] = token_for(listing, following)
        return json_answer(content)

    def regions(self, body: bytes) -> Answer | ApiError:
        """Answer GetRegions, which tells every account the same."""
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ApiError("SerializationException", "The request is no JSON.")
        with_zones = isinstance(content, dict) and content.get("includeAvailabilityZones") is True
        names = self._estate.lightsail_regions or regions_of_botocore()
        return json_answer({"regions": [_region(name, with_zones=with_zones) for name in names]})

    def _listing(self, operation: str, account: SimAccount, region: str) -> str:
        return f"{self._estate.seed}/{operation}/{account.id}/{region}"


def _listed(operation: str, account: SimAccount, region: str) -> Sequence[Record]:
    if operation == GET_RECORDS:
        return account.records.get(region, ())
    afterlife = account.afterlife.get(region)
    if afterlife is None:
        return ()
    return {
        "GetOperations": afterlife.operations,
        "GetCloudFormationStackRecords": afterlife.stacks,
        "GetInstanceSnapshots": afterlife.instance_snapshots,
        "GetDiskSnapshots": afterlife.disk_snapshots,
    }[operation]


@cache
def regions_of_botocore() -> tuple[str, ...]:
    """Return the Regions that botocore knows for Lightsail."""
    return tuple(botocore.session.get_session().get_available_regions("lightsail"))


@cache
def _places() -> dict[str, str]:
    """Return what botocore calls each Region, such as `US East (N. Virginia)`."""
    partitions = botocore.session.get_session().get_component("data_loader").load_data("endpoints")
    return {
        name: region["description"]
        for partition in partitions["partitions"]
        for name, region in partition["regions"].items()
    }


def _region(name: str, *, with_zones: bool) -> Record:
    place = _places().get(name, name)
    shown = place.partition("(")[2].rstrip(")") or place
    zones = [{"zoneName": f"{name}{letter}", "state": "available"} for letter in "abc"] if with_zones else []
    return {
        "continentCode": _CONTINENTS.get(name.partition("-")[0], "AS"),
        "description": f"This region is recommended to serve users near {shown}",
        "displayName": shown,
        "name": name,
        "availabilityZones": zones,
        "relationalDatabaseAvailabilityZones": [],
    }
