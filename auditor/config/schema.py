"""The JSON Schema of accounts.yaml, for editors: made from the classes that read it, so that both take the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from auditor.config.acceptances import ACCEPTED_GAPS, WAIVERS, AcceptedGapEntry, WaiverEntry
from auditor.config.accepting import NARROWED_BY, REASONS, SOURCES
from auditor.config.destinations import LONGEST_NAME, NAMED_AS
from auditor.config.durations import format_duration
from auditor.config.entries import Document
from auditor.config.environment import NAME
from auditor.config.own import ExpressionSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic import BaseModel

    from auditor.config.settings import DestinationSettings, PolicySettings

_VARIABLE = {"type": "string", "pattern": rf"\$\{{{NAME}\}}"}
"""A text that is made of the environment: what it holds is not known before the run."""

_PATTERN = {"type": "string", "pattern": "[*?]"}
"""A text that stands for several names."""


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        # Pydantic would write P3D, which the file does not take.
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema(
    policy_settings: Mapping[str, type[PolicySettings]],
    known_regions: Collection[str],
    destination_settings: Mapping[str, type[DestinationSettings]] | None = None,
) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, with the policies and Regions that are known now.

    It takes what `load_config` takes, as far as it can be said: not that accounts are listed once, for one.
    """
    kinds = destination_settings or {}
    classes: list[type[BaseModel]] = [
        Document,
        ExpressionSettings,
        *policy_settings.values(),
        *kinds.values(),
    ]
    refs, whole = models_json_schema(
        [(model, "validation") for model in classes], schema_generator=_Generator
    )
    definitions = {name: _tidy(schema) for name, schema in whole["$defs"].items()}
    root = definitions.pop(_name(refs[Document, "validation"]))
    root["properties"]["policies"] |= {
        "properties": {policy: refs[settings, "validation"] for policy, settings in policy_settings.items()},
        # A policy that is not known is one of one's own, which its expression makes it.
        "additionalProperties": refs[ExpressionSettings, "validation"],
    }
    arms = [
        _destination(definitions, _name(refs[settings, "validation"]), kind)
        for kind, settings in kinds.items()
    ]
    root["properties"]["destinations"] |= {
        "propertyNames": {"pattern": NAMED_AS, "maxLength": LONGEST_NAME},
        "additionalProperties": {"anyOf": arms} if arms else False,
    }
    root["dependentRequired"] = {"destinations": ["history"]}
    for level in ("Defaults", "AccountEntry"):
        definitions[level]["properties"]["regions"] |= _regions(known_regions)
        definitions[level]["not"] = {"required": ["role_name", "role_arn"]}
        settings = definitions[level]["properties"]
        definitions[level]["properties"] = {key: _not_null(setting) for key, setting in settings.items()}
    definitions["Defaults"]["dependentRequired"] = {"hub_external_id": ["hub_role_arn"]}
    definitions["OrganizationEntry"]["dependentRequired"] = {"external_id": ["role_arn"]}
    for level in ("OrganizationEntry", "SelectionEntry", "HistoryEntry"):
        settings = definitions[level]["properties"]
        definitions[level]["properties"] = {key: _not_null(setting) for key, setting in settings.items()}
    definitions["SelectionEntry"]["minProperties"] = 1
    for key in ("organization", "history"):
        root["properties"][key] = _not_null(root["properties"][key])
    for setting in definitions["AccountEntry"]["properties"].values():
        setting.pop("default", None)  # an account's defaults are those under defaults
    known = {"policy": policy_settings, "region": known_regions, "source": SOURCES, "reason": REASONS}
    for kind, entry in ((WAIVERS, WaiverEntry), (ACCEPTED_GAPS, AcceptedGapEntry)):
        _narrowed(definitions[entry.__name__], NARROWED_BY[kind], known)
    has_role = {"anyOf": [{"required": ["role_name"]}, {"required": ["role_arn"]}]}
    root["anyOf"] = [
        {"required": ["defaults"], "properties": {"defaults": has_role}},
        {"properties": {"accounts": {"items": has_role}}, "not": {"required": ["organization"]}},
    ]
    # A list that may be left out, or be empty, where an organisation says which accounts there are.
    root["required"].remove("accounts")
    del root["properties"]["accounts"]["minItems"]
    root["allOf"] = [
        {
            "anyOf": [
                {"required": ["organization"]},
                {"required": ["accounts"], "properties": {"accounts": {"minItems": 1}}},
            ]
        }
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "accounts.yaml",
        **root,
        "$defs": definitions,
    }


def _destination(definitions: dict[str, Any], name: str, kind: str) -> dict[str, Any]:
    """Return the reference to a kind of destination, whose type and secrets are told of in its definition."""
    definition = definitions[name]
    properties = {key: _not_null(setting) for key, setting in definition["properties"].items()}
    definition["properties"] = properties | {"type": {"const": kind}}
    return {"$ref": f"#/$defs/{name}"}


def _regions(known: Collection[str]) -> dict[str, Any]:
    region = {"anyOf": [{"type": "string", "enum": sorted(known)}, _VARIABLE]}
    listed = {"type": "array", "items": region, "minItems": 1, "uniqueItems": True}
    return {"anyOf": [{"const": "all"}, listed, _VARIABLE]}


def _narrowed(
    definition: dict[str, Any], keys: tuple[str, ...], known: Mapping[str, Collection[str]]
) -> None:
    """Say in the schema of a waiver or accepted gap that one of `keys` is there, and holds a known name or a pattern."""
    properties = {key: _not_null(setting) for key, setting in definition["properties"].items()}
    for key in keys:
        if key in known:
            properties[key] = {
                "description": properties[key]["description"],
                "anyOf": [{"type": "string", "enum": sorted(known[key])}, _PATTERN, _VARIABLE],
            }
    definition["properties"] = properties
    definition["anyOf"] = [{"required": [key]} for key in keys]


def _not_null(setting: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key that is left out where it has no value: None is its default, and nothing to write."""
    if "anyOf" not in setting:
        return setting
    arms = [arm for arm in setting.get("anyOf", ()) if arm != {"type": "null"}]
    rest = {key: value for key, value in setting.items() if key != "anyOf"}
    return rest | (arms[0] if len(arms) == 1 else {"anyOf": arms})


def _tidy(schema: Any) -> Any:
    """Return `schema` without pydantic's titles and null defaults, and with `${NAME}` taken for any text."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            # Not keywords but names of keys, of which one may be called title.
            tidy[key] = {name: _tidy(item) for name, item in value.items()}
        elif key != "title" and (key != "default" or value is not None):
            tidy[key] = _tidy(value)
    limited: dict[str, Any] = {
        key: tidy.pop(key) for key in ("pattern", "enum", "minLength", "maxLength") if key in tidy
    }
    if limited and tidy.get("type") == "string":
        del tidy["type"]
        tidy["anyOf"] = [{"type": "string", **limited}, _VARIABLE]
    else:
        tidy |= limited
    return tidy


def _name(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
