"""Cloud Custodian over many accounts, `c7n-org run`, beside the audit of the same estate.

Custodian does not read export snapshot records. Nearest to them are the instances that they came from:
`aws.lightsail-instance` is of the same service, the same protocol and the same page tokens, and asks for nothing beside.
(`aws.ami` and `aws.ebs-snapshot` would have Custodian load EC2's larger model, and read XML.) So both read 20 accounts
× 4 Regions, with a role and an external id in each account and the same number of pages of 50. The same 4 % of each
page break a policy: half are old and failed, or stopped, and half have a disk that is too large. Both are the plain
command, its start-up included, at AWS_ENDPOINT_URL, with nothing patched.

What differs:

- Custodian has one policy, which joins with an `or` what the audit has three policies for: each policy of its own would
  read every page again. Its cache is off, which spares it writing what it read.
- Its pages are a tenth shorter. It writes what it found whole, the audit findings and a ledger.
- It assumes a role for each account and Region, the audit one for each account: that is its own doing, and counts.
- It runs as it does by itself, in four processes a core, and once more with `--debug`, in one thread of one process. The
  cheaper of the two is compared. CPU is that of all its processes, RSS that of the largest alone.
- `auditor run, joined` looks up what became of the records as well, for which Custodian has nothing alike.

c7n-org exits with 0 even where an account's policy never ran. So its run counts only if the server gave every page,
and it left a `resources.json` for each account and Region, with as many breaches in all as were served.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.candidates import AUDIT, AUDIT_JOINED, Candidate, Read
from bench.errors import BenchError
from bench.estate import REGIONS, Workload, account_id
from bench.figures import Limit, Result, spread
from bench.own_environment import OwnEnvironment
from bench.rounds import Entry, paired, say
from bench.script import EXTERNAL_ID, role_arn

if TYPE_CHECKING:
    from pathlib import Path

    from bench.figures import Spread
    from bench.rounds import Rounds
    from bench.sample import Sample
    from bench.sizes import Sizes

SCENARIO = "c7n-org"
ENVIRONMENT = OwnEnvironment("c7n-org")

_REGIONS = 4
_POLICY = "breaching-instances"
_AT_LEAST = 20
"""Times the audit's CPU."""

# What stale-failed-export, stuck-export and oversized-disk find by themselves.
_FILTERS: list[dict[str, Any]] = [
    {
        "or": [
            {
                "and": [
                    {"type": "value", "key": "state.name", "value": "stopped"},
                    {"type": "value", "key": "createdAt", "value_type": "age", "op": "gt", "value": 3},
                ]
            },
            {
                "and": [
                    {"type": "value", "key": "state.name", "value": "pending"},
                    {"type": "value", "key": "createdAt", "value_type": "age", "op": "gt", "value": 1},
                ]
            },
            {"type": "value", "key": "max(hardware.disks[].sizeInGb)", "op": "gt", "value": 640},
        ]
    }
]


def _candidate(name: str, *words: str) -> Candidate:
    def command(workload: Workload, _: str, folder: Path) -> list[str]:
        # YAML is a superset of JSON.
        (folder / "accounts.yml").write_text(json.dumps(_accounts(workload)), encoding="utf-8")
        policy = {"name": _POLICY, "resource": "aws.lightsail-instance", "filters": _FILTERS}
        (folder / "policies.yml").write_text(json.dumps({"policies": [policy]}), encoding="utf-8")
        (folder / "cache").mkdir()
        files = [
            "-c",
            str(folder / "accounts.yml"),
            "-u",
            str(folder / "policies.yml"),
            "-s",
            str(folder / "out"),
        ]
        cache = ["--cache-path", str(folder / "cache"), "--cache-period", "0"]
        return ENVIRONMENT.command("c7n-org", "run", *files, *cache, *words)

    return Candidate(name, command, _read, _a_role_a_target)


def _accounts(workload: Workload) -> dict[str, Any]:
    regions = list(REGIONS[: workload.regions])
    told = [
        {
            "name": f"bench-{number:04}",
            "account_id": account_id(number),
            "role": role_arn(account_id(number)),
            "external_id": EXTERNAL_ID,
            "regions": regions,
        }
        for number in range(workload.accounts)
    ]
    return {"accounts": told}


def _a_role_a_target(workload: Workload) -> int:
    return workload.accounts * workload.regions


def _read(_: str, folder: Path) -> Read:
    """Return what was found; of pages and of what breaks nothing, Custodian says nothing."""
    files = list((folder / "out").glob(f"*/*/{_POLICY}/resources.json"))
    targets = json.loads((folder / "accounts.yml").read_text("utf-8"))["accounts"]
    planned = sum(len(account["regions"]) for account in targets)
    if len(files) != planned:
        raise BenchError(f"c7n-org left {len(files)} resources.json, not {planned}")
    return Read(None, None, sum(len(json.loads(file.read_text("utf-8"))) for file in files))


C7N_ORG = _candidate("c7n-org run")
C7N_ORG_SERIAL = _candidate("c7n-org run --debug (serial)", "--debug")


def c7n_org(rounds: Rounds, sizes: Sizes) -> Result:
    """Read the same estate with c7n-org and with the audit: full pages, and empty ones."""
    versions = ", ".join(f"{name} {ENVIRONMENT.version(name)}" for name in ("c7n-org", "c7n", "boto3"))
    result = Result(
        SCENARIO,
        f"{versions} in an environment of its own; first 50 records or instances a page, 2 pages a target, "
        f"then one empty page a target; {_REGIONS} Regions",
    )
    try:
        ENVIRONMENT.make()
    except BenchError as error:
        result.failures.append(f"c7n-org: {error}")
        say(f"FAILED: {result.failures[-1].splitlines()[0]}")
        return result
    for what, pages, count in (("full", 2, 50), ("empty", 1, 0)):
        _compare(rounds, sizes, result, what, Workload(sizes.c7n_accounts, _REGIONS, pages, count))
    return result


def _compare(rounds: Rounds, sizes: Sizes, result: Result, what: str, workload: Workload) -> None:
    told = replace(result, rows=[], limits=[], failures=[])
    entries = [
        Entry(AUDIT, workload, with_net=sizes.net),
        Entry(AUDIT_JOINED, replace(workload, joined=True), with_net=sizes.net),
        Entry(C7N_ORG, workload, with_net=sizes.net),
        Entry(C7N_ORG_SERIAL, workload, with_net=sizes.net),
    ]
    samples = rounds.take(told, entries)
    result.rows += told.rows
    result.failures += told.failures
    if len(samples) < len(entries):
        return
    audit, joined, *custodians = samples.values()
    cheapest = min(custodians, key=lambda runs: _cpu(runs).median)
    ratio, of_joined = paired(cheapest, audit, _cpu_s), paired(cheapest, joined, _cpu_s)
    result.limits.append(Limit(f"CPU, {what}: c7n-org to audit", ratio, _AT_LEAST, at_least=True))
    result.about += (
        f"; {what}: CPU {_cpu(cheapest).shown(1)} s to {_cpu(audit).shown(2)} s, "
        f"and to {_cpu(joined).shown(2)} s joined, {of_joined.shown(1)} x"
    )


def _cpu(samples: list[Sample]) -> Spread:
    return spread(map(_cpu_s, samples))


def _cpu_s(sample: Sample) -> float:
    return sample.cpu_s
