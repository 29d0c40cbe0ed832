"""OCSF's own schemas, by which each event that is made is validated."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS = ("1.8.0", "1.6.0", "1.3.0")
_CLASSES = {2003: "compliance_finding", 6007: "scan_activity"}


@cache
def _validator(version: str, class_uid: int) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
    return Draft202012Validator(schema.get_class_schema(_CLASSES[class_uid], ["cloud"]))


def validate(event: Mapping[str, Any]) -> None:
    """Hold an event to the schema of its class in its version.

    :raises ValidationError: where it is no such event.
    """
    _validator(event["metadata"]["version"], event["class_uid"]).validate(event)
