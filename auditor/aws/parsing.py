"""Answers of AWS, parsed so that none is taken for what it is not.

botocore's own JSON parser walks every shape of a page, which costs twenty times the parsing, and takes some bodies
that are no JSON for an empty answer. Here an answer with status 200 is what its JSON says, read by orjson, or a
`BadResponse`; so is one of EC2's, whose XML is read as it stands. Errors, and the XML of STS, go to botocore's
parsers, which stumble over what is neither JSON nor XML with whatever exception that happens to raise.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import orjson
from aiobotocore.parsers import (
    AioEC2QueryParser,
    AioJSONParser,
    AioQueryParser,
    AioResponseParser,
    AioResponseParserFactory,
    AioRestJSONParser,
)

from auditor.aws.failures import BadResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

_OK = 200
_ERRORS_FROM = 300


class JSONParser(AioJSONParser):
    """A parser of AWS JSON 1.1. Times stay what AWS sends: seconds since the epoch."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not a JSON object.
        """
        status = response["status_code"]
        return (
            _json(response) if status == _OK else await _by_botocore(super().parse(response, shape), status)
        )


class RestJSONParser(AioRestJSONParser):
    """A parser of REST-JSON, whose members all stand in the body where it is called here."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not a JSON object.
        """
        status = response["status_code"]
        return (
            _json(response) if status == _OK else await _by_botocore(super().parse(response, shape), status)
        )


def _json(response: Mapping[str, Any]) -> dict[str, Any]:
    try:
        parsed = orjson.loads(response["body"])
    except orjson.JSONDecodeError as error:
        raise BadResponse(f"a body that is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadResponse(f"a body that is no JSON object but a {type(parsed).__name__}")
    request_id = response["headers"].get("x-amzn-requestid")
    return parsed | {"ResponseMetadata": {"HTTPStatusCode": response["status_code"], "RequestId": request_id}}


class QueryParser(AioQueryParser):
    """A parser of STS's XML."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not the XML that it should be.
        """
        return await _by_botocore(super().parse(response, shape), response["status_code"])


class EC2Parser(AioEC2QueryParser):
    """A parser of EC2's XML: the members that are read, by the names that they have there, texts as texts.

    botocore's own walks the shape of an image, 60 members deep and wide, which costs more than all else of a call.
    """

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not the XML that it should be.
        """
        status = response["status_code"]
        if status != _OK:
            return await _by_botocore(super().parse(response, shape), status)
        try:
            root = ET.fromstring(response["body"])  # noqa: S314 -- expat 2.4.1 and later refuse entity bombs
        except (ET.ParseError, ValueError, LookupError) as error:
            raise BadResponse(f"a body that is no XML: {error}") from error
        if len(root) == 0:
            raise BadResponse("a body that holds nothing")
        namespace, brace, _ = root.tag.rpartition("}")
        members = _members(root, _names(namespace + brace))
        return members | {
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": members.get("requestId")}
        }


def _members(element: ET.Element, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what is read of an element of EC2's: lists, mappings and texts, by the names of its members."""
    members: dict[str, Any] = {}
    for child in element:
        name = names.get(child.tag)
        if name is None:
            continue
        if name in _EC2_LISTS:
            members[name] = [_members(item, names) for item in child]
        else:
            members[name] = _members(child, names) if len(child) else child.text or ""
    return members


@lru_cache(maxsize=16)
def _names(namespace: str) -> Mapping[str, str]:
    """Return the names of the members that are read, by what they are called in this namespace."""
    return {f"{namespace}{name}": name for name in _EC2_LISTS | _EC2_MEMBERS}


async def _by_botocore(parsing: Awaitable[dict[str, Any]], status: int) -> dict[str, Any]:
    try:
        parsed = await parsing
    except Exception as error:
        text = f"a body that can't be read: {type(error).__name__}"
        if status < _ERRORS_FROM:
            raise BadResponse(text) from error
        return {
            "Error": {"Code": str(status), "Message": text},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
    if status < _ERRORS_FROM and status != _OK:
        raise BadResponse(f"HTTP {status} where 200 was due")
    return parsed


class ParserFactory(AioResponseParserFactory):
    """Gives each protocol its parser, and botocore's own to those that are not called here."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser for the protocol."""
        return _PARSERS.get(protocol_name) or super().create_parser(protocol_name)


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

_PARSERS: dict[str, AioResponseParser] = {
    "json": JSONParser(),
    "rest-json": RestJSONParser(),
    "query": QueryParser(),
    "ec2": EC2Parser(),
}
"""They hold no state: one of each serves every call."""
