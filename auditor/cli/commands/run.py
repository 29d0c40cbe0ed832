"""`auditor run`: the audit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.format_list import WithFormats
from auditor.cli.options import DurationType, config_option, log_options

if TYPE_CHECKING:
    from datetime import timedelta

_SEVERITIES = ("critical", "high", "medium", "low", "info")
_FAIL_ON = (*_SEVERITIES, *(f"new:{severity}" for severity in _SEVERITIES), "none")


@click.command(cls=WithFormats, short_help="Audit the accounts of a configuration.")
@config_option
@click.option(
    "-o",
    "folder",
    metavar="DIR",
    help="The run's folder.  [default: runs/<run id>]",
)
@click.option(
    "--resume",
    "resume",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Go on with the run in DIR that died or was interrupted, as it was asked, by the gates that it began with or "
    "those given anew.",
)
@click.option(
    "-f",
    "formats",
    metavar="FORMAT[:VARIANT][=PATH]",
    multiple=True,
    help="A format to write as well, such as sarif:github; '-' as PATH is standard output. See below.",
)
@click.option(
    "--fail-on",
    metavar="[new:]SEVERITY",
    type=click.Choice(_FAIL_ON),
    help="Exit 1 on unwaived findings at or above this: critical, high, medium, low, info or none. With new: before "
    "it, on those alone that were not open before the run; that takes a history.  [default: high]",
)
@click.option(
    "--min-coverage",
    metavar="PERCENT",
    type=click.IntRange(0, 100),
    help="Exit 3 if less of the targets could be read, accepted gaps left out.  [default: 100]",
)
@click.option(
    "--max-unjudged",
    metavar="N",
    type=click.IntRange(min=0),
    help="Exit 3 if more records could not be judged.  [default: 0]",
)
@click.option(
    "--policy", "policies", metavar="ID", multiple=True, help="Judge by this policy alone; may be repeated."
)
@click.option(
    "--account", "accounts", metavar="ID", multiple=True, help="Audit this account alone; may be repeated."
)
@click.option(
    "--region", "regions", metavar="R", multiple=True, help="Audit this Region alone; may be repeated."
)
@click.option(
    "--deadline",
    metavar="DURATION",
    type=DurationType(),
    help="End the run after this long, such as 30m.  [default: limits.deadline]",
)
@click.option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Requests in flight.  [default: limits.concurrency]",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="Audit by this many processes on this machine.  [default: 1, this one]",
)
@click.option(
    "--dask",
    metavar="URL",
    help="Audit by the workers of the Dask scheduler at URL, such as tls://scheduler:8786.",
)
@click.option(
    "--evidence", "evidence", is_flag=True, help="Keep every answer as it was received, for `auditor verify`."
)
@click.option(
    "--evidence-key",
    "evidence_key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Sign the evidence with the private key in FILE (PEM).",
)
@click.option("--evidence-kms", "evidence_kms", metavar="ARN", help="Sign it with this key in AWS KMS.")
@click.option(
    "--evidence-after",
    "evidence_after",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The run before, which this one's evidence names; a history knows it without.",
)
@click.option(
    "--otel",
    is_flag=True,
    help="Tell an OpenTelemetry collector of the run, as the OTEL_ variables of the environment say.",
)
@click.option(
    "--allow-http",
    is_flag=True,
    help="Let calls go over plain http, and the plan to Dask over plain tcp, to another machine.",
)
@click.option("--quiet", is_flag=True, help="Tell no progress.")
@log_options("info")
def command(  # noqa: PLR0913 -- each is an option
    config_path: Path,
    folder: str | None,
    resume: Path | None,
    formats: tuple[str, ...],
    fail_on: str | None,
    min_coverage: int | None,
    max_unjudged: int | None,
    policies: tuple[str, ...],
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    deadline: timedelta | None,
    concurrency: int | None,
    workers: int,
    dask: str | None,
    *,
    evidence: bool,
    evidence_key: Path | None,
    evidence_kms: str | None,
    evidence_after: Path | None,
    otel: bool,
    allow_http: bool,
    quiet: bool,
    log_format: str | None,
    log_level: str,
) -> int:
    """Audit the accounts of a configuration, and say what was found and what could not be seen.

    The run's folder gets findings.jsonl, coverage.jsonl (a line for every account and Region) and run.json.

    \b
    Exit codes, the first that holds of 2, 5, 130/143, 4, 3, 1, 0:
      0  everything was audited and judged, nothing at or above --fail-on
      1  unwaived findings at or above --fail-on
      2  usage, configuration or base credentials: nothing was audited
      3  coverage after accepted gaps below --min-coverage, or too many unjudged
      4  something could not be written
      5  a bug of the auditor
      130, 143  interrupted; what was done is kept
    """  # noqa: D301 -- \b keeps click from filling the lines
    from auditor.audit import EvidenceOptions, RunOptions
    from auditor.audit.gating import read_fail_on
    from auditor.audit.options import Usual
    from auditor.cli.last_word import last_word
    from auditor.cli.logs import set_up_logs
    from auditor.cli.running import configuration_of, format_requests, named_folder, run_and_tell
    from auditor.inventory import Filters
    from auditor.library import load_config
    from auditor.telemetry import secrets_of

    redactor = set_up_logs(log_format, log_level)
    if resume is not None:
        config_path = configuration_of(resume, click.get_current_context())
    config = load_config(config_path)
    redactor.hide([*config.secrets, *(secrets_of(os.environ) if otel else ())])
    requests = format_requests(formats)
    options = RunOptions(
        folder=named_folder(folder),
        resume=resume,
        formats=requests,
        filters=Filters(policies=policies, accounts=accounts, regions=regions),
        fail_on=Usual.USUAL if fail_on is None else read_fail_on(fail_on),
        min_coverage=min_coverage,
        max_unjudged=max_unjudged,
        evidence=EvidenceOptions(evidence_key, evidence_kms, evidence_after)
        if evidence or evidence_key or evidence_kms or evidence_after
        else None,
        deadline=deadline,
        concurrency=concurrency,
        workers=workers,
        dask=dask,
        allow_http=allow_http,
        telemetry=otel,
        handle_signals=True,
    )
    code, why = run_and_tell(config, options, quiet=quiet)
    last_word(code, why)
    return code
