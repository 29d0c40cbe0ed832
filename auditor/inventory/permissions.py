"""What has to be allowed to whom, for an audit as it is configured: policy documents of IAM, and nothing in them else."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.aws.session_policy import chain_actions, policy_document
from auditor.errors import UsageError
from auditor.model import ORGANIZATION_ACTIONS, PARTITION, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.config import Config
    from auditor.model import Account

PRINCIPAL = "REPLACE-WITH-THE-ARN-OF-WHO-RUNS-AUDITOR"
EXTERNAL_ID = "REPLACE-WITH-THE-EXTERNAL-ID"
"""What stands where something has to be filled in: an ExternalId is printed nowhere."""

_PRINCIPAL = re.compile(r"arn:aws:iam::[0-9]{12}:(?:root|(?:user|role)/[\x21-\x7e]+)")
_SESSION = re.compile(r"arn:aws:sts::(?P<account>[0-9]{12}):assumed-role/(?P<name>[^/]+)/.+")
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class RoleNeed:
    """A role as accounts need it; several may need the same one."""

    path: str
    """With a slash at either end."""
    name: str
    has_external_id: bool
    has_tags: bool
    has_source_identity: bool
    longest_session: int
    """Seconds."""

    @property
    def trust_actions(self) -> tuple[str, ...]:
        """What its trust policy has to allow."""
        return chain_actions(tags=self.has_tags, source_identity=self.has_source_identity)


@dataclass(frozen=True, slots=True)
class Needs:
    """All that an audit needs, as it is configured."""

    member: RoleNeed
    """The role that most accounts need."""
    others: tuple[Account, ...]
    """The accounts that need another one than that."""
    member_actions: tuple[str, ...]
    member_principal: str | None
    """Who assumes the members' roles; None where that is not known."""
    base_principal: str | None
    """Who runs the audit; None where that is not known."""
    role_arns: tuple[str, ...]
    """The members' roles, an account's id being `*` where several share the rest."""
    trust_actions: tuple[str, ...]
    """What whoever assumes them needs: all that any one of them does."""
    hub: Account | None
    organization: Account | None
    """Whose role reads the organisation."""
    reads_organization: bool
    delivery: Account | None = None
    """A role as findings are delivered with, which every account has; None where that is not asked about."""


def needs_of(
    config: Config,
    actions: Iterable[str],
    principal: str | None,
    account: str | None,
    delivery: Account | None = None,
) -> Needs:
    """Return what an audit of `config` needs that calls `actions` in its accounts.

    :param principal: the ARN of who runs it.
    :param account: the id of the one account that is asked about; None for the role that most accounts need.
    :param delivery: the role of any account with which findings are delivered there, where that is asked about too.
    :raises UsageError: where there is no such account, or the principal is none.
    """
    if principal is not None:
        _check_principal(principal)
    organization = config.organization
    accounts = list(config.accounts)
    if organization is not None:
        accounts.append(organization.found("0" * 12, None))
    chosen = [one for one in accounts if account in (None, one.id)]
    if not chosen:
        raise UsageError(f"--account {shown(str(account))}: no account of {shown(config.path)}")
    member = Counter(map(role_need, chosen)).most_common(1)[0][0]
    hub = config.hub
    return Needs(
        member=member,
        others=tuple(one for one in chosen if role_need(one) != member),
        member_actions=tuple(sorted(actions)),
        member_principal=hub.role_arn if hub is not None else principal,
        base_principal=principal,
        role_arns=_patterns(accounts),
        trust_actions=_union(accounts),
        hub=hub,
        organization=organization.lister() if organization is not None else None,
        reads_organization=organization is not None,
        delivery=delivery,
    )


def role_need(account: Account) -> RoleNeed:
    """Return the role that an account needs."""
    whole = account.role_arn.split(":", 5)[5].removeprefix("role")
    path, _, name = whole.rpartition("/")
    return RoleNeed(
        path=f"{path}/",
        name=name,
        has_external_id=account.external_id is not None,
        has_tags=bool(account.session_tags),
        has_source_identity=account.source_identity is not None,
        longest_session=max(_HOUR, account.session_duration) if account.hub is None else _HOUR,
    )


def member_policy(needs: Needs) -> dict[str, Any]:
    """Return what a member's role may do: to call what the enabled policies need, all of which only lists."""
    return policy_document(
        {"Sid": "Audit", "Effect": "Allow", "Action": list(needs.member_actions), "Resource": "*"}
    )


