"""Keys: the private one that signs a manifest, and the public one that a signature is held against."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from auditor.errors import EvidenceFault, UsageError
from auditor.evidence.manifest import Signature, signed_bytes
from auditor.model import shown

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.evidence.manifest import Manifest

PASSPHRASE = "AUDITOR_EVIDENCE_KEY_PASSPHRASE"  # noqa: S105 -- the name of a variable
"""The environment variable that holds the passphrase of a key's file, where it has one."""

LARGEST_KEY = 64 * 1024
"""Bytes of a file with a key: an RSA key of 16,384 bits takes 13 KB."""
_LEAST_RSA_BITS = 2048
KINDS = "Ed25519, ECDSA (P-256, P-384, P-521) or RSA"


class Signer(Protocol):
    """Signs one manifest."""

    @property
    def described(self) -> dict[str, Any]:
        """What signs: stands in the manifest, and is signed with it."""

    async def sign(self, payload: bytes) -> Signature:
        """Return the signature of a payload in its envelope.

        :raises SinkError: where it can't be had.
        """


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; Any: securesystemslib is an extra."""

    key: Any

    @property
    def keyid(self) -> str:
        """What securesystemslib knows it by."""
        return str(self.key.keyid)

    @property
    def described(self) -> dict[str, Any]:
        """What it is, for a manifest."""
        return {
            "keyid": self.keyid,
            "scheme": self.key.scheme,
            "public_key": self.pem,
        }

    @property
    def pem(self) -> str:
        """The key as openssl reads it."""
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 -- an extra
            Encoding,
            PublicFormat,
        )

        pem: bytes = self.key._crypto_key().public_bytes(  # noqa: SLF001 -- it shows it no other way
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return pem.decode()

    def check(self, manifest: Manifest) -> None:
        """Hold a manifest's signature against this key.

        :raises EvidenceFault: where it has none that is this key's, or it does not hold.
        """
        own = [each for each in manifest.signatures if each.keyid == self.keyid]
        if not own:
            others = ", ".join(shown(each.keyid)[:16] for each in manifest.signatures)
            raise EvidenceFault(f"the signature: is by another key ({others}…), not by {self.keyid[:16]}…")
        if not all(self.signed(each, manifest.payload) for each in own):
            raise EvidenceFault(f"the signature: does not hold against the key {self.keyid[:16]}…")

    def signed(self, signature: Signature, payload: bytes) -> bool:
        """Say whether this is the key's signature of a payload in its envelope."""
        from securesystemslib.exceptions import (  # noqa: PLC0415 -- an extra
            UnverifiedSignatureError,
            VerificationError,
        )
        from securesystemslib.signer import Signature as Signed  # noqa: PLC0415 -- an extra

        try:
            self.key.verify_signature(Signed(signature.keyid, signature.value.hex()), signed_bytes(payload))
        except (UnverifiedSignatureError, VerificationError):
            return False
        return True


class LocalSigner:
    """Signs with a key in a file."""

    def __init__(self, signer: Any) -> None:
        self._signer = signer
        self.public = PublicKey(signer.public_key)

    @property
    def described(self) -> dict[str, Any]:
        """What signs."""
        return {"by": "local-key", **self.public.described}

    async def sign(self, payload: bytes) -> Signature:
        """Return the signature."""
        signed = self._signer.sign(signed_bytes(payload))
        return Signature(signed.keyid, bytes.fromhex(signed.signature))


def public_key(key: Any) -> PublicKey:
    """Return a public key of the cryptography package's as what a signature is held against.

    :raises ValueError: where it is of no kind that can sign here.
    """
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415 -- an extra

    bits = getattr(key, "key_size", None)
    known = SSlibKey.from_crypto(key)
    if known.keytype == "rsa" and isinstance(bits, int) and bits < _LEAST_RSA_BITS:
        raise ValueError(f"RSA of {bits} bits is too short; use {_LEAST_RSA_BITS} or more")
    if known.keytype not in ("rsa", "ecdsa", "ed25519"):
        raise ValueError(f"is no key of {KINDS}")
    return PublicKey(known)


def load_signer(path: Path) -> LocalSigner:
    """Return what signs with the private key in a file.

    :raises UsageError: where it holds none that can be used.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 -- an extra

    asked = "--evidence-key"
    raw = _read(path, asked)
    passphrase = os.environ.get(PASSPHRASE)
    try:
        private: Any = load_pem_private_key(raw, passphrase.encode() if passphrase else None)
    except TypeError:
        if passphrase is None:
            text = f"the key has a passphrase; set it in {PASSPHRASE}"
        else:
            text = f"the key has no passphrase; unset {PASSPHRASE}"
        raise _refused(path, asked, text) from None
    except (ValueError, UnsupportedAlgorithm):
        text = f"holds no private key in PEM, of {KINDS}, or not for this passphrase"
        raise _refused(path, asked, text) from None
    try:
        public = public_key(private.public_key())
        return LocalSigner(CryptoSigner(private, public.key))
    except ValueError as error:
        raise _refused(path, asked, f"{error}") from None


def load_public_key(path: Path) -> PublicKey:
    """Return the public key in a file.

    :raises UsageError: where it holds none that can be used.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- an extra
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    asked = "--key"
    raw = _read(path, asked)
    if b"PRIVATE KEY" in raw:
        text = "holds a private key; make its public one: openssl pkey -in FILE -pubout"
        raise _refused(path, asked, text)
    try:
        return public_key(load_pem_public_key(raw))
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(path, asked, f"holds no public key in PEM, of {KINDS}") from None


def _read(path: Path, asked: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_KEY + 1)
    except OSError as error:
        raise _refused(path, asked, f"{error.strerror}") from error
    if len(raw) > LARGEST_KEY:
        raise _refused(path, asked, "is too long for a key")
    return raw


def _refused(path: Path, asked: str, why: str) -> UsageError:
    return UsageError(f"{asked} {shown(str(path))}: {why}")
