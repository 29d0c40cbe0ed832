"""Security Hub in every account and Region of an estate, to its documentation; and the estate's other services.

What is imported is held against the service's rules: who signed, for which account and Region, what a session may do,
how much there is at once, what a finding looks like, and which update is newer. STS knows a role for importing in
every account beside the one for the audit.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from auditor.simulator.answers import ApiError
from auditor.simulator.endpoint import Endpoint
from auditor.simulator.permissions import may
from auditor.simulator.signature import Received, verify
from tests.formats.importing import check_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from auditor.simulator.estate import Estate
    from auditor.simulator.faults import Fault
    from auditor.simulator.keys import Key

ROLE = "LightsailExportAuditDelivery"
ACTION = "securityhub:BatchImportFindings"
MOST, LARGEST, LARGEST_OF_ALL = 100, 240_000, 6_000_000


@dataclass(frozen=True)
class Imported:
    """One call of BatchImportFindings whose signature was right."""

    account_id: str
    region: str
    role_arn: str | None
    findings: list[dict[str, Any]]
    size: int


@dataclass
class Hubs:
    """What they hold, and how they are set up."""

    estate: Estate
    role: str = ROLE
    external_id: str | None = None
    home: str | None = None
    """An account beside the estate's that has the role too."""
    disabled: set[tuple[str, str]] = field(default_factory=set)
    """Accounts and Regions where Security Hub is not enabled."""
    without_role: set[str] = field(default_factory=set)
    faults: tuple[Fault, ...] = ()
    """What goes wrong as a role to import with is assumed."""
    faults_of_audit: tuple[Fault, ...] = ()
    answer: Callable[[Imported], web.Response | None] = lambda _call: None
    """What is answered instead, where it is something."""
    hanging: set[str] = field(default_factory=set)
    """Accounts whose calls are never answered."""
    held: dict[tuple[str, str], dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Account and Region → Id → finding."""
    calls: list[Imported] = field(default_factory=list)
    assumed: list[dict[str, str]] = field(default_factory=list)
    """What STS was asked for roles to import with."""

    def __post_init__(self) -> None:
        self._audit = Endpoint(self.estate, self.faults_of_audit)
        (model, *_) = self.estate.accounts
        others = [replace(model, id=self.home, records={})] if self.home else []
        accounts = tuple(
            replace(each, role_name=self.role, external_id=self.external_id, role_actions=frozenset({ACTION}))
            for each in (*self.estate.accounts, *others)
            if each.id not in self.without_role
        )
        self._delivery = Endpoint(replace(self.estate, accounts=accounts), self.faults)
        # A session of the hub, whoever asked for it, is known to both.
        self._delivery._keys._keys = self._audit._keys._keys
        self._delivery._keys.base = self._audit._keys.base

    def findings(self, account_id: str, region: str) -> dict[str, dict[str, Any]]:
        return self.held.get((account_id, region), {})

    @property
    def all(self) -> dict[str, dict[str, Any]]:
        """Every finding by its Id, wherever it is."""
        return {known_as: each for hub in self.held.values() for known_as, each in hub.items()}

    def expire(self) -> None:
        """Let every session that was given out be over."""
        for key_id, key in self._audit._keys._keys.items():
            if key.expires_at is not None:
                self._audit._keys._keys[key_id] = replace(key, expires_at=0.0)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application(handler_args={"access_log": None}, client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.2, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @property
    def secrets(self) -> set[str]:
        """What must stand nowhere: the secret of every key that was given out, and its session token."""
        keys = self._audit._keys._keys.values()
        return {each for key in keys for each in (key.secret, key.token) if each}

    @property
    def environ(self) -> dict[str, str]:
        base = self.estate.base
        return {"AWS_ACCESS_KEY_ID": base.access_key, "AWS_SECRET_ACCESS_KEY": base.secret_key}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.raw_path, headers, await request.read())
        if request.path == "/findings/import":
            answer_of_hub = self._imported(received)
            if self.calls and self.calls[-1].account_id in self.hanging:
                await asyncio.Event().wait()
            return answer_of_hub
        endpoint = self._audit
        form = dict(parse_qsl(received.body.decode("latin-1")))
        if form.get("Action") == "AssumeRole" and form["RoleArn"].endswith(f"/{self.role}"):
            self.assumed.append(form)
            endpoint = self._delivery
        answer = endpoint.handle(received).answer
        typed = {**answer.headers, "Content-Type": answer.content_type}
        return web.Response(status=answer.status, body=answer.body, headers=typed)

    def _imported(self, received: Received) -> web.Response:
        caller = verify(received, "securityhub", self._delivery._keys)
        if isinstance(caller, ApiError):
            return said(caller.status, caller.code, caller.message)
        request = json.loads(received.body)
        account_id, region = caller.key.account_id, caller.region
        call = Imported(account_id, region, caller.key.role_arn, request["Findings"], len(received.body))
        self.calls.append(call)
        answer = self.answer(call) or self._refused(call, caller.key)
        if answer is not None:
            return answer
        check_request(request)
        hub = self.held.setdefault((account_id, region), {})
        for each in call.findings:
            _take(hub, each)
        return taken(len(call.findings))

    def _refused(self, call: Imported, key: Key) -> web.Response | None:
        if (call.account_id, call.region) in self.disabled:
            message = f"Account {call.account_id} is not subscribed to AWS Security Hub"
            return said(401, "InvalidAccessException", message)
        product = f"arn:aws:securityhub:{call.region}:{call.account_id}:product/{call.account_id}/default"
        place = (call.account_id, call.region, product)
        are_own = all(
            (each["AwsAccountId"], each["Region"], each["ProductArn"]) == place for each in call.findings
        )
        if not may(key, ACTION, product) or not are_own:
            message = f"User: {key.arn} is not authorized to perform: {ACTION} on resource: {product}"
            return said(403, "AccessDeniedException", message)
        problem = _problem(call)
        return None if problem is None else said(400, "InvalidInputException", problem)


def _problem(call: Imported) -> str | None:
    """Say what is wrong with the size of a call."""
    if len(call.findings) > MOST or call.size > LARGEST_OF_ALL:
        return "too much at once"
    if len({each["Id"] for each in call.findings}) < len(call.findings):
        return "an Id twice"
    return "too large" if any(len(json.dumps(each)) > LARGEST for each in call.findings) else None


def _take(hub: dict[str, dict[str, Any]], finding: dict[str, Any]) -> None:
    before = hub.get(finding["Id"])
    if before is None:
        hub[finding["Id"]] = {"Workflow": {"Status": "NEW"}, **finding}
    elif _instant(finding["UpdatedAt"]) > _instant(before["UpdatedAt"]):
        hub[finding["Id"]] = {**finding, "Workflow": before["Workflow"]}


def _instant(time: str) -> tuple[str, float]:
    whole, fraction = re.fullmatch(r"(.{19})(\.\d+)?Z", time).groups()  # type: ignore[union-attr]  # or it is no time
    return whole, float(fraction or 0)


def taken(count: int, *failed: tuple[str, str, str]) -> web.Response:
    """What BatchImportFindings answers where it has looked at each: Id, code and message of those that failed."""
    told = [
        {"Id": known_as, "ErrorCode": code, "ErrorMessage": message} for known_as, code, message in failed
    ]
    counted = {"FailedCount": len(told), "SuccessCount": count - len(told), "FailedFindings": told}
    return web.json_response(counted)


def said(status: int, code: str, message: str) -> web.Response:
    """An error as REST-JSON has it."""
    return web.json_response(
        {"Message": message, "Code": code}, status=status, headers={"x-amzn-ErrorType": code}
    )
