"""Answers of AWS's JSON services, parsed by orjson.

botocore's own parser walks every shape of a page, which costs twenty times the parsing, and takes some bodies that
are no JSON for an empty answer. Here an answer with status 200 is what its JSON says or a `BadResponse`; every
other answer is an error and goes to botocore's parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory

from auditor.aws.failures import BadResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

_OK = 200
_ERRORS_FROM = 300


class FastJSONParser(AioJSONParser):
    """A parser of AWS JSON 1.1 answers. Times stay what AWS sends: seconds since the epoch."""

    async def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the answer's members, or for an error botocore's description of it.

        :raises BadResponse: where a success is not a JSON object.
        """
        status = response["status_code"]
        if status >= _ERRORS_FROM:
            return await self._parse_error(response, shape)
        if status != _OK:
            raise BadResponse(f"HTTP {status} where 200 was due")
        try:
            parsed = orjson.loads(response["body"])
        except orjson.JSONDecodeError as error:
            raise BadResponse(f"a body that is no JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise BadResponse(f"a body that is no JSON object but a {type(parsed).__name__}")
        metadata = {"HTTPStatusCode": status, "RequestId": response["headers"].get("x-amzn-requestid")}
        return parsed | {"ResponseMetadata": metadata}

    async def _parse_error(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = await super().parse(response, shape)
        except Exception as error:  # noqa: BLE001 -- botocore raises whatever a hostile body makes it stumble over
            message = f"an error whose body can't be read: {type(error).__name__}"
            parsed = {"Error": {"Code": str(response["status_code"]), "Message": message}}
            parsed["ResponseMetadata"] = {"HTTPStatusCode": response["status_code"]}
        return parsed


class ParserFactory(AioResponseParserFactory):
    """Gives the fast parser to JSON services, and botocore's own to the others."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser for the protocol."""
        return _JSON if protocol_name == "json" else super().create_parser(protocol_name)


_JSON = FastJSONParser()  # holds no state: one serves all
