"""What has to hold between values: one role for each account, in that account, and each account once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config.entries import ACCOUNT_ID
from auditor.config.hub import check_hub, hub_of
from auditor.config.nodes import Child, ListNode, MappingNode, Scalar
from auditor.config.tags import check_tags
from auditor.config.text import quoted
from auditor.config.values import text_of
from auditor.model import Account

if TYPE_CHECKING:
    from collections.abc import Collection

    from auditor.config.entries import AccountEntry, AccountSettings, Defaults
    from auditor.config.faults import Faults

_DIGITS = 12
_ROLE_KEYS = ("role_name", "role_arn")


def check_accounts(root: MappingNode, faults: Faults) -> None:
    """Note every fault that lies between an account's values, or between accounts."""
    defaults = _mapping(root.children.get("defaults"))
    listed = root.children.get("accounts")
    entries = listed.node.children if listed is not None and isinstance(listed.node, ListNode) else []
    accounts = [(child, entry) for child in entries if (entry := _mapping(child)) is not None]
    for level in [defaults, *(entry for _, entry in accounts)]:
        _check_one_role(level, faults)
    _check_each_has_a_role(accounts, defaults, faults)
    _check_role_accounts(accounts, defaults, faults)
    _check_once(accounts, faults)
    check_hub(defaults, [entry for _, entry in accounts], faults)
    check_tags([defaults, *(entry for _, entry in accounts)], faults)


def resolve(entry: AccountEntry, defaults: Defaults, known_regions: Collection[str]) -> Account:
    """Return the account that a checked `entry` means, what it does not say taken from `defaults`."""
    given = entry.model_fields_set
    role_level: AccountSettings = entry if given.intersection(_ROLE_KEYS) else defaults
    template = role_level.role_arn or f"arn:aws:iam::{ACCOUNT_ID}:role/{role_level.role_name}"

    def level(key: str) -> AccountSettings:
        return entry if key in given else defaults

    regions = level("regions").regions
    return Account(
        id=entry.id,
        name=entry.name,
        role_arn=template.replace(ACCOUNT_ID, entry.id),
        external_id=level("external_id").external_id,
        session_name=level("session_name").session_name,
        session_duration=int(level("session_duration").session_duration.total_seconds()),
        regions=tuple(sorted(known_regions)) if isinstance(regions, str) else tuple(regions),
        hub=hub_of(defaults),
        session_tags=tuple(level("session_tags").session_tags.items()),
        source_identity=level("source_identity").source_identity,
        session_policy=level("session_policy").session_policy,
        max_requests_per_second=level("max_requests_per_second").max_requests_per_second,
        max_requests_per_second_per_region=level(
            "max_requests_per_second_per_region"
        ).max_requests_per_second_per_region,
    )


def _check_one_role(level: MappingNode | None, faults: Faults) -> None:
    if level is not None and all(key in level.children for key in _ROLE_KEYS):
        first, second = sorted((level.children[key].line, key) for key in _ROLE_KEYS)
        faults.add(second[0], f"{second[1]} stands beside {first[1]} (line {first[0]}); keep one of them")


def _check_each_has_a_role(
    accounts: list[tuple[Child, MappingNode]], defaults: MappingNode | None, faults: Faults
) -> None:
    if defaults is not None and any(key in defaults.children for key in _ROLE_KEYS):
        return
    without = [child for child, entry in accounts if not any(key in entry.children for key in _ROLE_KEYS)]
    if without:
        # Thousands of accounts may lack what one line of the defaults would give them all.
        others = f" (and {len(without) - 1} more)" if len(without) > 1 else ""
        faults.add(
            without[0].line,
            f"this account{others} has no role, nor have the defaults; "
            "write role_name: LightsailExportAuditor under defaults, or a role for each",
        )


def _check_role_accounts(
    accounts: list[tuple[Child, MappingNode]], defaults: MappingNode | None, faults: Faults
) -> None:
    for _, entry in accounts:
        own, identity = entry.children.get("role_arn"), entry.children.get("id")
        if own is not None and identity is not None:
            _check_role_account(own, identity, faults)
    shared = defaults.children.get("role_arn") if defaults is not None else None
    if shared is None:
        return
    inheriting = [entry for _, entry in accounts if not any(key in entry.children for key in _ROLE_KEYS)]
    identities = [identity for entry in inheriting if (identity := entry.children.get("id"))]
    # Told once, where it is written, whatever the number of accounts.
    any(_check_role_account(shared, identity, faults) for identity in identities)


def _check_role_account(role: Child, identity: Child, faults: Faults) -> bool:
    arn, own = text_of(role.node), _account_id(identity)
    parts = (arn or "").split(":")
    if own is None or len(parts) <= 4 or not _is_id(parts[4]) or parts[4] == own:  # noqa: PLR2004 -- arn:aws:iam::ID
        return False
    shown_role, shown_id = (
        quoted(child.node.text) for child in (role, identity) if isinstance(child.node, Scalar)
    )
    faults.add(
        role.line,
        f"role_arn {shown_role} is not in account {shown_id} (line {identity.line}); "
        f"write {ACCOUNT_ID} in place of the account, or a role of that account",
    )
    return True


def _check_once(accounts: list[tuple[Child, MappingNode]], faults: Faults) -> None:
    lines: dict[str, int] = {}
    for _, entry in accounts:
        identity = entry.children.get("id")
        account = _account_id(identity) if identity is not None else None
        if identity is None or account is None:
            continue
        if account in lines:
            again = quoted(identity.node.text) if isinstance(identity.node, Scalar) else quoted(account)
            faults.add(
                identity.line, f"account {again} is listed twice, on line {lines[account]} first; keep one"
            )
        else:
            lines[account] = identity.line


def _account_id(identity: Child) -> str | None:
    node = identity.node
    if not isinstance(node, Scalar) or node.spoiled:
        return None
    # A bare number is a fault of its own; that it stands twice is one all the same.
    written = node.value if isinstance(node.value, str) else node.text
    return written if _is_id(written) else None


def _is_id(text: str) -> bool:
    return len(text) == _DIGITS and text.isascii() and text.isdigit()


def _mapping(child: Child | None) -> MappingNode | None:
    return child.node if child is not None and isinstance(child.node, MappingNode) else None
