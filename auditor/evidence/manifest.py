"""The manifest: every file's digest in an in-toto Statement, in a DSSE envelope; and the same as sha256sum reads it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from auditor.errors import EvidenceFault
from auditor.evidence.layout import (
    EVIDENCE_SCHEMA,
    FOLDER,
    MANIFEST,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
)
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEX = 64
"""Digits of a SHA-256."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed, by the key's id, and the signature's bytes."""

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says."""

    payload: bytes
    signatures: tuple[Signature, ...]
    subjects: Mapping[str, str]
    """File, by its path in the run's folder → SHA-256, in hex."""
    predicate: Mapping[str, Any]
    sha256: str
    """Of the file itself."""

    @property
    def run_id(self) -> str:
        """The run's."""
        return str(self.predicate.get("run_id"))


def payload_of(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> bytes:
    """Return the Statement (in-toto attestation framework 1.0)."""
    return orjson.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"schema": EVIDENCE_SCHEMA, **predicate},
        }
    )


def signed_bytes(payload: bytes) -> bytes:
    """Return what is signed: DSSE 1.0.2, "Pre-Authentication Encoding"."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, signatures: tuple[Signature, ...] = ()) -> bytes:
    """Return the manifest's bytes."""
    told = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": each.keyid, "sig": base64.b64encode(each.value).decode()} for each in signatures
        ],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def sums(subjects: Mapping[str, str], manifest: str) -> bytes:
    """Return the digests as `sha256sum --check` reads them in the run's folder.

    :param manifest: the digest of the manifest itself.
    """
    return digest_lines({**subjects, f"{FOLDER}/{MANIFEST}": manifest})


def digest_lines(digests: Mapping[str, str]) -> bytes:
    """Return a line for each file, as sha256sum writes it."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()


def read_manifest(raw: bytes) -> Manifest:
    """Return what a manifest says.

    :raises EvidenceFault: where it is none, is of another version, or a byte of it is not as it was written.
    """
    told = _object(raw, "is no JSON object")
    try:
        payload = base64.b64decode(told["payload"], validate=True)
        signatures = tuple(
            Signature(str(each["keyid"]), base64.b64decode(each["sig"], validate=True))
            for each in told["signatures"]
        )
        kind = told["payloadType"]
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _fault("is no DSSE envelope, or was changed") from None
    if kind != PAYLOAD_TYPE:
        raise _fault(f"holds {shown(str(kind))[:80]}, not {PAYLOAD_TYPE}")
    statement = _object(payload, "holds no Statement")
    predicate = statement.get("predicate")
    schema = predicate.get("schema") if isinstance(predicate, dict) else None
    if statement.get("predicateType") != PREDICATE_TYPE or schema != EVIDENCE_SCHEMA:
        said = shown(f"{statement.get('predicateType')}, {schema}")[:120]
        raise _fault(f"is of {said}, which this auditor does not know; use the version that wrote it")
    if statement.get("_type") != STATEMENT_TYPE:
        raise _fault(f"is no {STATEMENT_TYPE}")
    subjects = _subjects(statement.get("subject"))
    if envelope(payload, signatures) != raw or not isinstance(predicate, dict):
        # Blanks, unused bits of base64 and keys of no meaning included: any flipped bit is one.
        raise _fault("is not as it was written")
    return Manifest(payload, signatures, subjects, predicate, sha256(raw).hexdigest())


def _subjects(listed: Any) -> dict[str, str]:
    subjects: dict[str, str] = {}
    try:
        for each in listed:
            name, digest = each["name"], each["digest"]["sha256"]
            if not isinstance(name, str) or not isinstance(digest, str) or len(digest) != _HEX:
                raise _fault("names a file without its name or SHA-256")
            if name in subjects:
                raise _fault(f"names {shown(name)} twice")
            subjects[name] = digest
    except (KeyError, TypeError):
        raise _fault("names no files, or some without their SHA-256") from None
    return subjects


def _object(raw: bytes, otherwise: str) -> dict[str, Any]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise _fault(otherwise)
    return told


def _fault(text: str) -> EvidenceFault:
    return EvidenceFault(f"{FOLDER}/{MANIFEST}: {text}")
