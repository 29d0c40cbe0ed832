"""The one page in a bundle: what lies in it, and how to check it with tools that everybody has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from auditor.evidence.manifest import Manifest

_OPENSSL = {
    "ed25519": "openssl pkeyutl -verify -pubin -inkey KEY -rawin -in signed.bin -sigfile signature.bin",
    "ecdsa-sha2-nistp256": "openssl dgst -sha256 -verify KEY -signature signature.bin signed.bin",
    "ecdsa-sha2-nistp384": "openssl dgst -sha384 -verify KEY -signature signature.bin signed.bin",
    "ecdsa-sha2-nistp521": "openssl dgst -sha512 -verify KEY -signature signature.bin signed.bin",
    "rsa-pkcs1v15-sha256": "openssl dgst -sha256 -verify KEY -signature signature.bin signed.bin",
    "rsassa-pss-sha256": "openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify KEY -signature signature.bin "
    "signed.bin",
}
"""Scheme of a key, as securesystemslib names it → the command that holds a signature against it; openssl 3."""
KEY = "KEY"
"""What stands in place of the file with the public key."""

_HEAD = """\
AUDIT OF LIGHTSAIL EXPORT SNAPSHOT RECORDS: RUN {run_id}

Began {started_at}, ended {finished_at}. Scope: {scope}. Coverage: {coverage} %.
Run by {caller}.

WHAT IS IN HERE

{files}
  run/               the run's own folder: findings.jsonl, coverage.jsonl (a line for each account, Region and source,
                     with what became of it), run.json, and evidence/, the answers of AWS as they were received

The tables and the report are made from run/, and are not signed: where they differ, run/ counts.

HOW TO CHECK IT, WITHOUT THE TOOL THAT MADE IT

With a shell, sha256sum (coreutils), jq, base64 and openssl 3, in the folder of this file:

"""
_SUMS = """\
1. Every file is what the manifest names:

     cd run
     jq -r .payload evidence/manifest.dsse.json | base64 -d > ../statement.json
     jq -r '.subject[] | .digest.sha256 + "  " + .name' ../statement.json | sha256sum --check --strict --quiet
     cd ..

"""
_SIGNED = """\
2. The manifest is signed. Get the public key from whoever signs, and not from this archive; put its file in place of
   KEY (the manifest says that it has the id {keyid}):

     printf 'DSSEv1 %d %s %d ' {kind_length} {kind} "$(wc -c < statement.json)" > signed.bin
     cat statement.json >> signed.bin
     jq -r '.signatures[0].sig' run/evidence/manifest.dsse.json | base64 -d > signature.bin
     {openssl}

"""
_UNSIGNED = """\
2. The manifest is NOT SIGNED. That the files are what it names shows that none of them was damaged, and nothing
   about who made them: whoever can write here can write another manifest.

"""
_TAIL = """\
3. What AWS answered, for one account and Region: the index names where each answer stands.

     zstd -dc run/evidence/index.jsonl.zst | jq -c '{{account_id, region, source, page, status, request_id, sha256}}'

   Each request_id can be held against CloudTrail in that account, where it logs these calls.

What this proves: that nothing was changed since it was signed, and what was asked and answered, if whoever holds the
key is trusted. What it does not: AWS signs no answers, so that whoever holds the key could have made them up.
"""


def readme(manifest: Manifest, run: Mapping[str, Any], files: Sequence[tuple[str, str]]) -> str:
    """Return the page.

    :param files: what lies beside the run's folder, each with what it is.
    """
    signed_with = manifest.predicate.get("signed_with") or {}
    command = _OPENSSL.get(str(signed_with.get("scheme")))
    kind = "application/vnd.in-toto+json"
    signature = _UNSIGNED
    if manifest.signatures:
        signature = _SIGNED.format(
            keyid=shown(str(manifest.signatures[0].keyid))[:16] + "…",
            kind=kind,
            kind_length=len(kind),
            openssl=command or "(a key of this kind is checked by `auditor verify --key KEY` alone)",
        )
    head = _HEAD.format(
        run_id=shown(str(run["run_id"])),
        started_at=run["started_at"],
        finished_at=run["finished_at"],
        scope=run["scope"]["kind"],
        coverage=run["coverage_percent"],
        caller=shown(str(run["caller_arn"] or "an identity that AWS did not tell")),
        files="\n".join(f"  {name:<18} {what}" for name, what in files),
    )
    return head + _SUMS + signature + _TAIL.format()
