"""The other side of a soak, as a process of its own, so that what it holds is not measured: the estates and a receiver.

It is told what to do by lines of JSON on standard input, and answers each with one on standard output.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.simulator.estate import generate
from auditor.simulator.faults import GET_RECORDS, Fault, FaultKind
from auditor.simulator.server import serve_in_thread
from tests.fire.checking import of_findings, of_the_ledger
from tests.fire.explaining import unexplained
from tests.fire.night import KEY, Seen
from tests.fire.receiver import BUSY, HANG_UP, TAKE, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.simulator.estate import Estate
    from auditor.simulator.server import Running

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3")
_DESTINATION = (
    "history: {{store: history.sqlite3}}\n"
    "destinations:\n"
    "  hook: {{type: webhook, url: '{url}', secret_env: {key}, timeout: 2s, drain: 10s}}\n"
)
_ACCOUNTS = 10
_PAGES_OF_A_SESSION = 30
"""How many pages of the long run are read in the time that a session lasts."""
_SLOW_ACCOUNTS, _SLOW_REGIONS = 4, REGIONS[:2]
_NETWORK = (
    FaultKind.THROTTLE,
    FaultKind.SERVICE_ERROR,
    FaultKind.RESET,
    FaultKind.CUT_BODY,
    FaultKind.CUT_JSON,
    FaultKind.NOT_JSON,
    FaultKind.NOT_UTF8,
    FaultKind.SPOILED_BYTE,
    FaultKind.MISSING_KEY,
    FaultKind.EMPTY_PAGE,
    FaultKind.TOKEN_REJECTED,
    FaultKind.EXPIRED,
)


class Side:
    """What the audits of one soak are made against."""

    def __init__(self, folder: Path, seed: int, lifetime: float) -> None:
        self._folder = folder
        self._lifetime = lifetime
        self._chance = random.Random(seed)  # noqa: S311 -- to be repeated
        self._made = time.time()
        now = datetime.now(UTC) - timedelta(seconds=1)
        self._whole = generate(
            seed, accounts=_ACCOUNTS, regions=REGIONS, now=now, records_per_target=30, page_size=10
        )
        self._estate = self._whole
        self._receiver: Receiver | None = None
        self._night = ExitStack()
        self._long = ExitStack()
        self._slow: tuple[Estate, Running] | None = None

    def slow(self, seconds: float) -> dict[str, Any]:
        """Serve an estate that takes so long to be read, and say where."""
        latency = self._lifetime / _PAGES_OF_A_SESSION
        estate = generate(
            1,
            accounts=_SLOW_ACCOUNTS,
            regions=_SLOW_REGIONS,
            now=datetime.now(UTC) - timedelta(seconds=1),
            records_per_target=max(int(seconds / latency), 3),
            page_size=1,
            planted=0.1,
        )
        running = self._long.enter_context(
            serve_in_thread(
                estate,
                faults=[Fault(FaultKind.LATENCY, seconds=latency)],
                credential_lifetime=self._lifetime,
            )
        )
        self._slow = (estate, running)
        path = self._folder / "slow.yaml"
        path.write_text(estate.accounts_yaml() + "limits: {request_timeout: 10s, deadline: 24h}\n", "utf-8")
        return {"environ": running.environ, "config": str(path)}

    def begin(self) -> dict[str, Any]:
        """Serve what is there this night, and say where."""
        chance = self._chance
        there = chance.sample(self._whole.accounts, chance.randint(5, _ACCOUNTS - 2))
        there.sort(key=lambda account: account.id)
        self._estate = replace(self._whole, accounts=tuple(there))
        running = self._night.enter_context(
            serve_in_thread(self._estate, faults=list(self._faults()), credential_lifetime=self._lifetime)
        )
        self._receiver = Receiver([TAKE, chance.choice((TAKE, BUSY, HANG_UP)), TAKE])
        self._night.enter_context(self._receiver.serving())
        path = self._folder / "accounts.yaml"
        text = self._estate.accounts_yaml() + _DESTINATION.format(url=self._receiver.url, key=KEY)
        path.write_text(text + "limits: {request_timeout: 1s, deadline: 10s, concurrency: 16}\n", "utf-8")
        return {"environ": running.environ, "config": str(path), "accounts": len(there)}

    def _faults(self) -> Iterator[Fault]:
        """Yield what goes wrong: a little everywhere, and accounts that go, or come, while they are read."""
        chance = self._chance
        yield Fault(FaultKind.LATENCY, seconds=0.02)
        goes, comes, *others = chance.sample(self._estate.accounts, 4)
        gone = chance.uniform(0.0, 0.3)
        yield Fault(FaultKind.ACCESS_DENIED, goes.id, operation="AssumeRole", begins=gone)
        yield Fault(FaultKind.UNRECOGNIZED_CLIENT, goes.id, operation=GET_RECORDS, begins=gone)
        yield Fault(FaultKind.ACCESS_DENIED, comes.id, operation="AssumeRole", ends=chance.uniform(0.0, 0.2))
        for account in others:
            yield Fault(chance.choice(_NETWORK), account.id, times=chance.choice((1, 1, 2, None)))
        yield Fault(FaultKind.RESET, operation="AssumeRole", times=1, spares=chance.choice((0, 1)))

    def end(self, folder: str, log: list[Mapping[str, Any]], exit_code: int) -> dict[str, Any]:
        """Look at a night that is over."""
        self._night.close()
        seen = Seen(Path(folder), exit_code, 0.0, 0.0, log, [])
        wrong = [*of_the_ledger(self._estate, seen), *of_findings(self._estate, seen, self._made)]
        wrong += unexplained(log, seen)
        taken = len(self._receiver.taken) if self._receiver is not None else 0
        with closing(sqlite3.connect(self._folder / "history.sqlite3")) as database:
            due = database.execute("SELECT count(*) FROM outbox").fetchone()[0]
        return {"wrong": wrong, "taken": taken, "due": due}

    def end_slow(self, folder: str, log: list[Mapping[str, Any]], exit_code: int) -> dict[str, Any]:
        """Look at the long run, which has to be complete."""
        assert self._slow is not None
        estate, running = self._slow
        seen = Seen(Path(folder), exit_code, 0.0, 0.0, log, [])
        wrong = [
            *of_the_ledger(estate, seen),
            *of_findings(estate, seen, self._made),
            *unexplained(log, seen),
        ]
        wrong += [f"not complete: {line}" for line in seen.coverage if line["verdict"] != "complete"]
        self._long.close()
        return {
            "wrong": wrong,
            "accounts": len(estate.accounts),
            "roles": running.requests["AssumeRole"],
            "pages": running.requests[GET_RECORDS],
        }

    def close(self) -> None:
        """End all that is served."""
        self._night.close()
        self._long.close()


def main() -> None:
    """Do what the lines say, until there are no more."""
    folder, seed, lifetime = sys.argv[1:]
    side = Side(Path(folder), int(seed), float(lifetime))
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            answer = getattr(side, asked.pop("do"))(**asked)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        side.close()


if __name__ == "__main__":
    main()
