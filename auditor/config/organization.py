"""The organisation as the configuration has it: who lists its accounts, and which of them are meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from auditor.config.accounts import resolve
from auditor.config.entries import ACCOUNT_ID, AccountEntry
from auditor.config.hub import hub_of
from auditor.config.nodes import Child, ListNode, MappingNode, Scalar
from auditor.config.text import cut, quoted
from auditor.config.values import text_of
from auditor.model import ORGANIZATION_ACTIONS, Account

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditor.config.entries import Defaults, Document
    from auditor.config.faults import Faults

Kind: TypeAlias = Literal["ous", "accounts", "names", "tags"]

ANY = "*"
"""The value that stands for any value of a tag."""

_KINDS: tuple[Kind, ...] = ("ous", "accounts", "names", "tags")
_SIDES = ("include", "exclude")
_ROLE_KEYS = ("role_name", "role_arn")


@dataclass(frozen=True, slots=True)
class Filter:
    """One line of `include` or `exclude`."""

    kind: Kind
    value: str
    """An OU's path or id, an account's id, a pattern of names, or the key of a tag."""
    tag_values: tuple[str, ...] = ()
    """The values of a tag that are meant, `*` for any; empty for every other kind."""
    written: str = field(default="", compare=False)
    """As it stands in the file: what came from the environment is shown nowhere."""
    line: int = field(default=0, compare=False)
    """Where it stands, counted from 1."""


@dataclass(frozen=True, slots=True)
class Organization:
    """Where accounts come from beside the list."""

    role_arn: str | None
    """The role that lists them; None for the base credentials."""
    external_id: str | None = field(repr=False)
    include: tuple[Filter, ...]
    """An account is meant that any one of these matches; empty for all."""
    exclude: tuple[Filter, ...]
    """And that none of these matches."""
    line: int
    """Where it stands in the file."""
    _defaults: Defaults = field(repr=False)
    _known_regions: tuple[str, ...] = field(repr=False)

    def found(self, account_id: str, name: str | None) -> Account:
        """Return the account of this id as the defaults have it."""
        # Not validated: its name is whatever AWS says.
        entry = AccountEntry.model_construct({"id", "name"}, id=account_id, name=name)
        return resolve(entry, self._defaults, self._known_regions)

    @property
    def hub(self) -> Account | None:
        """The hub with which its role, and those of its accounts, are assumed; None where there is none."""
        return hub_of(self._defaults)

    def lister(self) -> Account | None:
        """Return whose role lists the accounts; None for the base credentials."""
        if self.role_arn is None:
            return None
        return Account(
            id=self.role_arn.split(":")[4],
            name=None,
            role_arn=self.role_arn,
            external_id=self.external_id,
            session_name=self._defaults.session_name,
            session_duration=int(self._defaults.session_duration.total_seconds()),
            regions=(),
            hub=self.hub,
            session_tags=tuple(self._defaults.session_tags.items()),
            source_identity=self._defaults.source_identity,
            session_policy=self._defaults.session_policy,
            actions=ORGANIZATION_ACTIONS,
        )


def organization_of(root: MappingNode, document: Document, known: Collection[str]) -> Organization | None:
    """Return what a checked file says of an organisation."""
    entry, child = document.organization, root.children.get("organization")
    if entry is None or child is None:
        return None
    include, exclude = (tuple(_filters(child, side)) for side in _SIDES)
    return Organization(
        role_arn=entry.role_arn,
        external_id=entry.external_id,
        include=include,
        exclude=exclude,
        line=child.line,
        _defaults=document.defaults,
        _known_regions=tuple(known),
    )


def check_organization(root: MappingNode, faults: Faults) -> None:
    """Note every fault that lies between an organisation's values, or between them and the rest of the file."""
    child = root.children.get("organization")
    organization = _mapping(child)
    if child is None or organization is None:
        return
    _check_role(root, child, faults)
    its_id = organization.children.get("external_id")
    if its_id is not None and "role_arn" not in organization.children:
        faults.add(
            its_id.line,
            "external_id stands without role_arn, which it is for; write the role that lists the accounts, or remove it",
        )
    for side in _SIDES:
        selection = organization.children.get(side)
        if selection is not None and isinstance(selection.node, MappingNode) and not selection.node.children:
            faults.add(
                selection.line,
                f"{side} is empty; name ous, accounts, names or tags under it, or leave the key out",
            )
    _check_sides(root, child, faults)


