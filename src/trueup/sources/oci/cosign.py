"""Whether a key that somebody trusts signed an artifact, as cosign leaves signatures in registries.

Two forms: a signature image under the tag `sha256-<hex>.sig`, and a Sigstore bundle that refers to the artifact. Only keys
that are given count: certificates, transparency logs and time stamps are not looked at, so nothing but the registry is asked.
https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, https://docs.sigstore.dev/about/bundle/,
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct, field

from trueup.model.errors import InvalidInput, RefNotFound
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.giterrors import RepositoryNotFound
from trueup.sources.oci.client import RegistryClient, Repository
from trueup.sources.oci.manifest import ManifestUnusable
from trueup.sources.signatures.signer import SignatureInvalid

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_Signed = tuple[bytes, tuple[str, ...]]

SIGNATURE = "dev.cosignproject.cosign/signature"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
IN_TOTO = "application/vnd.in-toto+json"
COSIGN_STATEMENT = "https://sigstore.dev/cosign/sign/v1"
_PAYLOAD_TYPES = ("cosign container image signature", "atomic container signature")
LARGEST = 256 * 1024
MOST = 100
"""Signatures that are looked at; anybody who may push could add more."""


class _Critical(Struct, frozen=True):
    type: str = ""
    image: dict[str, str] = field(default_factory=dict)


class _Payload(Struct, frozen=True):
    critical: _Critical


class _Signature(Struct, frozen=True):
    sig: str = ""


class _Envelope(Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


class _Bundle(Struct, frozen=True, rename="camel"):
    dsse_envelope: _Envelope | None = None


class _Subject(Struct, frozen=True):
    digest: dict[str, str] = field(default_factory=dict)


class _Statement(Struct, frozen=True, rename="camel"):
    subject: tuple[_Subject, ...]
    predicate_type: str = ""


def read_public_keys(data: Mapping[str, bytes]) -> dict[str, PublicKey]:
    """The entries `*.pub` of a Secret. Raises InvalidInput naming the one that is no key, or that there is none."""
    keys: dict[str, PublicKey] = {}
    for name in sorted(data):
        if name.endswith(".pub"):
            keys[name] = _read_key(name, data[name])
    if not keys:
        raise InvalidInput(
            "the Secret for the verification has no public key",
            hint="put cosign's public key under a name that ends in .pub: "
            "kubectl create secret generic NAME --from-file=cosign.pub",
            field="spec.verify.secretRef",
        )
    return keys


async def verify_artifact(
    client: RegistryClient, repository: Repository, digest: str, keys: Mapping[str, PublicKey]
) -> str:
    """The name of the key by which the artifact is signed. Raises SignatureInvalid when there is none, and what a pull can."""
    looked_at = 0
    for look in (_signature_image, _bundles):
        async for payload, signatures in look(client, repository, digest):
            looked_at += 1
            if name := _signer(payload, signatures, keys):
                return name
    found = f"of {looked_at} that are there none is by one of them" if looked_at else "there is none at all"
    raise SignatureInvalid(
        f"no signature of {repository.named(digest)} is good by {', '.join(sorted(keys))}: {found}",
        hint=f"sign it: cosign sign --key cosign.key {repository.address.host}/{repository.address.repository}@{digest}",
    )


async def _signature_image(client: RegistryClient, repository: Repository, digest: str) -> AsyncIterator[_Signed]:
    """What is signed and the signatures, of each layer whose payload is about this digest."""
    try:
        image = await client.manifest(repository, f"{digest.replace(':', '-')}.sig")
    except (RefNotFound, RepositoryNotFound):
        return
    for layer in image.layers[:MOST]:
        signature = layer.annotations.get(SIGNATURE, "")
        if layer.media_type == SIMPLE_SIGNING and signature:
            payload = await client.small_blob(repository, layer, LARGEST)
            if is_about(payload, digest):
                yield payload, (signature,)


async def _bundles(client: RegistryClient, repository: Repository, digest: str) -> AsyncIterator[_Signed]:
    """What is signed and the signatures, of each bundle whose statement is cosign's and about this digest."""
    referrers = await client.referrers(repository, digest)
    for descriptor in [one for one in referrers if one.artifact_type.startswith(BUNDLE_PREFIX)][:MOST]:
        try:
            bundle = await client.manifest(repository, descriptor.digest)
        except ManifestUnusable:
            continue
        for layer in bundle.layers[:1]:
            envelope = _envelope(await client.small_blob(repository, layer, LARGEST))
            statement = _decoded(envelope.payload) if envelope is not None else b""
            if envelope is not None and envelope.payload_type == IN_TOTO and states(statement, digest):
                yield _pre_authentication(IN_TOTO, statement), tuple(one.sig for one in envelope.signatures[:MOST])


def _signer(payload: bytes, signatures: tuple[str, ...], keys: Mapping[str, PublicKey]) -> str:
    """The name of a key that made one of the signatures; empty: none did."""
    for text in signatures:
        signature = _decoded(text)
        for name, key in keys.items():
            if signature and is_signed(key, signature, payload):
                return name
    return ""


def is_signed(key: PublicKey, signature: bytes, payload: bytes) -> bool:
    """By the algorithm that cosign uses for the kind of key: ECDSA and RSA (PKCS #1 v1.5) over SHA-256, or Ed25519."""
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, payload, ec.ECDSA(SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, payload, padding.PKCS1v15(), SHA256())
            case _:
                key.verify(signature, payload)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_about(payload: bytes, digest: str) -> bool:
    try:
        critical = read_json(payload, _Payload).critical
    except NotReadable:
        return False
    return critical.type in _PAYLOAD_TYPES and critical.image.get("docker-manifest-digest") == digest


def states(statement: bytes, digest: str) -> bool:
    algorithm, _, value = digest.partition(":")
    try:
        said = read_json(statement, _Statement)
    except NotReadable:
        return False
    return said.predicate_type == COSIGN_STATEMENT and any(
        subject.digest.get(algorithm) == value for subject in said.subject
    )


def _envelope(bundle: bytes) -> _Envelope | None:
    try:
        return read_json(bundle, _Bundle).dsse_envelope
    except NotReadable:
        return None


def _pre_authentication(kind: str, body: bytes) -> bytes:
    """DSSE's encoding of what is signed (PAE)."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _read_key(name: str, pem: bytes) -> PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"the key {name!r} of the Secret is not a PEM public key", field=name) from error
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return key
    raise InvalidInput(f"the key {name!r} of the Secret is neither ECDSA, RSA nor Ed25519", field=name)
