"""The role that members need, as CloudFormation and as Terraform: who assumes it and the ExternalId are parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from auditor.inventory.permissions import member_policy, trust_policy

if TYPE_CHECKING:
    from auditor.inventory.permissions import Needs

_DESCRIPTION = (
    "The role with which auditor reads the export snapshot records of Amazon Lightsail in this account."
)
_OF_PRINCIPAL = "The ARN of who assumes the role: the hub role, or whoever runs auditor."
_OF_EXTERNAL_ID = "The ExternalId that auditor is configured with for this account."
_PRINCIPAL_PATTERN = "^arn:aws:iam::[0-9]{12}:(root|(user|role)/.+)$"
_EXTERNAL_ID_PATTERN = "^[A-Za-z0-9_+=,.@:/-]{2,1224}$"
_POLICY_NAME = "LightsailExportAudit"


def cloudformation(needs: Needs) -> str:
    """Return a template in YAML that a stack, or a StackSet over all members, makes the role of."""
    role = needs.member
    principal: dict[str, Any] = {
        "Type": "String",
        "Description": _OF_PRINCIPAL,
        "AllowedPattern": _PRINCIPAL_PATTERN,
    }
    if needs.member_principal is not None:
        principal["Default"] = needs.member_principal
    parameters = {"Principal": principal}
    if role.has_external_id:
        parameters["ExternalId"] = {
            "Type": "String",
            "NoEcho": True,
            "Description": _OF_EXTERNAL_ID,
            "AllowedPattern": _EXTERNAL_ID_PATTERN,
        }
    properties = {
        "RoleName": role.name,
        "Path": role.path,
        "Description": _DESCRIPTION,
        "MaxSessionDuration": role.longest_session,
        "AssumeRolePolicyDocument": trust_policy(role, {"Ref": "Principal"}, {"Ref": "ExternalId"}),
        "Policies": [{"PolicyName": _POLICY_NAME, "PolicyDocument": member_policy(needs)}],
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": _DESCRIPTION,
        "Parameters": parameters,
        "Resources": {"AuditRole": {"Type": "AWS::IAM::Role", "Properties": properties}},
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["AuditRole", "Arn"]}}},
    }
    return yaml.dump(template, Dumper=_Plain, sort_keys=False, width=110)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: an alias is no part of CloudFormation's YAML."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def terraform(needs: Needs) -> str:
    """Return the role for Terraform's AWS provider."""
    role = needs.member
    default = f"  default     = {_text(needs.member_principal)}\n" if needs.member_principal else ""
    principal = (
        'variable "principal" {\n'
        f"  description = {_text(_OF_PRINCIPAL)}\n"
        f"  type        = string\n{default}}}\n"
    )
    parts = [principal]
    if role.has_external_id:
        parts.append(
            'variable "external_id" {\n'
            f"  description = {_text(_OF_EXTERNAL_ID)}\n"
            "  type        = string\n"
            "  sensitive   = true\n"
            "}\n"
        )
    trust = trust_policy(role, _Expression("var.principal"), _Expression("var.external_id"))
    parts.append(
        'resource "aws_iam_role" "auditor" {\n'
        f"  name                 = {_text(role.name)}\n"
        f"  path                 = {_text(role.path)}\n"
        f"  description          = {_text(_DESCRIPTION)}\n"
        f"  max_session_duration = {role.longest_session}\n"
        f"  assume_role_policy   = jsonencode({_value(trust)})\n"
        "}\n"
    )
    parts.append(
        'resource "aws_iam_role_policy" "auditor" {\n'
        f"  name   = {_text(_POLICY_NAME)}\n"
        "  role   = aws_iam_role.auditor.id\n"
        f"  policy = jsonencode({_value(member_policy(needs))})\n"
        "}\n"
    )
    parts.append('output "role_arn" {\n  value = aws_iam_role.auditor.arn\n}\n')
    return "\n".join(parts)


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