def _check_role(root: MappingNode, organization: Child, faults: Faults) -> None:
    defaults = _mapping(root.children.get("defaults"))
    if defaults is None or not any(key in defaults.children for key in _ROLE_KEYS):
        faults.add(
            organization.line,
            "the accounts of the organization have no role; write role_name: LightsailExportAuditor under defaults",
        )
        return
    role = defaults.children.get("role_arn")
    arn = text_of(role.node) if role is not None else None
    if role is None or arn is None:
        return
    if arn.startswith("arn:aws:iam::") and arn.split(":")[4] != ACCOUNT_ID:
        shown_role = quoted(role.node.text) if isinstance(role.node, Scalar) else ""
        faults.add(
            role.line,
            f"role_arn {shown_role} is of one account, and holds for every account of the organization; "
            f"write {ACCOUNT_ID} in place of the account",
        )


def _check_sides(root: MappingNode, organization: Child, faults: Faults) -> None:
    """Note what stands on both sides, or is listed to be audited and excluded."""
    included = {(one.kind, one.value, one.tag_values): one for one in _filters(organization, "include")}
    listed = {one.value: one for one in _listed(root)}
    for one in _filters(organization, "exclude"):
        twin = included.get((one.kind, one.value, one.tag_values))
        if twin is not None:
            what = "account " if one.kind == "accounts" else ""
            faults.add(
                one.line,
                f"{what}{quoted(one.written)} is both included (line {twin.line}) and excluded; keep one of them",
            )
        elif one.kind == "accounts" and one.value in listed:
            faults.add(
                one.line,
                f"account {quoted(one.written)} is excluded, and listed under accounts (line "
                f"{listed[one.value].line}); keep one of them",
            )


def _listed(root: MappingNode) -> Iterator[Filter]:
    accounts = root.children.get("accounts")
    if accounts is None or not isinstance(accounts.node, ListNode):
        return
    for entry in accounts.node.children:
        account = _mapping(entry)
        identity = account.children.get("id") if account is not None else None
        if identity is not None:
            yield from _one("accounts", identity)


def _filters(organization: Child, side: str) -> Iterator[Filter]:
    """Yield the lines of one side, each once, those left out that are told as faults elsewhere."""
    node = _mapping(organization)
    selection = _mapping(node.children.get(side)) if node is not None else None
    if selection is None:
        return
    for kind in _KINDS:
        child = selection.children.get(kind)
        match child and child.node:
            case ListNode(children=entries) if kind != "tags":
                # Written twice, it is meant once.
                yield from dict.fromkeys(one for entry in entries for one in _one(kind, entry))
            case MappingNode(children=tags) if kind == "tags":
                for key, value in tags.items():
                    yield from _tag(key, value)


def _one(kind: Kind, child: Child) -> Iterator[Filter]:
    text = text_of(child.node)
    if text is not None and isinstance(child.node, Scalar):
        yield Filter(kind, text, written=child.node.text, line=child.line)


def _tag(key: str, child: Child) -> Iterator[Filter]:
    entries = child.node.children if isinstance(child.node, ListNode) else [child]
    values = [text for entry in entries if (text := text_of(entry.node)) is not None]
    written = ", ".join(entry.node.text for entry in entries if isinstance(entry.node, Scalar))
    if values:
        yield Filter("tags", key, tuple(values), written=f"{cut(key)}: {written}", line=child.line)


def _mapping(child: Child | None) -> MappingNode | None:
    return child.node if child is not None and isinstance(child.node, MappingNode) else None
