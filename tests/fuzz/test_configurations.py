"""Whatever a configuration says, it is a `Config`, or a `ConfigError` of plain lines in which no secret stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st

from auditor.config import Config
from auditor.errors import ConfigError
from auditor.library import load_config
from auditor.model import shown
from tests.fuzz.campaign import campaign, limited
from tests.fuzz.mutating import ODD, TEXTS, changed, edited

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

pytestmark = limited

EXAMPLE = (Path(__file__).parents[2] / "accounts.example.yaml").read_text("utf-8")
_TOLD = re.compile(r"(?m)^  (?:enabled|severity|type|send|timeout|drain): .*\n")
"""Of what every policy and every destination has: it stands in no place of its own."""
# With every option but those that exclude another.
UNCOMMENTED = _TOLD.sub(
    "", re.sub(r"(?m)^( *)#(?: (?=(?:  )*\S))?(?= *(?:- )?[\w-]+:(?: \S|$))(?!.*\{account)", r"\1", EXAMPLE)
)
SECRET = "canary-5f3a-of-the-environment"
ENVIRON = {
    "NAME": SECRET,
    "AUDITOR_EXTERNAL_ID": SECRET,
    "AUDIT_HOOK_KEY": SECRET,
    "SEVERAL": f"{SECRET}\n- {SECRET}: [",
}

ALL_AT_ONCE = yaml.safe_load("""
version: 1
defaults:
  role_name: Reader
  external_id: ${NAME}
  session_name: audit
  hub_role_arn: "arn:aws:iam::999988887777:role/AuditHub"
  hub_external_id: ${NAME}
  session_tags: {team: security}
  source_identity: audit
  session_policy: true
  session_duration: 1h
  regions: all
accounts:
  - {id: "111122223333", name: payments-prod, external_id: "${NAME}", regions: [us-east-1, eu-west-1]}
  - {id: "444455556666", role_arn: "arn:aws:iam::{account_id}:role/audit/Reader", session_tags: {a: b}}
organization:
  role_arn: "arn:aws:iam::999988887777:role/Organization"
  external_id: ${NAME}
  include: {ous: [Root/Prod, ou-ab12-cdefgh34], accounts: ["777788889999"], names: ["*-prod"], tags: {a: [b, "*"]}}
  exclude: {names: ["sandbox-*"]}
policies:
  stale-failed-export: {enabled: true, severity: high, max_age: 3d, ignore_after: 90d}
  oversized-disk: {severity: medium, max_gb: 640}
  own:
    expression: record.state == "Failed" && account.name.endsWith("-prod")
    message: "{record.name} failed in {region}"
    remediation: Export it again.
    controls: [{framework: NIST SP 800-53 r5, id: CP-9, mapping: organisational}]
history: {store: "postgresql://auditor:${NAME}@host/db", wait: 10m}
destinations:
  hook: {type: webhook, url: "https://hooks.example.com/${NAME}", secret_env: NAME, send: changes}
  log: {type: syslog, host: log.example.com, port: 6514}
  queue: {type: sqs, queue_url: "https://sqs.us-east-1.amazonaws.com/111122223333/audit", region: us-east-1}
  copy: {type: file, path: "/tmp/findings.jsonl"}
  kafka: {type: kafka, brokers: ["k:9092"], topic: audit}
waivers:
  - {policy: oversized-disk, account: "111122223333", region: us-*, resource: "*:x", owner: a, reason: b, until: 2027-03-31}
accepted_gaps:
  - {account: "444455556666", region: eu-*, reason: access-denied, owner: a, explanation: b, until: 2027-03-31}
limits: {concurrency: 64, request_timeout: 20s, deadline: 30m}
""")
KEYS = re.findall(r"[a-z_]{4,}(?=:)", EXAMPLE)
WORDS = [
    *(f"\n{key}: ".encode() for key in KEYS),
    *b"\n|\n- |: |&a |*a |<<: *a\n|!!python/object:os.system |!!binary |---\n|...\n|? |%YAML 9\n|> |'|\"|{|}|[|]|,|#".split(
        b"|"
    ),
    *b"${NAME}|$${|${|${NAME|${nope}|${SEVERAL}|~|null|0x1f|1e9|.nan|2027-02-30|-1d|999999999d|\t|\r|\0".split(
        b"|"
    ),
    *b"\xff\xfe|\xef\xbb\xbf|\xc2\x85|\xe2\x80\xa8|\\u0000|\\uD800|\\UFFFFFFFF|\x1b[2J|*|?|us-east-1|all|arn:aws:iam::".split(
        b"|"
    ),
]
VALUES = st.one_of(
    ODD,
    st.sampled_from(["${NAME}", "${SEVERAL}", "x${NAME}y", "3d", "0s", "all", "111122223333", ["*"]]),
    TEXTS,
)


def _dumped(tree: Any, flow: bool | None) -> bytes:  # noqa: FBT001 -- PyYAML's own choice
    return yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, sort_keys=False).encode(
        "utf-8", "surrogatepass"
    )


TREES = changed(ALL_AT_ONCE, VALUES)
CONFIGURATIONS: SearchStrategy[bytes] = st.one_of(
    st.builds(_dumped, TREES, st.sampled_from([True, False, None])),
    st.builds(_dumped, TREES, st.just(value=False)).flatmap(lambda text: edited(text, WORDS, most=3)),
    edited(EXAMPLE.encode(), WORDS),
    edited(UNCOMMENTED.encode(), WORDS),
    st.lists(st.sampled_from(WORDS), max_size=30).map(b"".join),
)


def test_what_is_changed_here_is_good_before_it_is_changed(tmp_path: Path) -> None:
    for text in (EXAMPLE, UNCOMMENTED, _dumped(ALL_AT_ONCE, flow=None).decode()):
        (tmp_path / "accounts.yaml").write_text(text, "utf-8")
        assert load_config(tmp_path / "accounts.yaml", ENVIRON).accounts


def _refused(error: ConfigError, lines: int) -> str:
    """Hold what is said of a file of that many lines to what it promises."""
    for problem in error.problems:
        line = str(problem)
        assert shown(line) == line
        assert SECRET not in line
        assert problem.line is None or 1 <= problem.line <= lines
    assert SECRET not in repr(error)
    return "refused" if len(error.problems) == 1 else "refused for several faults"


def test_a_configuration_is_taken_or_refused_in_plain_lines(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"

    def load(content: bytes) -> str:
        path.write_bytes(content)
        try:
            config = load_config(path, ENVIRON)
        except ConfigError as error:
            # YAML's breaks (1.2.2, 5.4): a lone CR is one as well.
            return _refused(error, lines=len(re.findall(rb"\r\n?|\n", content)) + 1)
        assert isinstance(config, Config)
        assert len(config.digest) == 64
        return "taken"

    campaign(CONFIGURATIONS, load, patience=2.0, outcomes={"taken", "refused", "refused for several faults"})
