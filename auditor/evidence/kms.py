"""A key in AWS KMS, which signs a manifest's digest and never leaves there."""

from __future__ import annotations

import hashlib
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from auditor.aws.sending import SendAs, Sender
from auditor.errors import CallFailed, SinkError, UsageError
from auditor.evidence.manifest import Signature, signed_bytes
from auditor.evidence.signing import PublicKey, public_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONGEST_RAW = 4096
"""Bytes of a message that KMS hashes itself (KMS API reference, Sign, Message)."""
_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]+):[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]{1,256}")
"""KMS API reference, Sign, KeyId."""

# Scheme of securesystemslib's → signing algorithm of KMS's, and what is signed (KMS API reference, Sign).
_ALGORITHMS = {
    "ecdsa-sha2-nistp256": ("ECDSA_SHA_256", "sha256"),
    "ecdsa-sha2-nistp384": ("ECDSA_SHA_384", "sha384"),
    "ecdsa-sha2-nistp521": ("ECDSA_SHA_512", "sha512"),
    "rsassa-pss-sha256": ("RSASSA_PSS_SHA_256", "sha256"),
}


class KmsSigner:
    """Signs with a key in KMS, which was asked for its public part."""

    def __init__(self, sender: Sender, arn: str, public: PublicKey) -> None:
        self._sender = sender
        self._arn = arn
        self.public = public

    @property
    def described(self) -> dict[str, Any]:
        """What signs."""
        return {"by": "aws-kms", "arn": self._arn, **self.public.described}

    async def sign(self, payload: bytes) -> Signature:
        """Return the signature.

        :raises SinkError: where KMS does not give it.
        """
        algorithm, hashed = _ALGORITHMS[self.public.key.scheme]
        message, kind = signed_bytes(payload), "RAW"
        if len(message) > _LONGEST_RAW:
            message, kind = hashlib.new(hashed, message).digest(), "DIGEST"
        try:
            answer = await self._sender.call(
                "sign", KeyId=self._arn, Message=message, MessageType=kind, SigningAlgorithm=algorithm
            )
        except CallFailed as failed:
            raise SinkError(f"{self._arn}: kms:Sign: {failed}; the evidence is not signed") from failed
        signature = Signature(self.public.keyid, answer.get("Signature") or b"")
        if not self.public.signed(signature, payload):
            raise SinkError(f"{self._arn}: kms:Sign gave a signature that is not the key's")
        return signature


def check_arn(arn: str) -> str:
    """Return the Region of a key's ARN.

    :raises UsageError: where it is none.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UsageError(
            "--evidence-kms: takes the ARN of a key or alias, as arn:aws:kms:REGION:ACCOUNT:key/ID"
        )
    return match[1]


@asynccontextmanager
async def open_kms(arn: str, *, request_timeout: float, allow_http: bool) -> AsyncIterator[KmsSigner]:
    """Ask KMS for the key's public part, with the base credentials.

    :param request_timeout: seconds.
    :raises UsageError: where it can't be used to sign.
    """
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415 -- an extra

    as_whom = SendAs("kms", check_arn(arn), request_timeout=request_timeout, allow_http=allow_http)
    sender = Sender(as_whom)
    try:
        try:
            told = await sender.call("get_public_key", KeyId=arn)
            public = public_key(load_der_public_key(told["PublicKey"]))
        except CallFailed as failed:
            text = f"{failed}; allow the base credentials kms:GetPublicKey and kms:Sign on it"
            raise UsageError(f"--evidence-kms {arn}: {text}") from failed
        except (ValueError, KeyError) as error:
            raise UsageError(f"--evidence-kms {arn}: is no key that can sign here: {error}") from error
        algorithm = _ALGORITHMS.get(public.key.scheme)
        if algorithm is None or algorithm[0] not in told.get("SigningAlgorithms", ()):
            raise UsageError(
                f"--evidence-kms {arn}: is no key to sign with by ECDSA or RSASSA-PSS; make one of ECC_NIST_P256"
            )
        yield KmsSigner(sender, arn, public)
    finally:
        await sender.close()
