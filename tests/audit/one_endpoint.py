"""One address for every service: moto's STS gives out the keys, moto's IAM judges, the simulator's estate answers."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from moto.core.exceptions import AccessDeniedError
from moto.iam.access_control import IAMRequest
from moto.iam.models import get_account_id_from, iam_backends
from moto.sts.models import sts_backends

from auditor.simulator.endpoint import Endpoint
from auditor.simulator.keys import Key, Keys
from auditor.simulator.signature import Received

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from auditor.simulator.estate import Estate

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")


class MotoKeys(Keys):
    """The keys that moto has given out, to users and to sessions; its IAM says what they may, so here they may all."""

    def find(self, key_id: str) -> Key | None:
        account = get_account_id_from(key_id)
        for user in iam_backends[account]["aws"].users.values():
            for key in user.access_keys:
                if key.access_key_id == key_id:
                    return Key(key_id, key.secret_access_key, None, account, user.arn, user.id)
        for role in sts_backends[account]["aws"].assumed_roles:
            if role.access_key_id == key_id:
                secret, token = role.secret_access_key, role.session_token
                return Key(key_id, secret, token, account, role.arn, role.user_id)
        return None


@dataclass
class OneEndpoint:
    """Where the services are, and who was allowed what by moto.

    Session policies are kept by moto and not judged: the simulator's own tests do that.
    """

    moto: str
    estate: Estate
    calls: list[tuple[str, str, bool]] = field(default_factory=list)
    """Action, account, and whether it was allowed; calls of STS, which moto answers whole, included."""

    def __post_init__(self) -> None:
        self._endpoint = Endpoint(self.estate)
        self._endpoint._keys = MotoKeys(self.estate, self._endpoint._keys.clock, None)

    @property
    def allowed(self) -> set[str]:
        """The actions that were called and allowed."""
        return {action for action, _, allowed in self.calls if allowed}

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve from this loop."""
        app = web.Application(handler_args={"access_log": None})
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        scope = _SCOPE.search(request.headers["Authorization"])
        assert scope is not None
        key, service = scope.groups()
        account = get_account_id_from(key)
        target = request.headers.get("X-Amz-Target")
        if target is not None:
            operation = target.rpartition(".")[2]
        elif service == "account":
            operation = {"/listRegions": "ListRegions"}[request.path]
        else:
            operation = dict(parse_qsl(body.decode()))["Action"]
        action = f"{service}:{operation}"
        if service == "sts":
            return await self._forwarded(request, body, action, account)
        asked = IAMRequest(account, request.method, request.path, {}, body, request.headers, operation)  # type: ignore[arg-type]  # it reads headers of any mapping
        asked.check_signature()
        try:
            asked.check_action_permitted("*")
        except AccessDeniedError as error:
            self.calls.append((action, account, False))
            return _refused(service, str(error.message))
        self.calls.append((action, account, True))
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._endpoint.handle(Received(request.method, request.raw_path, headers, body)).answer
        typed = {**answer.headers, "Content-Type": answer.content_type}
        return web.Response(status=answer.status, body=answer.body, headers=typed)

    async def _forwarded(self, request: web.Request, body: bytes, action: str, account: str) -> web.Response:
        """Let moto judge and answer; the Host is signed, so it stays."""
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.post(f"{self.moto}{request.path}", data=body, headers=request.headers) as answer,
        ):
            content, status, kind = await answer.read(), answer.status, answer.headers["Content-Type"]
        self.calls.append((action, account, status < 400))
        return web.Response(status=status, body=content, headers={"Content-Type": kind})


def _refused(service: str, message: str) -> web.Response:
    if service == "ec2":
        error = f"<Error><Code>UnauthorizedOperation</Code><Message>{message}</Message></Error>"
        text = f"<Response><Errors>{error}</Errors><RequestID>none</RequestID></Response>"
        return web.Response(status=403, text=text, content_type="text/xml")
    said: dict[str, Any] = {"__type": "AccessDeniedException", "message": message}
    status = 403 if service == "account" else 400
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": "AccessDeniedException"}
    return web.Response(status=status, text=json.dumps(said), headers=headers)
