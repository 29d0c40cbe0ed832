"""One request, one answer: who asks, what for, what goes wrong. No network here."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from auditor.simulator import ec2, ec2_xml, organizations, regions, sts
from auditor.simulator.answers import (
    ACCOUNT,
    EC2,
    LIGHTSAIL,
    ORGANIZATIONS,
    STS,
    Answer,
    ApiError,
    error_answer,
)
from auditor.simulator.faults import Fault, FaultKind, Faults, Place
from auditor.simulator.keys import Keys
from auditor.simulator.lightsail import GET_REGIONS, LIST_KEYS, Pages
from auditor.simulator.misbehaviour import access_denied, error_for, mangled
from auditor.simulator.permissions import may, refusal
from auditor.simulator.signature import Caller, Received, scope, unknown_key, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditor.simulator.estate import Estate, SimAccount
    from auditor.simulator.tokens import PageAsked

TARGET_PREFIX = "Lightsail_20161128."


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked and answered, as the server saw it."""

    operation: str
    account_id: str | None
    """Of the key that signed; for AssumeRole, of the role asked for. None where nobody is proved to have signed."""
    region: str | None
    """Of the signature's scope."""
    page: int | None
    """Counted from 1; None where no page was asked for."""
    token: str | None
    access_key_id: str | None
    status: int | None = None
    """The HTTP status; None where nothing was answered."""
    error: str | None = None
    """AWS's code."""
    fault: FaultKind | None = None
    """What struck, latency aside."""
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What STS was asked, by the names of its API."""
    at: float = field(default=0.0, compare=False)
    """When it came, in seconds on the clock of `time.monotonic`."""


@dataclass(frozen=True, slots=True)
class Handled:
    """An answer, and how it is to be delivered."""

    call: Call
    answer: Answer
    delay: float = 0.0
    """Seconds."""
    fault: FaultKind | None = None
    """What is left for the network to do: HANG, RESET, and what becomes of the body on its way; the answer holds what
    every other kind has done."""
    seconds: float = 0.0
    """How long a slow body takes."""


class Endpoint:
    """Every service of an estate, behind one address."""

    def __init__(
        self,
        estate: Estate,
        faults: Iterable[Fault] = (),
        *,
        clock: Callable[[], float] = time.time,
        credential_lifetime: float | None = None,
    ) -> None:
        self._estate = estate
        self._faults = Faults(faults)
        self._keys = Keys(estate, clock, credential_lifetime)
        self._pages = Pages(estate)
        self._ec2 = ec2.Ec2(estate)
        self._requests = 0

    def handle(self, request: Received) -> Handled:
        """Return what `request` is answered with."""
        self._requests += 1
        request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._estate.seed}/{self._requests}"))
        target = request.headers.get("x-amz-target")
        form = {} if target else dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
        service = LIGHTSAIL if target else EC2 if form.get("Version") == ec2.VERSION else STS
        operation = target.removeprefix(TARGET_PREFIX) if target else form.get("Action", "")
        if target and target.startswith(organizations.TARGET_PREFIX):
            service, operation = ORGANIZATIONS, target.removeprefix(organizations.TARGET_PREFIX)
        if not target and request.path in regions.PATHS:
            service, operation = ACCOUNT, regions.PATHS[request.path]
        claimed = scope(request) or (None, None, None)
        call = Call(operation, None, claimed[1], None, None, claimed[0], at=time.monotonic())
        caller = verify(request, service, self._keys)
        if isinstance(caller, ApiError):
            handled = self._refused(call, service, caller, request_id)
        elif service == STS:
            handled = self._sts(call, caller, form, request_id)
        elif service == EC2:
            handled = self._describe(call, caller, form, request_id)
        elif service == ORGANIZATIONS:
            handled = self._organizations(call, caller, request.body, request_id)
        elif service == ACCOUNT:
            handled = self._enabled(call, caller, request.body, request_id)
        else:
            handled = self._lightsail(call, caller, request.body, request_id)
        headers = {**handled.answer.headers, "x-amzn-RequestId": request_id}
        return replace(handled, answer=replace(handled.answer, headers=headers))

    def _sts(self, call: Call, caller: Caller, form: dict[str, str], request_id: str) -> Handled:
        account_id = caller.key.account_id
        if call.operation == "AssumeRole":
            account_id = sts.account_of_role(form) or account_id
        call = replace(call, account_id=account_id, form=form)
        delay, fault = self._faults.strike(Place(account_id, caller.region, call.operation))
        error = error_for(fault, STS, caller.key.arn, form.get("RoleArn", "*"))
        result: Answer | ApiError
        if error is not None:
            result = error
        elif call.operation == "AssumeRole":
            into = self._other_account(fault, account_id)
            result = sts.assume_role(form, caller.key, self._keys, request_id, into)
        elif call.operation == "GetCallerIdentity":
            result = sts.caller_identity(caller.key, request_id)
        else:
            message = f"Could not find operation {call.operation} for version {form.get('Version')}"
            result = ApiError("InvalidAction", message)
        return self._finished(call, STS, result, (delay, fault), request_id)

    def _organizations(self, call: Call, caller: Caller, body: bytes, request_id: str) -> Handled:
        call = replace(call, account_id=caller.key.account_id)
        asked = organizations.asked(call.operation, body)
        if isinstance(asked, ApiError):
            return self._refused(call, ORGANIZATIONS, asked, request_id)
        if not may(caller.key, f"{ORGANIZATIONS}:{call.operation}"):
            error = refusal(caller.key, ORGANIZATIONS, call.operation)
            return self._refused(call, ORGANIZATIONS, error, request_id)
        call = replace(call, page=asked.page.number, token=asked.page.token)
        struck = self._faults.strike(_place(caller.key.account_id, caller.region, call.operation, asked.page))
        result = organizations.answer(self._estate.organization, asked, caller.key, struck[1])
        return self._finished(call, ORGANIZATIONS, result, struck, request_id)

    def _enabled(self, call: Call, caller: Caller, body: bytes, request_id: str) -> Handled:
        """Answer ListRegions of Account Management."""
        call = replace(call, account_id=caller.key.account_id)
        account = self._keys.account(caller.key.account_id)
        if account is None or caller.key is self._keys.base:
            error = access_denied(ACCOUNT, caller.key.arn, "*", call.operation)
            return self._refused(call, ACCOUNT, error, request_id)
        if not may(caller.key, f"{ACCOUNT}:{call.operation}"):
            return self._refused(call, ACCOUNT, refusal(caller.key, ACCOUNT, call.operation), request_id)
        asked = regions.asked(body, account, self._estate)
        if isinstance(asked, ApiError):
            return self._refused(call, ACCOUNT, asked, request_id)
        call = replace(call, page=asked.page.number, token=asked.page.token)
        struck = self._faults.strike(_place(account.id, caller.region, call.operation, asked.page))
        result = regions.answer(asked, account, self._estate, caller.key.arn, struck[1])
        return self._finished(call, ACCOUNT, result, struck, request_id)

    def _lightsail(self, call: Call, caller: Caller, body: bytes, request_id: str) -> Handled:
        call = replace(call, account_id=caller.key.account_id)
        account = self._keys.account(caller.key.account_id)
        if call.operation not in LIST_KEYS and call.operation != GET_REGIONS:
            error = ApiError("UnknownOperationException", "The operation is not simulated.")
            return self._refused(call, LIGHTSAIL, error, request_id)
        if account is None or caller.key is self._keys.base:
            # The base identity may assume roles, and nothing else.
            error = ApiError("AccessDeniedException", f"User: {caller.key.arn} is not authorized")
            return self._refused(call, LIGHTSAIL, error, request_id)
        if not may(caller.key, f"{LIGHTSAIL}:{call.operation}"):
            return self._refused(call, LIGHTSAIL, refusal(caller.key, LIGHTSAIL, call.operation), request_id)
        if not account.can_use(caller.region):
            return self._refused(call, LIGHTSAIL, unknown_key(LIGHTSAIL), request_id)
        if call.operation == GET_REGIONS:
            return self._regions(call, caller, body, request_id)
        return self._list(call, caller, account, body, request_id)

    def _regions(self, call: Call, caller: Caller, body: bytes, request_id: str) -> Handled:
        struck = self._faults.strike(Place(caller.key.account_id, caller.region, call.operation))
        error_or_none = error_for(struck[1], LIGHTSAIL, caller.key.arn, "*", call.operation)
        return self._finished(call, LIGHTSAIL, error_or_none or self._pages.regions(body), struck, request_id)

    def _list(self, call: Call, caller: Caller, account: SimAccount, body: bytes, request_id: str) -> Handled:
        asked = self._pages.asked(call.operation, body, account, caller.region)
        if isinstance(asked, ApiError):
            return self._refused(call, LIGHTSAIL, asked, request_id)
        call = replace(call, page=asked.number, token=asked.token)
        struck = self._faults.strike(_place(account.id, caller.region, call.operation, asked))
        fault = struck[1]
        error_or_none = error_for(fault, LIGHTSAIL, caller.key.arn, "*", call.operation)
        result = error_or_none or self._pages.page(call.operation, account, caller.region, asked, fault)
        return self._finished(call, LIGHTSAIL, result, struck, request_id)

    def _describe(self, call: Call, caller: Caller, form: dict[str, str], request_id: str) -> Handled:
        call = replace(call, account_id=caller.key.account_id)
        account = self._keys.account(caller.key.account_id)
        if call.operation not in ec2.OPERATIONS:
            message = f"The action {call.operation} is not valid for this web service."
            return self._refused(call, EC2, ApiError("InvalidAction", message), request_id)
        if account is None or caller.key is self._keys.base:
            error = access_denied(EC2, caller.key.arn, "*", call.operation)
            return self._refused(call, EC2, error, request_id)
        if not may(caller.key, f"{EC2}:{call.operation}"):
            return self._refused(call, EC2, refusal(caller.key, EC2, call.operation), request_id)
        if not account.can_use(caller.region):
            return self._refused(call, EC2, unknown_key(EC2), request_id)
        asking = ec2.Asking(call.operation, form, account, caller.region)
        asked = self._ec2.page_asked(asking)
        if isinstance(asked, ApiError):
            return self._refused(call, EC2, asked, request_id)
        call = replace(call, page=asked.number, token=asked.token)
        struck = self._faults.strike(_place(account.id, caller.region, call.operation, asked))
        error_or_none = error_for(struck[1], EC2, caller.key.arn, "*", call.operation)
        result = error_or_none or self._ec2.answer(asking, asked, struck[1], request_id)
        return self._finished(call, EC2, result, struck, request_id)

    def _other_account(self, fault: Fault | None, account_id: str) -> SimAccount | None:
        """Return the account whose credentials a wrong-account fault gives out; None without such a fault."""
        if fault is None or fault.kind is not FaultKind.WRONG_ACCOUNT:
            return None
        if fault.to_account is not None:
            return self._keys.account(fault.to_account)
        return next((other for other in self._estate.accounts if other.id != account_id), None)

    def _finished(
        self,
        call: Call,
        service: str,
        result: Answer | ApiError,
        struck: tuple[float, Fault | None],
        request_id: str,
    ) -> Handled:
        delay, fault = struck
        answer = _written(result, service, request_id)
        kind = None if fault is None else fault.kind
        answer = mangled(answer, fault)
        status = None if kind in (FaultKind.HANG, FaultKind.RESET) else answer.status
        call = replace(call, status=status, error=answer.error_code, fault=kind)
        return Handled(call, answer, delay, kind, fault.seconds if fault is not None else 0.0)

    def _refused(self, call: Call, service: str, error: ApiError, request_id: str) -> Handled:
        return self._finished(call, service, error, (0.0, None), request_id)


def _written(result: Answer | ApiError, service: str, request_id: str) -> Answer:
    if isinstance(result, Answer):
        return result
    write = ec2_xml.error_answer if service == EC2 else partial(error_answer, service=service)
    return write(result, request_id=request_id)


def _place(account_id: str, region: str, operation: str, asked: PageAsked) -> Place:
    return Place(
        account_id,
        region,
        operation,
        asked.number,
        has_token=asked.token is not None,
        after_empty=asked.after_empty,
    )
