"""The roles that members need, as CloudFormation and as Terraform: who assumes it and the ExternalId are parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from auditor.inventory.permissions import delivery_policy, member_policy, role_need, trust_policy

if TYPE_CHECKING:
    from auditor.inventory.permissions import Needs, RoleNeed

_DESCRIPTION = (
    "The role with which auditor reads the export snapshot records of Amazon Lightsail in this account."
)
_OF_PRINCIPAL = "The ARN of who assumes the role: the hub role, or whoever runs auditor."
_OF_EXTERNAL_ID = "The ExternalId that auditor is configured with for this account."
_PRINCIPAL_PATTERN = "^arn:aws:iam::[0-9]{12}:(root|(user|role)/.+)$"
_EXTERNAL_ID_PATTERN = "^[A-Za-z0-9_+=,.@:/-]{2,1224}$"
_POLICY_NAME = "LightsailExportAudit"


_POLICY_OF_DELIVERY = "LightsailExportAuditDelivery"
_OF_DELIVERY = "The role with which auditor imports its findings into Security Hub in this account."
_OF_EXTERNAL_ID_OF_DELIVERY = "The ExternalId that auditor's destination is configured with."


@dataclass(frozen=True, slots=True)
class _Role:
    """A role of every member, and what its parts are called: by CloudFormation, and by Terraform."""

    need: RoleNeed
    description: str
    policy_name: str
    policy: dict[str, Any]
    resource: tuple[str, str]
    external_id: tuple[str, str]
    of_external_id: str


def _roles(needs: Needs) -> list[_Role]:
    roles = [
        _Role(
            needs.member,
            _DESCRIPTION,
            _POLICY_NAME,
            member_policy(needs),
            ("AuditRole", "auditor"),
            ("ExternalId", "external_id"),
            _OF_EXTERNAL_ID,
        )
    ]
    if needs.delivery is not None:
        roles.append(
            _Role(
                role_need(needs.delivery),
                _OF_DELIVERY,
                _POLICY_OF_DELIVERY,
                delivery_policy(needs.delivery),
                ("DeliveryRole", "auditor_delivery"),
                ("DeliveryExternalId", "delivery_external_id"),
                _OF_EXTERNAL_ID_OF_DELIVERY,
            )
        )
    return roles


def cloudformation(needs: Needs) -> str:
    """Return a template in YAML that a stack, or a StackSet over all members, makes the roles of."""
    principal: dict[str, Any] = {
        "Type": "String",
        "Description": _OF_PRINCIPAL,
        "AllowedPattern": _PRINCIPAL_PATTERN,
    }
    if needs.member_principal is not None:
        principal["Default"] = needs.member_principal
    parameters = {"Principal": principal}
    resources: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for role in _roles(needs):
        name, external_id = role.resource[0], role.external_id[0]
        if role.need.has_external_id:
            parameters[external_id] = {
                "Type": "String",
                "NoEcho": True,
                "Description": role.of_external_id,
                "AllowedPattern": _EXTERNAL_ID_PATTERN,
            }
        trust = trust_policy(role.need, {"Ref": "Principal"}, {"Ref": external_id})
        properties = {
            "RoleName": role.need.name,
            "Path": role.need.path,
            "Description": role.description,
            "MaxSessionDuration": role.need.longest_session,
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": role.policy_name, "PolicyDocument": role.policy}],
        }
        resources[name] = {"Type": "AWS::IAM::Role", "Properties": properties}
        outputs["RoleArn" if not outputs else f"{name}Arn"] = {"Value": {"Fn::GetAtt": [name, "Arn"]}}
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": _DESCRIPTION,
        "Parameters": parameters,
        "Resources": resources,
        "Outputs": outputs,
    }
    return yaml.dump(template, Dumper=_Plain, sort_keys=False, width=110)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: an alias is no part of CloudFormation's YAML."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def terraform(needs: Needs) -> str:
    """Return the roles for Terraform's AWS provider."""
    default = f"  default     = {_text(needs.member_principal)}\n" if needs.member_principal else ""
    variables = [
        (
            'variable "principal" {\n'
            f"  description = {_text(_OF_PRINCIPAL)}\n"
            f"  type        = string\n{default}}}\n"
        )
    ]
    resources: list[str] = []
    outputs: list[str] = []
    for role in _roles(needs):
        name, external_id = role.resource[1], role.external_id[1]
        if role.need.has_external_id:
            variables.append(
                f'variable "{external_id}" {{\n'
                f"  description = {_text(role.of_external_id)}\n"
                "  type        = string\n"
                "  sensitive   = true\n"
                "}\n"
            )
        trust = trust_policy(role.need, _Expression("var.principal"), _Expression(f"var.{external_id}"))
        resources += [
            (
                f'resource "aws_iam_role" "{name}" {{\n'
                f"  name                 = {_text(role.need.name)}\n"
                f"  path                 = {_text(role.need.path)}\n"
                f"  description          = {_text(role.description)}\n"
                f"  max_session_duration = {role.need.longest_session}\n"
                f"  assume_role_policy   = jsonencode({_value(trust)})\n"
                "}\n"
            ),
            (
                f'resource "aws_iam_role_policy" "{name}" {{\n'
                f"  name   = {_text(role.policy_name)}\n"
                f"  role   = aws_iam_role.{name}.id\n"
                f"  policy = jsonencode({_value(role.policy)})\n"
                "}\n"
            ),
        ]
        output = "role_arn" if not outputs else "delivery_role_arn"
        outputs.append(f'output "{output}" {{\n  value = aws_iam_role.{name}.arn\n}}\n')
    return "\n".join([*variables, *resources, *outputs])


class _Expression(str):
    """What stands in Terraform's text without quotes."""

    __slots__ = ()


def _value(value: Any, indent: str = "  ") -> str:
    """Return a policy document as Terraform writes objects and lists."""
    inner = indent + "  "
    if isinstance(value, dict):
        lines = "".join(f"{inner}{_text(key)} = {_value(item, inner)}\n" for key, item in value.items())
        return f"{{\n{lines}{indent}}}"
    if isinstance(value, list):
        lines = "".join(f"{inner}{_value(item, inner)},\n" for item in value)
        return f"[\n{lines}{indent}]"
    return str(value) if isinstance(value, _Expression) else _text(value)


def _text(text: str) -> str:
    # Terraform's quoted texts take JSON's escapes, and two more signs mean something in them.
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
