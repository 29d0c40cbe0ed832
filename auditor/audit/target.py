"""One target: read page by page, judged as it is read, and settled in the ledger whatever happens."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor.aws.pages import PageReader
from auditor.aws.sources import SOURCES
from auditor.errors import CallFailed
from auditor.model import Failure, Outcome, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from auditor.audit.findings import FindingMaker
    from auditor.audit.tally import Tally
    from auditor.aws.clients import Clients
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.coverage import Ledger
    from auditor.model import Finding, Target
    from auditor.policies import Crash, Found, Panel, TargetJudge

log = structlog.get_logger()


class TargetAudit:
    """Audits the targets of one run, one at each call."""

    def __init__(  # noqa: PLR0913 -- the rooms that a target passes through
        self,
        *,
        clients: Clients,
        roles: Roles,
        panel: Panel,
        maker: FindingMaker,
        ledger: Ledger,
        tally: Tally,
        request_timeout: float,
        emit: Callable[[list[Finding]], Awaitable[None]],
        why_stopped: Callable[[], Failure],
    ) -> None:
        self._clients = clients
        self._roles = roles
        self._panel = panel
        self._maker = maker
        self._ledger = ledger
        self._tally = tally
        self._timeout = request_timeout
        self._emit = emit
        self._why_stopped = why_stopped

    async def audit(self, target: Target, slot: Slot) -> None:
        """Read, judge and settle a target; nothing but a cancellation gets out of here."""
        started = anyio.current_time()
        outcome = Outcome()
        judge = self._panel.begin(lambda crash: _say_crashed(target, crash), target)
        failure: Failure | None = Failure(Reason.INTERNAL_ERROR)  # until something else is known
        try:
            failure = await self._read(target, slot, outcome, judge)
        except anyio.get_cancelled_exc_class():
            failure = self._why_stopped()
            raise
        finally:
            outcome.duration_s = anyio.current_time() - started
            await self._settle(target, outcome, judge, failure)

    async def _read(self, target: Target, slot: Slot, outcome: Outcome, judge: TargetJudge) -> Failure | None:
        """Read the target to its end and judge each record; return why that end was not reached."""
        try:
            reader = PageReader(
                self._clients,
                self._roles,
                SOURCES[target.source],
                target,
                outcome=outcome,
                slot=slot,
                request_timeout=self._timeout,
            )
            async with aclosing(reader.pages()) as pages:
                async for records in pages:
                    found = judge.judge(records)
                    self._tally.read(records)
                    del records  # not held while the next page is awaited
                    await self._report(target, found)
        except CallFailed as failed:
            _say_failed(target, failed)
            return failed.failure
        except Exception as error:  # noqa: BLE001 -- a bug of ours must not hide the other targets
            return _internal_error(target, error)
        return None

    async def _settle(
        self, target: Target, outcome: Outcome, judge: TargetJudge, failure: Failure | None
    ) -> None:
        try:
            found = judge.conclude(complete=failure is None)
            await self._report(target, found)
        except Exception as error:  # noqa: BLE001 -- as above
            failure = _internal_error(target, error)
        self._tally.judged(judge)
        outcome.unjudged = judge.unjudged or None
        verdict = self._ledger.settle(target, outcome, failure)
        log.debug("target settled", **_where(target), verdict=verdict, pages=outcome.pages)

    async def _report(self, target: Target, found: list[Found]) -> None:
        if found:
            findings = [self._maker.make(target, each) for each in found]
            self._tally.found(findings)
            await self._emit(findings)


def _where(target: Target) -> dict[str, str]:
    return {"account": target.account.id, "region": target.region, "source": target.source}


def _internal_error(target: Target, error: Exception) -> Failure:
    log.error(
        "internal error: a bug of the auditor", **_where(target), error=type(error).__name__, exc_info=error
    )
    return Failure(Reason.INTERNAL_ERROR, type(error).__name__)


def _say_failed(target: Target, failed: CallFailed) -> None:
    failure = failed.failure
    say = log.info if failure.reason is Reason.REGION_NOT_ENABLED else log.warning
    say(
        "target not read to its end",
        **_where(target),
        reason=failure.reason,
        error_code=failure.error_code,
        error_message=failure.error_message,
        request_id=failed.request_id,
    )


def _say_crashed(target: Target, crash: Crash) -> None:
    log.error(
        "policy crashed; what it looked at is unjudged",
        **_where(target),
        policy=crash.policy,
        error=shown(repr(crash.error)),
        exc_info=crash.error,
    )
