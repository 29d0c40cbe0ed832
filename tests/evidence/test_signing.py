"""A manifest is signed by a key of any usual kind, in a file or in KMS; others' tools check it without the auditor."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from moto.server import ThreadedMotoServer

from auditor.audit import EvidenceOptions
from auditor.errors import EvidenceFault, UsageError
from auditor.evidence.kms import open_kms
from auditor.evidence.reading import Evidence
from auditor.evidence.signing import PASSPHRASE, load_public_key, load_signer
from tests.evidence.conftest import estate_of
from tests.evidence.relay import answering, relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.evidence.conftest import Record

KINDS = {
    "ed25519": ("ed25519",),
    "p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "rsa": ("rsa", "-pkeyopt", "rsa_keygen_bits:2048"),
}
SMALL: dict[str, Any] = {"accounts": 1, "regions": ("us-east-1",)}


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True, text=True).stdout


def key_of(folder: Path, kind: str) -> tuple[Path, Path]:
    """A new key by openssl: its file, and that of its public part."""
    private, public = folder / f"{kind}.pem", folder / f"{kind}.pub.pem"
    openssl("genpkey", "-algorithm", *KINDS[kind], "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_finds_the_signature_of_every_kind_of_key_good(
    record: Record, tmp_path: Path, kind: str
) -> None:
    private, public = key_of(tmp_path, kind)

    run = record(estate=estate_of(**SMALL), options=EvidenceOptions(key=private))

    envelope = json.loads((run.folder / "evidence" / "manifest.dsse.json").read_bytes())
    payload = base64.b64decode(envelope["payload"])
    kind_of_payload = envelope["payloadType"].encode()
    signed, signature = tmp_path / "signed", tmp_path / "signature"
    signed.write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind_of_payload), kind_of_payload, len(payload), payload))
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    how = {
        "ed25519": ("-rawin",),
        "p256": ("-rawin", "-digest", "sha256"),
        "p384": ("-rawin", "-digest", "sha384"),
        "rsa": ("-rawin", "-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss"),
    }[kind]
    checked = openssl(
        "pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", signed, "-sigfile", signature, *how
    )
    assert "Signature Verified Successfully" in checked
    load_public_key(public).check(Evidence.open(run.folder).manifest)
    statement = json.loads(payload)
    assert statement["predicate"]["signed_with"]["public_key"] == public.read_text()
    assert private.read_text() not in payload.decode()


def test_a_signature_does_not_hold_against_another_key(record: Record, tmp_path: Path) -> None:
    private, _ = key_of(tmp_path, "p256")
    run = record(estate=estate_of(**SMALL), options=EvidenceOptions(key=private))
    _, other = key_of(tmp_path, "ed25519")

    with pytest.raises(EvidenceFault, match="the signature: is by another key"):
        load_public_key(other).check(Evidence.open(run.folder).manifest)


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def kms(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", moto)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("kms", region_name="eu-west-1", endpoint_url=moto, **keys)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
def test_a_key_in_kms_signs_what_its_public_part_finds_good(
    record: Record, kms: Any, tmp_path: Path, spec: str
) -> None:
    arn = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]

    run = record(estate=estate_of(**SMALL), options=EvidenceOptions(kms=arn))

    public = tmp_path / "public.pem"
    der = kms.get_public_key(KeyId=arn)["PublicKey"]
    public.write_bytes(
        b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"
    )
    manifest = Evidence.open(run.folder).manifest
    load_public_key(public).check(manifest)
    assert manifest.predicate["signed_with"]["arn"] == arn
    assert run.result.exit_code in (0, 1)


def test_a_key_in_kms_that_can_not_sign_is_refused_before_anything_is_written(
    record: Record, kms: Any, tmp_path: Path
) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    for named, why in (
        (arn, "--evidence-kms arn:aws:kms:"),
        (arn[:-4] + "0000", "NotFoundException"),
        ("alias/audit", "takes the ARN of a key"),
    ):
        with pytest.raises(UsageError, match=why):
            record(estate=estate_of(**SMALL), options=EvidenceOptions(kms=named))
    assert not (tmp_path / "run").exists()


def test_a_kms_that_fails_at_the_end_leaves_no_manifest_and_is_told(
    record: Record, kms: Any, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]

    def wrong(body: bytes, headers: dict[str, str]) -> bytes:
        return body.replace(b'"Signature"', b'"Nothing"') if "Sign" in headers["X-Amz-Target"] else body

    with relay(moto, wrong) as passing:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", passing.url)
        run = record(estate=estate_of(**SMALL), options=EvidenceOptions(kms=arn))

    assert 4 in run.result.record["exit_conditions"]
    assert json.loads((run.folder / "run.json").read_bytes())["exit_code"] == 4
    assert "kms:Sign" in run.result.conditions[0].text
    assert not (run.folder / "evidence" / "manifest.dsse.json").exists()


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
async def test_of_a_long_manifest_kms_is_sent_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """moto takes no digest, so the key signs here as KMS says that it does."""
    private, _ = key_of(tmp_path, kind)
    key: Any = load_pem_private_key(private.read_bytes(), None)
    hashed = SHA384() if kind == "p384" else SHA256()
    algorithm = {"p256": "ECDSA_SHA_256", "p384": "ECDSA_SHA_384", "rsa": "RSASSA_PSS_SHA_256"}[kind]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if "Message" not in asked:
            der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return {"PublicKey": base64.b64encode(der).decode(), "SigningAlgorithms": [algorithm]}
        assert (asked["MessageType"], asked["SigningAlgorithm"]) == ("DIGEST", algorithm)
        digest = base64.b64decode(asked["Message"])
        how = (
            (PSS(MGF1(hashed), PSS.DIGEST_LENGTH), Prehashed(hashed))
            if kind == "rsa"
            else (ECDSA(Prehashed(hashed)),)
        )
        return {"Signature": base64.b64encode(key.sign(digest, *how)).decode()}

    arn = "arn:aws:kms:eu-west-1:111122223333:key/1234"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    payload = b"x" * 5000
    with answering(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        async with open_kms(arn, request_timeout=5, allow_http=False) as signer:
            signature = await signer.sign(payload)
            assert signer.public.signed(signature, payload)
            assert not signer.public.signed(signature, payload + b"x")


def test_keys_that_can_not_be_used_are_told_by_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_of(tmp_path, "p256")
    secret = tmp_path / "secret.pem"
    openssl("pkey", "-in", private, "-aes256", "-passout", "pass:good", "-out", secret)
    short = tmp_path / "short.pem"
    openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024", "-out", short)
    curve = tmp_path / "curve.pem"
    openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-out", curve)
    (tmp_path / "long.pem").write_bytes(b"x" * 100_000)

    def refused(path: Path, why: str) -> None:
        with pytest.raises(UsageError, match=why) as told:
            load_signer(path)
        assert "\n" not in str(told.value)

    refused(tmp_path / "none.pem", "No such file")
    refused(tmp_path / "long.pem", "too long for a key")
    refused(public, "holds no private key")
    refused(secret, f"has a passphrase; set it in {PASSPHRASE}")
    refused(short, "RSA of 1024 bits is too short")
    refused(curve, "secp256k1")
    monkeypatch.setenv(PASSPHRASE, "bad")
    refused(secret, "not for this passphrase")
    refused(private, "has no passphrase; unset")
    monkeypatch.setenv(PASSPHRASE, "good")
    assert load_signer(secret).public.pem == public.read_text()
    with pytest.raises(UsageError, match="holds a private key; make its public one"):
        load_public_key(private)
    with pytest.raises(UsageError, match="holds no public key"):
        load_public_key(Path(__file__))
