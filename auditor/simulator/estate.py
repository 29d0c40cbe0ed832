"""An estate: accounts with their records, the identity that audits them, and what is truly wrong there."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from auditor.simulator.afterlife import Afterlife, AfterlifeMaker
from auditor.simulator.afterlife_cases import AFTERLIFE_CASES, AFTERLIFE_ODDITIES, untold
from auditor.simulator.cases import CASES, benign
from auditor.simulator.oddities import ODDITIES
from auditor.simulator.records import RecordMaker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from auditor.simulator.cases import Case, Planted
    from auditor.simulator.organizations import SimOrganization
    from auditor.simulator.records import Record

# AWS Account Management, "Enable or disable AWS Regions in your account".
OPT_IN_REGIONS = frozenset({"ap-east-1", "ap-southeast-3", "ap-southeast-5", "eu-south-2"})
"""The Regions of Lightsail that an account has only once it has enabled them."""

ROLE_NAME = "LightsailExportAuditor"
TEAMS = ("payments", "search", "billing", "website", "logistics", "analytics", "mobile", "identity")
STAGES = ("prod", "staging", "dev", "sandbox")
HUB_NAME = "AuditHub"
TRUST_ACTIONS = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})
_SECRET_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105 -- an alphabet
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


OF_RECORDS_ALONE = """policies:
  # Of this estate there are the records alone, and nothing that became of them.
  stale-failed-export: {reasons: false}
  duplicate-export: {enabled: false}
  expired-retention: {enabled: false}
  missing-destination: {enabled: false}
  only-copy: {enabled: false}
  public-export: {enabled: false}
  repeated-failure: {enabled: false}
  unencrypted-export: {enabled: false}
  unsupported-blueprint: {enabled: false}
  unused-export: {enabled: false}
"""
"""What a configuration says of the policies where there is nothing beside the records."""


class Expected(NamedTuple):
    """A policy and the record that it is about."""

    policy: str
    account_id: str
    region: str
    resource_arn: str


@dataclass(frozen=True, slots=True)
class BaseIdentity:
    """Who the audit is before it assumes any role."""

    access_key: str
    secret_key: str = field(repr=False)
    account_id: str
    arn: str
    """Of a user, or of an assumed role: then every role assumed from it is chained."""
    session_token: str | None = field(default=None, repr=False)

    @property
    def chained(self) -> bool:
        """Whether this is a role's session, so that STS limits what is assumed from it to one hour."""
        return ":assumed-role/" in self.arn


@dataclass(frozen=True, slots=True)
class SimHub:
    """A role between the base identity, which alone may assume it, and the roles of the accounts."""

    account_id: str
    external_id: str | None = None
    role_name: str = HUB_NAME
    max_session_duration: int = 3600
    role_actions: frozenset[str] | None = None
    trust_actions: frozenset[str] = TRUST_ACTIONS

    @property
    def role_arn(self) -> str:
        """The role's ARN."""
        return f"arn:aws:iam::{self.account_id}:role/{self.role_name}"


@dataclass(frozen=True, slots=True)
class SimAccount:
    """One account of the estate."""

    id: str
    """Twelve digits."""
    name: str | None
    enabled_regions: frozenset[str]
    """The Regions of the estate that it can use."""
    records: Mapping[str, Sequence[Record]]
    """By Region, in the order in which they are paged; none where a Region is absent."""
    role_name: str = ROLE_NAME
    """With its path, where it has one: `audit/Reader`."""
    external_id: str | None = None
    """What the role's trust policy asks for; None where it asks for none."""
    page_size: int = 50
    """Records a page, at least 1."""
    max_session_duration: int = 3600
    """Seconds, the role's own limit."""
    afterlife: Mapping[str, Afterlife] = field(default_factory=dict)
    """By Region: what the exports left behind; nothing where a Region is absent."""
    role_actions: frozenset[str] | None = None
    """What the role's own policy allows, as IAM names it; None for all."""
    trust_actions: frozenset[str] = TRUST_ACTIONS
    """What the role's trust policy allows to whoever it trusts: the hub where there is one, else the base identity."""
    region_statuses: Mapping[str, str] = field(default_factory=dict)
    """What account:ListRegions says of a Region, where that is not what follows from `enabled_regions`."""

    @property
    def role_arn(self) -> str:
        """The role that can be assumed there."""
        return f"arn:aws:iam::{self.id}:role/{self.role_name}"

    def can_use(self, region: str) -> bool:
        """Say whether credentials of this account are known in `region`."""
        return region in self.enabled_regions or region not in OPT_IN_REGIONS

    def status_of(self, region: str) -> str:
        """Return what account:ListRegions says of `region`."""
        if region in self.region_statuses:
            return self.region_statuses[region]
        if region not in OPT_IN_REGIONS:
            return "ENABLED_BY_DEFAULT"
        return "ENABLED" if region in self.enabled_regions else "DISABLED"


