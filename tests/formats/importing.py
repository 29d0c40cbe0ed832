"""What Security Hub takes of ASFF: what botocore's model says of it, and the limits that this does not hold."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

# Security Hub API reference, AwsSecurityFinding and BatchImportFindings.
LARGEST = 240_000
LONGEST = {"Id": 512, "GeneratorId": 512, "Title": 256, "Description": 1_024}


@cache
def shape() -> Any:
    model = botocore.session.get_session().get_service_model("securityhub")
    return model.operation_model("BatchImportFindings").input_shape


def check_patterns_and_enums(value: Any, of: Any) -> None:
    """What the service's model says of texts, and botocore's validator leaves to the service."""
    kind = of.type_name
    if kind == "structure":
        for key, each in value.items():
            check_patterns_and_enums(each, of.members[key])
    elif kind == "list":
        for each in value:
            check_patterns_and_enums(each, of.member)
    elif kind == "map":
        for each in value.values():
            check_patterns_and_enums(each, of.value)
    elif kind == "string":
        assert re.fullmatch(of.metadata.get("pattern", "(?s).*"), value), (of.name, value)
        assert value in of.metadata.get("enum", [value]), (of.name, value)


def check(one: Any) -> None:
    """The service's limits, which its model does not hold."""
    assert len(json.dumps(one)) <= LARGEST
    for key, most in LONGEST.items():
        assert 0 < len(one[key].encode()) <= most, key
    assert re.fullmatch(r"\d{12}", one["AwsAccountId"])
    account = one["AwsAccountId"]
    assert one["ProductArn"] == f"arn:aws:securityhub:{one['Region']}:{account}:product/{account}/default"
    assert 1 <= len(one["Resources"]) <= 32
    assert all(len(resource["Id"].encode()) <= 512 for resource in one["Resources"])
    assert len(one["ProductFields"]) <= 50
    for key, value in one["ProductFields"].items():
        assert len(key.encode()) <= 128
        assert 0 < len(value.encode()) <= 2_048
    requirements = one["Compliance"].get("RelatedRequirements", [])
    assert len(requirements) <= 32
    assert all(len(each.encode()) <= 64 for each in requirements)
    text = one.get("Remediation", {}).get("Recommendation", {}).get("Text", "")
    assert len(text.encode()) <= 512


def imported(document: bytes) -> list[Any]:
    """The findings, after botocore and the service's limits have passed them."""
    request = json.loads(document)
    check_request(request)
    return list(request["Findings"])


def check_request(request: Any) -> None:
    """Look at what is imported at once."""
    errors = ParamValidator().validate(request, shape())
    assert not errors.has_errors(), errors.generate_report()
    check_patterns_and_enums(request, shape())
    for one in request["Findings"]:
        check(one)
