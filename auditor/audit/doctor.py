"""The doctor: what a run needs, tried for each account with as few calls as that takes, and what to do where it fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor.audit.fixes import fix_elsewhere
from auditor.audit.hub import assume_hub, how_to_allow
from auditor.audit.organization import find_accounts, how_to_read
from auditor.aws.clients import open_clients
from auditor.aws.failures import REGION_OFF_CODES
from auditor.aws.identity import caller_arn
from auditor.aws.probe import probe
from auditor.aws.regions import is_opt_in, lightsail_regions
from auditor.aws.roles import Roles
from auditor.aws.slots import Slot
from auditor.aws.sources import SOURCES
from auditor.errors import CallFailed, OrganizationUnread
from auditor.inventory import Filters, check_filters, make_plan, policies_of
from auditor.model import Reason, Target, shown
from auditor.policies import actions_of, catalogue_of, sources_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.aws.clients import Clients
    from auditor.config import Config
    from auditor.inventory import Plan
    from auditor.model import Account, Failure

log = structlog.get_logger()

ASSUME = "sts:AssumeRole"
WITHOUT_EXTERNAL_ID = "sts:AssumeRole without the ExternalId"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What the configuration does not say."""

    accounts: tuple[str, ...] = ()
    """None named is all."""
    regions: tuple[str, ...] = ()
    """Those in which each source is called; none named is one of each account's."""
    probe_external_id: bool = False
    """Whether it is tried that no role can be assumed without its ExternalId."""
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a run needs, and does not get."""

    what: str
    """A source, or what was asked of STS."""
    region: str | None
    reason: str
    """AWS's own code and message, or what was seen."""
    fix: str
    """What to do."""


@dataclass(slots=True)
class Diagnosis:
    """How one account is."""

    account: Account
    regions: tuple[str, ...]
    """Where its sources were called."""
    well: list[str] = field(default_factory=list)
    """What works, in the order in which it was tried; a source for each Region."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was not tried, and why."""


async def examine(config: Config, options: DoctorOptions) -> list[Diagnosis]:
    """Try what a run of `config` needs, and return how each account is, in the order of the plan.

    :raises UsageError: where the options name what does not exist, or neither base credentials nor hub can be used.
    """
    filters = Filters(accounts=options.accounts, regions=options.regions)
    entries = catalogue_of(config.policies)
    policies = policies_of(config, filters)
    sources = sources_of(entries, policies)
    services = {SOURCES[source].service for source in sources}
    planned = partial(make_plan, config, filters, lightsail_regions(), partial(sources_of, entries))
    if config.organization is None:
        plan = planned()
    else:
        check_filters(config, filters, lightsail_regions())
        services.add("organizations")
    timeout = config.limits.request_timeout.total_seconds()
    concurrency = config.limits.concurrency
    async with open_clients(
        concurrency=concurrency,
        request_timeout=timeout,
        allow_http=options.allow_http,
        services=services,
        secrets=config.shared_external_ids,
    ) as clients:
        for service, url in clients.endpoint_overrides.items():
            log.warning("calls do not go to AWS", service=service, endpoint=url)
        roles = Roles(clients, timeout, actions_of(entries, policies))
        doctor = _Doctor(clients, roles, sources, timeout, with_external_id=options.probe_external_id)
        places = anyio.Semaphore(concurrency)
        async with Slot(places) as slot:
            caller = await caller_arn(clients, slot, timeout)
            await assume_hub(config.hub, roles, slot)
        if config.organization is not None:
            inventory = await find_accounts(
                config,
                clients,
                roles,
                caller=caller,
                places=places,
                request_timeout=timeout,
                give_up_at=anyio.current_time() + config.limits.deadline.total_seconds(),
            )
            plan = planned(inventory)
        patients = [
            Diagnosis(account, _where(account, options.regions))
            for account in dict.fromkeys(place.account for place in plan.places)
        ]
        # The plan holds no more accounts than the ledger of a run would.
        async with anyio.create_task_group() as group:
            for patient in patients:
                slot = Slot(places)
                await slot.acquire()
                group.start_soon(doctor.see, patient, slot)
    return [*patients, *_not_tried(plan, config, caller)]


def _not_tried(plan: Plan, config: Config, caller: str | None) -> list[Diagnosis]:
    """Return what a run would have for a gap, or skip, without a call: the organisation, and suspended accounts."""
    found: dict[Account, Diagnosis] = {}
    for target, failure in plan.settled.items():
        if target.account in found:
            continue
        if failure.reason is Reason.ACCOUNT_SUSPENDED:
            note = f"{shown(failure.error_message or failure.reason)}: nobody can get in, and a run skips it"
            found[target.account] = Diagnosis(target.account, (), notes=[note])
        else:
            unread, organization = OrganizationUnread(target.source, failure), config.organization
            fix = (
                fix_elsewhere(failure) if organization is None else how_to_read(unread, organization, caller)
            )
            # Until then a run audits the list alone, and tells of the gap.
            account = replace(target.account, name="organization")
            found[target.account] = Diagnosis(
                account, (), problems=[Problem(target.source, None, _told(failure), fix)]
            )
    return list(found.values())