@dataclass(frozen=True, slots=True)
class Estate:
    """All that the server serves; equal for equal arguments of `generate`."""

    accounts: tuple[SimAccount, ...]
    regions: tuple[str, ...]
    base: BaseIdentity
    seed: int = 0
    """Keys, page tokens and request ids follow from it."""
    truth: frozenset[Expected] = frozenset()
    """What breaks a policy of default settings at the time of generation."""
    unjudgeable: frozenset[Expected] = frozenset()
    """What a policy can't judge, since a field that it needs is missing."""
    lightsail_regions: tuple[str, ...] | None = None
    """The Regions that Lightsail's GetRegions names; None for those that botocore knows."""
    hub: SimHub | None = None
    """The role that the accounts' roles trust, and no one else; None where they trust the base identity."""
    organization: SimOrganization | None = None
    """None where AWS Organizations says that it is not in use."""

    def accounts_yaml(self) -> str:
        """Return a configuration that audits all of it, Regions that are not enabled included."""
        lines = ["version: 1", "defaults:", f"  role_name: {ROLE_NAME}"]
        if self.hub is not None:
            lines.append(f"  hub_role_arn: {json.dumps(self.hub.role_arn)}")
            if self.hub.external_id is not None:
                lines.append(f"  hub_external_id: {json.dumps(self.hub.external_id)}")
        lines.append("accounts:")
        for account in self.accounts:
            # JSON's strings are YAML's: an id stays text whatever its digits.
            lines.append(f"  - id: {json.dumps(account.id)}")
            if account.name is not None:
                lines.append(f"    name: {json.dumps(account.name)}")
            if "/" in account.role_name:
                lines.append(f"    role_arn: {json.dumps(account.role_arn)}")
            elif account.role_name != ROLE_NAME:
                lines.append(f"    role_name: {json.dumps(account.role_name)}")
            if account.external_id is not None:
                lines.append(f"    external_id: {json.dumps(account.external_id)}")
            lines.append(f"    regions: [{', '.join(self.regions)}]")
        told = any(account.afterlife for account in self.accounts)
        return "\n".join(lines) + "\n" + ("" if told else OF_RECORDS_ALONE)


