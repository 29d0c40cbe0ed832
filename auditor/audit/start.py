"""What a run is before its first finding, for its formats."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.formats import JudgedPolicy, PastRun, RunStart
from auditor.model import rfc3339
from auditor.policies import catalogue_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from auditor.config import Config, PolicySettings
    from auditor.inventory import Filters
    from auditor.policies import Entry


PAST_RUNS = 60
"""Earlier runs that a format is told of."""


def run_start(
    run_id: str,
    now: datetime,
    config: Config,
    filters: Filters,
    settings: Mapping[str, PolicySettings],
) -> RunStart:
    """Return what is known of a run that judges by the policies of these settings."""
    entries = catalogue_of(settings)
    return RunStart(
        run_id=run_id,
        started_at=rfc3339(now),
        auditor_version=__version__,
        is_subset=bool(filters),
        filters={"policies": filters.policies, "accounts": filters.accounts, "regions": filters.regions},
        config_path=config.path,
        policies=judged_policies(config, entries, settings),
    )


def judged_policies(
    config: Config, entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]
) -> dict[str, JudgedPolicy]:
    """Return the policies of these settings by id, as formats and destinations tell of them."""
    return {
        policy_id: _judged(entries[policy_id], each, config.line_of_policy(policy_id))
        for policy_id, each in settings.items()
    }


def past_runs(lines: Sequence[Mapping[str, Any]], run_id: str) -> tuple[PastRun, ...]:
    """Return the runs of these lines that have finished, the oldest first, without the one of this id.

    :param lines: as `auditor.history.reading.run_lines` tells them, the newest first.
    """
    return tuple(
        PastRun(
            run_id=line["run_id"],
            started_at=line["started_at"],
            is_subset=line["scope"] == "subset",
            open=line["findings"]["open"],
            new=line["findings"]["new"] + line["findings"]["reopened"],
            not_seen=line["findings"]["not_seen"],
            resolved=line["findings"]["resolved"],
            coverage_percent=line["coverage_percent"],
        )
        for line in reversed(lines)
        if line["finished_at"] is not None and line["run_id"] != run_id
    )


def _judged(entry: Entry, settings: PolicySettings, line: int) -> JudgedPolicy:
    return JudgedPolicy(
        id=entry.id,
        title=entry.title,
        description=_section(entry.text, "Why") or _section(entry.text, "What it finds") or entry.title,
        page=entry.text,
        settings=settings.model_dump(mode="json"),
        remediation=entry.policy.remediation,
        controls=entry.policy.controls,
        severity=settings.severity,
        version=entry.version,
        line=line,
    )


def _section(page: str, name: str) -> str:
    """Return the text of one section of a policy's page, or nothing where it has none."""
    _, found, rest = f"\n{page}\n".partition(f"\n{name}\n")
    if not found:
        return ""
    lines: list[str] = []
    for line in rest.splitlines():
        if line and not line[0].isspace():
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)).strip()
