"""What the evidence of a run is made of, by name and version; docs/evidence.md tells of it."""

from __future__ import annotations

import re
from importlib.util import find_spec

from auditor.errors import UsageError
from auditor.model import how_to_install

FOLDER = "evidence"
"""In the run's folder."""
INDEX = "index.jsonl.zst"
CONFIGURATION = "configuration.json"
POLICIES = "policies.json"
ENVIRONMENT = "environment.json"
LINES = "lines.jsonl.zst"
"""The digests of the lines of findings.jsonl and coverage.jsonl."""
LINE_DIGITS = 32
"""Hex digits of a line's digest: 128 bits, since the whole file's has them all."""
MANIFEST = "manifest.dsse.json"
SUMS = "SHA256SUMS"
"""The same digests, and that of the manifest, as sha256sum reads them in the run's folder."""

ANSWER_SCHEMA = "auditor.answer/1"
LINES_SCHEMA = "auditor.lines/1"
EVIDENCE_SCHEMA = "auditor.evidence/1"
PREDICATE_TYPE = "https://auditor.dev/evidence/v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""in-toto attestation framework 1.0, "Statement" and "Envelope"."""

GATHERED = 256 * 1024
"""Bytes of answers of one account and Region that become one frame; one answer alone may be longer."""
PACK_ENDS_AT = 256 * 1024 * 1024
"""Bytes, compressed, from which on the next frame begins another pack."""

NEEDS = ("zstandard", "securesystemslib", "cryptography")
"""What the extra installs."""


PACK_NAMED = re.compile(r"answers-[0-9]{5,}\.zst")


def pack_name(number: int) -> str:
    """Return the name of a pack, counted from 1."""
    return f"answers-{number:05}.zst"


def check_installed(asked: str) -> None:
    """Look whether the extra is installed.

    :param asked: what needs it.
    :raises UsageError: where it is not.
    """
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise UsageError(f"{asked}: {', '.join(missing)} {are} not installed; {how_to_install('evidence')}")
