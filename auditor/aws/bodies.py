"""What the body of a success says, read from its bytes alone: the same for an answer that was kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import orjson

from auditor.aws.failures import BadResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.aws.sources import Source


def json_members(body: bytes) -> dict[str, Any]:
    """Return the members of an answer in AWS JSON 1.1. Times stay what AWS sends: seconds since the epoch.

    :raises BadResponse: where it is not a JSON object.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadResponse(f"a body that is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadResponse(f"a body that is no JSON object but a {type(parsed).__name__}")
    return parsed


def ec2_members(body: bytes) -> dict[str, Any]:
    """Return the members of EC2's XML that are read, by the names that they have there, texts as texts.

    :raises BadResponse: where it is not the XML that it should be.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 -- expat 2.4.1 and later refuse entity bombs
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BadResponse(f"a body that is no XML: {error}") from error
    if len(root) == 0:
        raise BadResponse("a body that holds nothing")
    namespace, brace, _ = root.tag.rpartition("}")
    return _members(root, _names(namespace + brace), _DEEPEST)


def page_of(source: Source, body: bytes) -> tuple[list[Any], str | None]:
    """Return the records of a page, and the token of the next one; None where it is the last.

    :raises BadResponse: where it is no page.
    """
    members = ec2_members(body) if source.service == "ec2" else json_members(body)
    prove_page(source, members)
    return members[source.records_key], members.get(source.response_token) or None


def prove_page(source: Source, members: Mapping[str, Any]) -> None:
    """Take nothing for a page that does not say which records it holds, and whether more follow.

    :raises BadResponse: where it does not.
    """
    if not isinstance(members.get(source.records_key), list):
        raise BadResponse(f"an answer without the list {source.records_key}")
    if not isinstance(members.get(source.response_token), str | None):
        raise BadResponse(f"a {source.response_token} that is no text")


def is_known(raw: Any, identity: str, seen: set[str | bytes]) -> bool:
    """Say whether this record was seen, by its identity or, where it has none, by all of it; and take note of it."""
    own = raw.get(identity) if isinstance(raw, dict) else None
    try:
        key = own if isinstance(own, str) and own else orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return False  # nested deeper than can be written again: it is counted whenever it comes
    if key in seen:
        return True
    seen.add(key)
    return False


def _members(element: ET.Element, names: Mapping[str, str], levels: int) -> dict[str, Any]:
    """Return what is read of an element of EC2's: lists, mappings and texts, by the names of its members.

    :param levels: how many more there may be below it.
    :raises BadResponse: where there are more.
    """
    if levels == 0:
        raise BadResponse("a body that is nested more deeply than any of EC2's")
    members: dict[str, Any] = {}
    for child in element:
        name = names.get(child.tag)
        if name is None:
            continue
        if name in _EC2_LISTS:
            members[name] = [_members(item, names, levels - 1) for item in child]
        else:
            members[name] = _members(child, names, levels - 1) if len(child) else child.text or ""
    return members


@lru_cache(maxsize=16)
def _names(namespace: str) -> Mapping[str, str]:
    """Return the names of the members that are read, by what they are called in this namespace."""
    return {f"{namespace}{name}": name for name in _EC2_LISTS | _EC2_MEMBERS}


_DEEPEST = 20
"""Levels of what is read of EC2's XML: an image's devices are the fourth."""
_EC2_LISTS = frozenset(
    "imagesSet snapshotSet volumeSet blockDeviceMapping launchPermission createVolumePermission".split()
)
"""The lists of EC2's answers that are read: an empty one looks like an empty text."""
_EC2_MEMBERS = frozenset(
    "requestId nextToken imageId name isPublic creationDate lastLaunchedTime imageState ebs snapshotId encrypted "
    "startTime volumeSize fullSnapshotSizeInBytes storageTier status volumeId group userId organizationArn "
    "organizationalUnitArn".split()
)
"""All else that `auditor.aws.ec2` reads, and what tells of the answer; an image alone has 40 members more."""