def generate(  # noqa: PLR0913 -- each is a property of the estate, with a default
    seed: int,
    *,
    accounts: int,
    regions: Sequence[str],
    now: datetime,
    records_per_target: int = 30,
    page_size: int = 50,
    planted: float = 0.4,
    chained: bool = False,
    oddities: bool = False,
    afterlife: bool = False,
    max_session_duration: int = 3600,
    hub: bool = False,
) -> Estate:
    """Return an estate, the same one for the same arguments.

    Each target has `records_per_target` records, of which about the share `planted` belongs to a case: a policy
    broken, or nearly. The targets take the cases in turn, so that each case occurs once the estate is large enough.
    Every third account, from the second on, has enabled no opt-in Region. With `oddities`, some records miss
    fields or hold what AWS does not document. `chained` makes the base identity a role's session. With `afterlife`,
    each export has left something behind in EC2 and Lightsail, and there are more cases, about that. With `hub`, the
    roles trust a hub role of the base identity's account, and nobody else.

    :param now: aware; records are dated back from it.
    """
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    turns = itertools.cycle(_cases(oddities=oddities, afterlife=afterlife))
    truth: set[Expected] = set()
    unjudgeable: set[Expected] = set()
    made = []
    # The ids are drawn in between the records, unless they must be known before.
    ids = list(_account_ids(rng, accounts)) if afterlife else []
    for index, account_id in enumerate(ids or _account_ids(rng, accounts)):
        enabled = [region for region in regions if index % 3 != 1 or region not in OPT_IN_REGIONS]
        records, lives = {}, {}
        for region in enabled:
            maker = RecordMaker(rng, account_id, region, now)
            plants = _plant(maker, turns, records_per_target, planted)
            records[region] = tuple(plant.record for plant in plants)
            for plant in plants:
                place = (account_id, region, plant.record["arn"])
                truth.update(Expected(policy, *place) for policy in plant.broken)
                unjudgeable.update(Expected(policy, *place) for policy in plant.unjudgeable)
            if afterlife:
                lives[region] = _afterlife(maker, plants, _sibling(index, ids))
                for plant in plants:
                    truth.update(Expected(policy, account_id, region, arn) for policy, arn in plant.about)
                    place = (account_id, region, plant.record["arn"])
                    unjudgeable.update(Expected(policy, *place) for policy in untold(plant.record))
        made.append(
            SimAccount(
                account_id,
                _name(index),
                frozenset(enabled),
                records,
                external_id=f"ext-{rng.getrandbits(64):016x}",
                page_size=page_size,
                max_session_duration=max_session_duration,
                afterlife=lives,
            )
        )
    base = _base(rng, chained=chained)
    between = SimHub(base.account_id, f"hub-{rng.getrandbits(64):016x}") if hub else None
    return Estate(
        tuple(made), tuple(regions), base, seed, frozenset(truth), frozenset(unjudgeable), hub=between
    )


def _cases(*, oddities: bool, afterlife: bool) -> tuple[Case, ...]:
    cases = CASES
    if oddities:
        cases += ODDITIES
    if afterlife:
        cases += AFTERLIFE_CASES
    if oddities and afterlife:
        cases += AFTERLIFE_ODDITIES
    return cases


def _afterlife(maker: RecordMaker, plants: list[Planted], sibling: str | None) -> Afterlife:
    making = AfterlifeMaker(maker, sibling)
    for plant in plants:
        making.follow(plant.record, plant.fate)
    making.add_bystanders()
    return making.life


def _sibling(index: int, ids: Sequence[str]) -> str | None:
    return ids[(index + 1) % len(ids)] if len(ids) > 1 else None


def _plant(maker: RecordMaker, turns: Iterator[Case], count: int, share: float) -> list[Planted]:
    plants: list[Planted] = []
    while len(plants) < round(count * share):
        plants += next(turns)(maker)
    while len(plants) < count:
        plants += benign(maker)
    # What belongs together may stand pages apart, in either order.
    maker.rng.shuffle(plants)
    return plants


def _account_ids(rng: random.Random, count: int) -> Iterator[str]:
    seen: set[str] = set()
    while len(seen) < count:
        # Every fifth starts with a zero: it is lost by whoever takes an id for a number.
        first = "0" if len(seen) % 5 == 1 else rng.choice("123456789")
        account_id = first + f"{rng.randrange(10**11):011d}"
        if account_id not in seen:
            seen.add(account_id)
            yield account_id


def _name(index: int) -> str:
    stage, team = STAGES[index // len(TEAMS) % len(STAGES)], TEAMS[index % len(TEAMS)]
    round_ = index // (len(TEAMS) * len(STAGES))
    return f"{team}-{stage}" if round_ == 0 else f"{team}-{stage}-{round_ + 1}"


def _base(rng: random.Random, *, chained: bool) -> BaseIdentity:
    account_id = f"9{rng.randrange(10**11):011d}"
    key = "".join(rng.choices(_ID_ALPHABET, k=16))
    secret = "".join(rng.choices(_SECRET_ALPHABET, k=40))
    if not chained:
        return BaseIdentity(f"AKIA{key}", secret, account_id, f"arn:aws:iam::{account_id}:user/auditor")
    token = "".join(rng.choices(_SECRET_ALPHABET, k=200))
    arn = f"arn:aws:sts::{account_id}:assumed-role/NightlyRunner/ci-4711"
    return BaseIdentity(f"ASIA{key}", secret, account_id, arn, token)
