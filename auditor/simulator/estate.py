"""An estate: accounts with their records, the identity that audits them, and what is truly wrong there."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

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
_SECRET_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105 -- an alphabet
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


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

    @property
    def role_arn(self) -> str:
        """The role that can be assumed there."""
        return f"arn:aws:iam::{self.id}:role/{self.role_name}"

    def can_use(self, region: str) -> bool:
        """Say whether credentials of this account are known in `region`."""
        return region in self.enabled_regions or region not in OPT_IN_REGIONS


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
    organization: SimOrganization | None = None
    """None where AWS Organizations says that it is not in use."""

    def accounts_yaml(self) -> str:
        """Return a configuration that audits all of it, Regions that are not enabled included."""
        lines = ["version: 1", "defaults:", f"  role_name: {ROLE_NAME}", "accounts:"]
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
        return "\n".join(lines) + "\n"


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
    max_session_duration: int = 3600,
) -> Estate:
    """Return an estate, the same one for the same arguments.

    Each target has `records_per_target` records, of which about the share `planted` belongs to a case: a policy
    broken, or nearly. The targets take the cases in turn, so that each case occurs once the estate is large enough.
    Every third account, from the second on, has enabled no opt-in Region. With `oddities`, some records miss
    fields or hold what AWS does not document. `chained` makes the base identity a role's session.

    :param now: aware; records are dated back from it.
    """
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    turns = itertools.cycle(CASES + ODDITIES if oddities else CASES)
    truth: set[Expected] = set()
    unjudgeable: set[Expected] = set()
    made = []
    for index, account_id in enumerate(_account_ids(rng, accounts)):
        enabled = [region for region in regions if index % 3 != 1 or region not in OPT_IN_REGIONS]
        records = {}
        for region in enabled:
            maker = RecordMaker(rng, account_id, region, now)
            plants = _plant(maker, turns, records_per_target, planted)
            records[region] = tuple(plant.record for plant in plants)
            for plant in plants:
                place = (account_id, region, plant.record["arn"])
                truth.update(Expected(policy, *place) for policy in plant.broken)
                unjudgeable.update(Expected(policy, *place) for policy in plant.unjudgeable)
        made.append(
            SimAccount(
                account_id,
                _name(index),
                frozenset(enabled),
                records,
                external_id=f"ext-{rng.getrandbits(64):016x}",
                page_size=page_size,
                max_session_duration=max_session_duration,
            )
        )
    base = _base(rng, chained=chained)
    return Estate(tuple(made), tuple(regions), base, seed, frozenset(truth), frozenset(unjudgeable))


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
