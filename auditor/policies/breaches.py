"""What a policy may return: a breach whose every part can stand in a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import NoneType

from auditor.model import Cost, ExportRecord
from auditor.policies.contract import Breach, Resource

_DEEPEST = 20
"""Levels of nesting in evidence."""
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
"""The whole numbers that orjson writes."""


class NoBreachError(TypeError):
    """What a policy returned is no `Breach`: a bug in the policy."""


def check_breach(breach: object) -> None:
    """Let nothing but a breach, with the parts that a finding is made of, go for one.

    :raises NoBreachError: where a policy returned something else.
    """
    if not isinstance(breach, Breach):
        raise NoBreachError(f"the policy returned {type(breach).__name__}, and no Breach")
    message: object = breach.message
    evidence: object = breach.evidence
    record: object = breach.record
    if not isinstance(message, str) or not isinstance(evidence, Mapping):
        raise NoBreachError(
            "the policy returned a Breach whose message is no text, or whose evidence is no mapping"
        )
    if not isinstance(record, ExportRecord):
        raise NoBreachError("the policy returned a Breach of something else than a record")
    if not _can_be_written(evidence):
        raise NoBreachError("the policy returned evidence that JSON can't say, or that is nested too deeply")
    _check_what_may_be_missing(breach)


def _check_what_may_be_missing(breach: Breach) -> None:
    remediation: object = breach.remediation
    resource: object = breach.resource
    cost: object = breach.cost
    if not isinstance(remediation, (str, NoneType)):
        raise NoBreachError("the policy returned a Breach whose remediation is no text")
    if resource is not None and not _is_resource(resource):
        raise NoBreachError(
            "the policy returned a Breach whose resource is no Resource with the text of an ARN"
        )
    if cost is not None and not (isinstance(cost, Cost) and _can_be_written(asdict(cost))):
        raise NoBreachError("the policy returned a Breach whose cost is no Cost of a number and texts")


def _is_resource(resource: object) -> bool:
    if not isinstance(resource, Resource):
        return False
    arn: object = resource.arn
    others: tuple[object, ...] = (resource.type, resource.name)
    return isinstance(arn, str) and all(isinstance(each, (str, NoneType)) for each in others)


def _can_be_written(value: object, levels: int = _DEEPEST) -> bool:
    if value is None or isinstance(value, (str, bool, float)):
        return True
    if isinstance(value, int):
        return _SMALLEST <= value <= _LARGEST
    if isinstance(value, (dict, Mapping)) and levels:  # a dict is told from others at a look
        return all(isinstance(key, str) and _can_be_written(each, levels - 1) for key, each in value.items())
    if isinstance(value, (list, tuple)) and levels:
        return all(_can_be_written(each, levels - 1) for each in value)
    return False
