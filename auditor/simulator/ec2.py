"""EC2: images, EBS snapshots and volumes, and who may use them. Without MaxResults an answer is whole, as EC2's is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from auditor.simulator import ec2_xml
from auditor.simulator.answers import Answer, ApiError
from auditor.simulator.ec2_queries import Listing, Query, digest, query_of
from auditor.simulator.ec2_views import IMAGES, SNAPSHOTS, VOLUMES, Thing, View, granted, held
from auditor.simulator.faults import FaultKind
from auditor.simulator.tokens import EMPTY, FIRST_PAGE, PageAsked, looped, page_of, token_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.simulator.estate import Estate, SimAccount
    from auditor.simulator.faults import Fault
    from auditor.simulator.records import Record

VERSION: Final = "2016-11-15"
LISTINGS = {"DescribeImages": IMAGES, "DescribeSnapshots": SNAPSHOTS, "DescribeVolumes": VOLUMES}
ATTRIBUTES = {
    "DescribeImageAttribute": (IMAGES, "launchPermission"),
    "DescribeSnapshotAttribute": (SNAPSHOTS, "createVolumePermission"),
}
"""The one attribute that each tells here."""
OPERATIONS = frozenset({*LISTINGS, *ATTRIBUTES})


@dataclass(frozen=True, slots=True)
class Asking:
    """A request, by whom and where."""

    operation: str
    """One of `OPERATIONS`."""
    form: Mapping[str, str]
    account: SimAccount
    region: str


class Ec2:
    """EC2 in every account and Region of an estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._fragments: dict[tuple[str, str], str] = {}
        """The XML of each thing that was ever answered, by its Region and id."""
        self._shared: dict[tuple[str, str], dict[str, Thing]] = {}

    def page_asked(self, asking: Asking) -> PageAsked | ApiError:
        """Return the page that a request asks for."""
        token = asking.form.get("NextToken")
        if token is None or asking.operation not in LISTINGS:
            return FIRST_PAGE
        page = page_of(self._place(asking), token)
        # EC2 API reference, Error codes.
        return page or ApiError("InvalidPaginationToken", "The specified pagination token is not valid.")

    def answer(
        self, asking: Asking, asked: PageAsked, fault: Fault | None, request_id: str
    ) -> Answer | ApiError:
        """Answer a request."""
        if asking.form.get("DryRun", "").lower() == "true":
            return ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        if asking.operation in ATTRIBUTES:
            content = self._permissions(asking)
        else:
            listing = LISTINGS[asking.operation]
            query = query_of(asking.form, listing)
            if isinstance(query, ApiError):
                return query
            content = self._page(asking, listing, query, asked, fault)
        if isinstance(content, ApiError):
            return content
        return ec2_xml.answer(asking.operation, content, request_id)

    def _page(
        self, asking: Asking, listing: Listing, query: Query, asked: PageAsked, fault: Fault | None
    ) -> str | ApiError:
        view = self._view(asking, listing)
        found = view.found(query)
        if isinstance(found, ApiError):
            return found
        kind, place = None if fault is None else fault.kind, self._place(asking)
        if kind is FaultKind.MISSING_KEY:
            return ""
        if kind is FaultKind.EMPTY_PAGE:
            return _set(listing, "", token_for(place, asked.number, EMPTY))
        size = query.max_results or max(1, len(found))
        start = (asked.number - 1) * size
        following: int | None = asked.number + 1
        if fault is not None and kind is FaultKind.TOKEN_LOOP:
            following = looped(asked.number, fault.page)
        elif start + size >= len(found):
            following = None
        things = found[start : start + size]
        if kind is FaultKind.FEWER:
            things = things[1::2]
        elif kind is FaultKind.UNASKED:
            things += self._unasked(asking, listing, found, view.own)
        items = "".join(self._fragment(asking.region, listing, thing) for thing in things)
        return _set(listing, items, None if following is None else token_for(place, following))

    def _permissions(self, asking: Asking) -> str | ApiError:
        listing, attribute = ATTRIBUTES[asking.operation]
        one = asking.form.get(listing.id_parameter, "")
        if not one.startswith(listing.prefix):
            return listing.is_malformed(one)
        if asking.form.get("Attribute") != attribute:
            message = f"Value ( {asking.form.get('Attribute')} ) for parameter attribute is invalid."
            return ApiError("InvalidParameterValue", message)
        view = self._view(asking, listing)
        thing = view.seen(one)
        if thing is None:
            return view.not_found([one])
        if thing.owner != asking.account.id:
            # Only its owner may ask who else may use it.
            return ApiError("AuthFailure", f"Not authorized for {one}", 403)
        return ec2_xml.fragment({listing.id_name: one, attribute: list(thing.permissions)})

    def _view(self, asking: Asking, listing: Listing) -> View:
        key = (listing.element, asking.region)
        if key not in self._shared:
            self._shared[key] = _shared_by_anyone(self._estate, asking.region, listing)
        return View(asking.account, asking.region, listing, self._shared[key])

    def _unasked(
        self, asking: Asking, listing: Listing, found: list[Record], own: Mapping[str, Record]
    ) -> list[Record]:
        """Return what nobody asked for: a thing of the account's own, and one that stands nowhere."""
        asked = {thing[listing.id_name] for thing in found}
        others = [thing for one, thing in own.items() if one not in asked][:1]
        seal = hashlib.sha256(self._place(asking).encode()).hexdigest()[:16]
        invented = [{**thing, listing.id_name: f"{listing.prefix}0{seal}"} for thing in (*others, *found)[:1]]
        return others + invented

    def _fragment(self, region: str, listing: Listing, thing: Record) -> str:
        key = (region, thing[listing.id_name])
        found = self._fragments.get(key)
        if found is None:
            found = self._fragments[key] = f"<item>{ec2_xml.fragment(thing)}</item>"
        return found

    def _place(self, asking: Asking) -> str:
        """Return what a token of this request is sealed with: it is good for the same question only."""
        return f"{self._estate.seed}/{asking.operation}/{asking.account.id}/{asking.region}/{digest(asking.form)}"


def _shared_by_anyone(estate: Estate, region: str, listing: Listing) -> dict[str, Thing]:
    """Return what any account has shared with anyone in a Region."""
    return {
        one: Thing(account.id, held(afterlife, listing)[one], tuple(permissions))
        for account in estate.accounts
        for afterlife in [account.afterlife.get(region)]
        for one, permissions in granted(afterlife, listing).items()
        if one in held(afterlife, listing)
    }


def _set(listing: Listing, items: str, token: str | None) -> str:
    following = "" if token is None else f"<nextToken>{token}</nextToken>"
    return f"<{listing.element}>{items}</{listing.element}>{following}"