def trust_policy(role: RoleNeed, principal: object, external_id: object = EXTERNAL_ID) -> dict[str, Any]:
    """Return who may assume a role, and how; both are texts, or what a template has in place of them."""
    who = {"Effect": "Allow", "Principal": {"AWS": principal}}
    assume, *others = role.trust_actions
    statement: dict[str, Any] = {"Sid": "Assume", **who, "Action": assume}
    if role.has_external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    # By themselves these give nothing; what they go with has to know the ExternalId.
    return policy_document(statement, *([{"Sid": "SayWhoAsks", **who, "Action": others}] if others else []))


def member_trust(needs: Needs) -> dict[str, Any]:
    """Return the trust policy of a member's role."""
    return trust_policy(needs.member, needs.member_principal or PRINCIPAL)


def delivery_policy(role: Account) -> dict[str, Any]:
    """Return what the role may do that findings are delivered with: to import those of its own account's product."""
    # Service Authorization Reference, AWS Security Hub: the product is what a finding's ProductArn names.
    product = f"arn:{PARTITION}:securityhub:*:*:product/*/default"
    return policy_document(
        {"Sid": "Deliver", "Effect": "Allow", "Action": list(role.actions), "Resource": product}
    )


def assume_policy(needs: Needs) -> dict[str, Any]:
    """Return what whoever assumes the members' roles needs: the hub where there is one, else the base credentials."""
    members = _may_assume("AssumeMembers", needs.trust_actions, needs.role_arns)
    if needs.delivery is None:
        return members
    actions, roles = role_need(needs.delivery).trust_actions, _patterns([needs.delivery])
    return policy_document(*members["Statement"], *_may_assume("AssumeDelivery", actions, roles)["Statement"])


def documents(needs: Needs) -> dict[str, dict[str, Any]]:
    """Return every document by whose it is: `member`, `delivery`, `hub`, `organization` and `base`."""
    found = {"member": {"policy": member_policy(needs), "trust": member_trust(needs)}}
    if needs.delivery is not None:
        found["delivery"] = {
            "policy": delivery_policy(needs.delivery),
            "trust": trust_policy(role_need(needs.delivery), needs.member_principal or PRINCIPAL),
        }
    base = []
    if needs.hub is None:
        base += assume_policy(needs)["Statement"]
    else:
        hub = role_need(needs.hub)
        found["hub"] = {
            "policy": assume_policy(needs),
            "trust": trust_policy(hub, needs.base_principal or PRINCIPAL),
        }
        base += _may_assume("AssumeHub", hub.trust_actions, (needs.hub.role_arn,))["Statement"]
    if needs.reads_organization:
        read = policy_document(
            {"Sid": "Organization", "Effect": "Allow", "Action": list(ORGANIZATION_ACTIONS), "Resource": "*"}
        )
        lister = needs.organization
        if lister is None:
            base += read["Statement"]
        else:
            role, behind_hub = role_need(lister), lister.hub is not None
            principal = needs.member_principal if behind_hub else needs.base_principal
            found["organization"] = {"policy": read, "trust": trust_policy(role, principal or PRINCIPAL)}
            may = _may_assume("AssumeOrganization", role.trust_actions, (lister.role_arn,))["Statement"]
            (found["hub"]["policy"]["Statement"] if behind_hub else base).extend(may)
    return found | {"base": {"policy": policy_document(*base)}}


def _may_assume(sid: str, actions: Sequence[str], roles: Sequence[str]) -> dict[str, Any]:
    return policy_document({"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(roles)})


def _patterns(accounts: Iterable[Account]) -> tuple[str, ...]:
    by_rest: dict[str, list[str]] = {}
    for account in accounts:
        by_rest.setdefault(account.role_arn.replace(account.id, "*", 1), []).append(account.role_arn)
    # The id of an account that an organisation has is not known yet.
    return tuple(
        sorted(
            arns[0] if len(arns) == 1 and "0" * 12 not in arns[0] else rest for rest, arns in by_rest.items()
        )
    )


def _union(accounts: Iterable[Account]) -> tuple[str, ...]:
    needs = [role_need(account) for account in accounts]
    return chain_actions(
        tags=any(need.has_tags for need in needs),
        source_identity=any(need.has_source_identity for need in needs),
    )


def _check_principal(principal: str) -> None:
    session = _SESSION.fullmatch(principal)
    if session is not None:
        raise UsageError(
            f"--principal {shown(principal)} is one session; name its role: "
            f"arn:aws:iam::{session['account']}:role/{shown(session['name'])}, with its path if it has one"
        )
    if _PRINCIPAL.fullmatch(principal) is None:
        raise UsageError(
            f"--principal {shown(principal)} is no ARN of a role, a user or an account; "
            'write one such as "arn:aws:iam::999988887777:role/Auditor"'
        )
