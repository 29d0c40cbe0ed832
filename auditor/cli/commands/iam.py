"""`auditor iam`: what has to be allowed to whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from auditor.cli.options import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.config import Config
    from auditor.inventory.permissions import Needs
    from auditor.model import Account

_KINDS = (
    "all",
    "policy",
    "trust",
    "cloudformation",
    "terraform",
    "delivery-policy",
    "delivery-trust",
    "hub-policy",
    "hub-trust",
    "organization-policy",
    "organization-trust",
    "base-policy",
)


@click.command(short_help="Print the role that members need, and nothing beyond.")
@config_option
@click.option(
    "--as",
    "kind",
    metavar="WHAT",
    type=click.Choice(_KINDS),
    default="all",
    show_default=True,
    help="What is printed: one of those above.",
)
@click.option(
    "--principal",
    metavar="ARN",
    help="The role or user that runs auditor, for trust policies.  [default: a placeholder]",
)
@click.option(
    "--account",
    metavar="ID",
    help="The role of this account.  [default: the one that most accounts need]",
)
@click.option(
    "--with-delivery",
    "delivery",
    metavar="TYPE",
    type=click.Choice(("security-hub",)),
    help="What a destination of this type needs in every account as well: security-hub.",
)
def command(
    config_path: Path, kind: str, principal: str | None, account: str | None, delivery: str | None
) -> int:
    """Print what has to be allowed for the audit: the very actions that the enabled policies use.

    \b
      all                  every document below as one JSON object, by whose it is
      policy, trust        the members' role: IAM policy, trust policy (JSON)
      cloudformation       the members' roles in YAML, for StackSets too
      terraform            the members' roles as Terraform
      delivery-policy, delivery-trust
                           the role to deliver with, asked for by --with-delivery
      hub-policy, hub-trust
                           the hub role, where there is one
      organization-policy, organization-trust
                           the role that reads the organisation, if any
      base-policy          what whoever runs auditor needs

    Makes no call to AWS. ExternalIds are never printed: a parameter or a placeholder stands for each.
    """  # noqa: D301 -- \b keeps click from filling the lines
    from auditor.cli.standard import complain, say
    from auditor.inventory.permissions import needs_of
    from auditor.library import load_config
    from auditor.policies import actions_of, catalogue_of

    config = load_config(config_path)
    enabled = {policy: settings for policy, settings in config.policies.items() if settings.enabled}
    actions = actions_of(catalogue_of(config.policies), enabled)
    needs = needs_of(
        config, actions, principal, account, delivery_role(config) if delivery is not None else None
    )
    text = _written(needs, kind)
    say(text)
    for note in _notes(needs, kind, text):
        complain(f"auditor: {note}\n")
    return 0


def delivery_role(config: Config) -> Account:
    """Return the role that findings are imported with, as some account has it.

    :raises UsageError: where there is no such destination, or there are several with a role each.
    """
    from auditor.delivery.security_hub import Settings, import_as
    from auditor.errors import UsageError
    from auditor.model import shown

    roles = {
        receiver.name: import_as(receiver, receiver.settings).role_of("0" * 12)
        for receiver in config.destinations
        if isinstance(receiver.settings, Settings)
    }
    if not roles:
        raise UsageError(
            f"--with-delivery security-hub: {shown(config.path)} has no destination of this type; add one first"
        )
    role, *others = roles.values()
    if any(other != role for other in others):
        raise UsageError(
            f"--with-delivery security-hub: {', '.join(roles)} import with a role each; give them the same role_name and "
            "external_id"
        )
    return role


def _written(needs: Needs, kind: str) -> str:
    from auditor.errors import UsageError
    from auditor.inventory.permissions import documents
    from auditor.inventory.templates import cloudformation, terraform

    if kind in ("cloudformation", "terraform"):
        return cloudformation(needs) if kind == "cloudformation" else terraform(needs)
    found = documents(needs)
    if kind == "all":
        return json.dumps(found, indent=2) + "\n"
    whose, _, which = kind.rpartition("-")
    document = found.get(whose or "member", {}).get(which)
    if document is None:
        if whose == "delivery":
            raise UsageError(f"--as {kind}: ask for it by --with-delivery security-hub")
        missing = "hub_role_arn under defaults" if whose == "hub" else "role_arn under organization"
        raise UsageError(f"--as {kind}: the configuration has no {missing}, so there is no such role")
    return json.dumps(document, indent=2) + "\n"


def _notes(needs: Needs, kind: str, text: str) -> list[str]:
    """Return what a reader has to know who takes the text for the whole."""
    from auditor.inventory.permissions import EXTERNAL_ID, PRINCIPAL

    notes = []
    if PRINCIPAL in text:
        notes.append(f"put the ARN of who runs auditor in place of {PRINCIPAL}, or name it with --principal")
    if EXTERNAL_ID in text:
        notes.append(f"put the ExternalId of the configuration in place of {EXTERNAL_ID}")
    if needs.delivery is not None:
        notes.append("the account at home of the destination needs the role to deliver with too")
    if needs.others and kind in ("all", "policy", "trust", "cloudformation", "terraform"):
        few = ", ".join(account.id for account in needs.others[:3])
        more = f" and {len(needs.others) - 3} more" if len(needs.others) > 3 else ""  # noqa: PLR2004 -- those named
        notes.append(f"{few}{more} need another role or trust than this one: see each with --account ID")
    return notes