def _where(account: Account, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the Regions to call in: those asked for, or one that the account has without enabling it."""
    if asked:
        return tuple(region for region in account.regions if region in asked)
    return tuple(sorted(account.regions, key=is_opt_in)[:1])


class _Doctor:
    """Sees the accounts of one configuration."""

    def __init__(
        self,
        clients: Clients,
        roles: Roles,
        sources: Sequence[str],
        timeout: float,
        *,
        with_external_id: bool,
    ) -> None:
        self._clients = clients
        self._roles = roles
        self._sources = sources
        self._timeout = timeout
        self._with_external_id = with_external_id

    async def see(self, patient: Diagnosis, slot: Slot) -> None:
        """Try all that a run needs of this account."""
        async with slot:
            try:
                await self._roles.credentials(patient.account, slot)
            except CallFailed as failed:
                patient.problems.append(_not_assumed(patient.account, failed))
                return
            patient.well.append(ASSUME)
            for region in patient.regions:
                for source in self._sources:
                    if not await self._call(patient, source, region, slot):
                        break
            if self._with_external_id:
                await self._try_without_external_id(patient, slot)

    async def _call(self, patient: Diagnosis, source: str, region: str, slot: Slot) -> bool:
        """Call a source, and say whether the others of the Region are worth a call."""
        target = Target(source, patient.account, region)
        try:
            await probe(
                self._clients, self._roles, SOURCES[source], target, slot=slot, request_timeout=self._timeout
            )
        except CallFailed as failed:
            fix = _fix_of_call(patient.account, source, region, failed)
            patient.problems.append(Problem(source, region, _told(failed.failure), fix))
            # Whatever is called in a Region that is off is refused, and EC2 says of it what it says of a bad key.
            return not _is_off(region, failed.failure)
        patient.well.append(source)
        return True

    async def _try_without_external_id(self, patient: Diagnosis, slot: Slot) -> None:
        account = patient.account
        if account.external_id is None:
            patient.notes.append("no external_id is configured, so there is none to leave out")
            return
        try:
            failed = await self._roles.try_without_external_id(account, slot)
        except CallFailed as of_hub:
            failed = of_hub
        if failed is None:
            fix = (
                f"let the trust policy of {account.role_arn} ask for it: a Condition StringEquals "
                "sts:ExternalId (`auditor iam --as trust` prints it)"
            )
            patient.problems.append(
                Problem(WITHOUT_EXTERNAL_ID, None, "the role was given out all the same", fix)
            )
        elif failed.failure.error_code != "AccessDenied":
            fix = "try again: STS did not say whether it asks for the ExternalId"
            patient.problems.append(Problem(WITHOUT_EXTERNAL_ID, None, _told(failed.failure), fix))
        else:
            patient.well.append(WITHOUT_EXTERNAL_ID)


def _told(failure: Failure) -> str:
    return ": ".join(filter(None, (failure.error_code or failure.reason, failure.error_message)))


def _not_assumed(account: Account, failed: CallFailed) -> Problem:
    by = f"the hub {account.hub.role_arn}" if account.hub is not None else "the base credentials"
    reason, message = failed.failure.reason, failed.failure.error_message or ""
    if reason is Reason.WRONG_ACCOUNT:
        fix = f"correct the role of account {account.id} in the configuration"
    elif reason is not Reason.ROLE_NOT_ASSUMABLE:
        fix = fix_elsewhere(failed.failure)
    elif failed.failure.error_code == "PackedPolicyTooLarge":
        fix = "shorten session_tags, or write session_policy: false for this account"
    elif "MaxSessionDuration" in message or "DurationSeconds" in message:
        fix = "shorten session_duration, or lengthen the role's maximum session duration"
    else:
        lacking = next(
            (action for action in ("sts:TagSession", "sts:SetSourceIdentity") if action in message), ""
        )
        first = f"the trust policy has no {lacking} for it, or {by} may not; " if lacking else ""
        fix = first + how_to_allow(account, by=by)
    return Problem(ASSUME, None, _told(failed.failure), fix)


def _is_off(region: str, failure: Failure) -> bool:
    return failure.error_code in REGION_OFF_CODES and is_opt_in(region)


def _fix_of_call(account: Account, source: str, region: str, failed: CallFailed) -> str:
    failure = failed.failure
    if _is_off(region, failure):
        return f"enable {region} in this account, or leave it out under regions: a run skips it where that is proved"
    if failure.reason is Reason.ACCESS_DENIED:
        return (
            f"allow {source} in the policy of {account.role_arn} (`auditor iam --as policy` prints it); where it "
            "stands there, look for a service control policy or a permissions boundary that denies it"
        )
    if failure.reason in (Reason.ACCOUNT_SETUP_IN_PROGRESS, Reason.REGION_SETUP_IN_PROGRESS):
        return "wait: AWS is still setting this up"
    return fix_elsewhere(failed.failure)
