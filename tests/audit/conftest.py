from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from auditor.audit import RunOptions, audit
from auditor.aws.regions import lightsail_regions
from auditor.config import load_config
from auditor.delivery import destination_settings
from auditor.policies import catalogue
from auditor.simulator.estate import Estate, Expected, generate
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from auditor.audit import Observer, Result
    from auditor.config import Config, History
    from auditor.simulator.endpoint import Call
    from auditor.simulator.faults import Fault

REGIONS = ("us-east-1", "eu-west-1")


@dataclass(frozen=True)
class Audited:
    """A run, and all that it left."""

    result: Result
    findings: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    run: dict[str, Any]
    calls: list[Call]
    max_in_flight: int

    @property
    def found(self) -> frozenset[Expected]:
        """What was found, in the estate's own words."""
        keys = ("policy", "account_id", "region", "resource_arn")
        return frozenset(Expected(*(finding[key] for key in keys)) for finding in self.findings)

    def line(self, account: str, region: str) -> dict[str, Any]:
        """The coverage line of one target."""
        (line,) = (
            line for line in self.coverage if (line["account_id"], line["region"]) == (account, region)
        )
        return line

    @property
    def reasons(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Verdict and reason by account and Region."""
        return {
            (line["account_id"], line["region"]): (line["verdict"], line["reason"]) for line in self.coverage
        }


@dataclass
class Auditing:
    """Audits estates of the simulator."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    runs: int = field(default=0)

    def config(
        self, estate: Estate, extra: str = "", of_accounts: Mapping[str, Mapping[str, float]] | None = None
    ) -> Config:
        path = self.folder / f"accounts-{self.runs}.yaml"
        text = estate.accounts_yaml()
        for account, settings in (of_accounts or {}).items():
            own = "".join(f"    {key}: {value}\n" for key, value in settings.items())
            text = text.replace(f'  - id: "{account}"\n', f'  - id: "{account}"\n{own}')
        if "\npolicies:\n" in text and extra.startswith("policies:"):
            # Beside those that the estate itself switches off, at its end.
            extra = extra.removeprefix("policies:").lstrip("\n")
        path.write_text(text + extra, encoding="utf-8")
        return load_config(
            path,
            policy_settings={policy_id: entry.settings_type for policy_id, entry in catalogue().items()},
            known_regions=lightsail_regions(),
            environ={"HOOK_KEY": "canary-of-the-signature"},
            destination_settings=destination_settings(),
        )

    async def __call__(  # noqa: PLR0913 -- all that a night may differ in
        self,
        estate: Estate,
        *faults: Fault,
        extra: str = "",
        of_accounts: Mapping[str, Mapping[str, float]] | None = None,
        credential_lifetime: float | None = None,
        observer: Observer | None = None,
        options: RunOptions | None = None,
        history: History | None = None,
    ) -> Audited:
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        config = self.config(estate, extra, of_accounts)
        if history is not None:
            config = replace(config, history=history)
        options = replace(options or RunOptions(), folder=folder)
        with serve_in_thread(estate, faults=faults, credential_lifetime=credential_lifetime) as running:
            for name, value in running.environ.items():
                self.monkeypatch.setenv(name, value)
            result = await audit(config, options, observer)
        return Audited(
            result=result,
            findings=_lines(folder / "findings.jsonl"),
            coverage=_lines(folder / "coverage.jsonl"),
            run=json.loads((folder / "run.json").read_text("utf-8")),
            calls=running.calls,
            max_in_flight=running.max_in_flight,
        )


class EstateMaker(Protocol):
    def __call__(self, accounts: int = ..., **how: Any) -> Estate: ...


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def auditing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Auditing:
    return Auditing(tmp_path, monkeypatch)


@pytest.fixture
def estate_of() -> EstateMaker:
    def make(accounts: int = 3, *, regions: Iterable[str] = REGIONS, **how: Any) -> Estate:
        now = datetime.now(UTC) - timedelta(seconds=1)
        how = {"records_per_target": 20, "page_size": 7} | how
        return generate(how.pop("seed", 7), accounts=accounts, regions=tuple(regions), now=now, **how)

    return make
