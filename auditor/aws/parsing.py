"""Answers of AWS, parsed so that none is taken for what it is not.

botocore's own JSON parser walks every shape of a page, which costs twenty times the parsing, and takes some bodies
that are no JSON for an empty answer. Here an answer with status 200 is what its JSON says, read by orjson, or a
`BadResponse`; so is one of EC2's, whose XML is read as it stands. Errors, and the XML of STS, go to botocore's
parsers, which stumble over what is neither JSON nor XML with whatever exception that happens to raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobotocore.parsers import (
    AioEC2QueryParser,
    AioJSONParser,
    AioQueryParser,
    AioResponseParser,
    AioRestJSONParser,
)

from auditor.aws.bodies import ec2_members, json_members
from auditor.aws.failures import BadResponse
from auditor.aws.hearing import hear

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
        hear(response)
        status = response["status_code"]
        return (
            _json(response) if status == _OK else await _by_botocore(super().parse(response, shape), status)
        )


class QueryParser(AioQueryParser):
    """A parser of STS's XML."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not the XML that it should be.
        """
        hear(response)
        return await _by_botocore(super().parse(response, shape), response["status_code"])


class RestJSONParser(AioRestJSONParser):
    """A parser of REST-JSON, whose members all stand in the body where it is called here."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not a JSON object.
        """
        hear(response)
        status = response["status_code"]
        return (
            _json(response) if status == _OK else await _by_botocore(super().parse(response, shape), status)
        )


def _json(response: Mapping[str, Any]) -> dict[str, Any]:
    request_id = response["headers"].get("x-amzn-requestid")
    metadata = {"HTTPStatusCode": response["status_code"], "RequestId": request_id}
    return json_members(response["body"]) | {"ResponseMetadata": metadata}


class EC2Parser(AioEC2QueryParser):
    """A parser of EC2's XML: the members that are read, by the names that they have there, texts as texts.

    botocore's own walks the shape of an image, 60 members deep and wide, which costs more than all else of a call.
    """

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not the XML that it should be.
        """
        hear(response)
        status = response["status_code"]
        if status != _OK:
            return await _by_botocore(super().parse(response, shape), status)
        members = ec2_members(response["body"])
        return members | {
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": members.get("requestId")}
        }


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


PARSERS: dict[str, AioResponseParser] = {
    "json": JSONParser(),
    "query": QueryParser(),
    "ec2": EC2Parser(),
    "rest-json": RestJSONParser(),
}
"""They hold no state: one of each serves every call."""
