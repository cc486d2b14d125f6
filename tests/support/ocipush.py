"""Pushes artifacts to a registry, as `flux push artifact`, `helm push`, `oras push` and `cosign sign` lay them out."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct, field

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
FLUX_CONTENT = "application/vnd.cncf.flux.content.v1.tar+gzip"
FLUX_CONFIG = "application/vnd.cncf.flux.config.v1+json"
HELM_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
HELM_PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Layer(Struct, frozen=True):
    data: bytes
    media_type: str = FLUX_CONTENT
    annotations: dict[str, str] = field(default_factory=dict)


def tar_gz(files: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            header = tarfile.TarInfo(path)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


def manifest_of(
    layers: Sequence[Layer], *, config: bytes = b"{}", config_type: str = FLUX_CONFIG, **more: Any
) -> bytes:
    rows = [
        descriptor(layer.data, layer.media_type, **({"annotations": layer.annotations} if layer.annotations else {}))
        for layer in layers
    ]
    said = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config, config_type),
        "layers": rows,
        **more,
    }
    return json.dumps(said).encode()


class Pusher:
    """Pushes to one repository. `login` is `user:password`, `bearer` a ready token."""

    def __init__(self, url: str, repository: str, *, login: str = "", bearer: str = "") -> None:
        self._base = f"{url}/v2/{repository}"
        self._headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if login:
            self._headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}

    async def blob(self, data: bytes) -> str:
        async with self._session() as session:
            async with session.post(f"{self._base}/blobs/uploads/", ssl=False) as started:
                assert started.status == 202, await started.text()
                place = started.headers["Location"]
            target = started.url.join(type(started.url)(place, encoded=True)).update_query(digest=digest_of(data))
            async with session.put(target, data=data, ssl=False) as done:
                assert done.status == 201, await done.text()
        return digest_of(data)

    async def manifest(self, body: bytes, reference: str = "", media_type: str = MANIFEST) -> str:
        async with (
            self._session() as session,
            session.put(
                f"{self._base}/manifests/{reference or digest_of(body)}",
                data=body, headers={"Content-Type": media_type}, ssl=False,
            ) as done,
        ):  # fmt: skip
            assert done.status == 201, await done.text()
        return digest_of(body)

    async def artifact(
        self, reference: str, *layers: Layer, config: bytes = b"{}", config_type: str = FLUX_CONFIG, **more: Any
    ) -> str:
        """Pushes layers and their manifest; its digest."""
        for data in (config, *(layer.data for layer in layers)):
            await self.blob(data)
        return await self.manifest(manifest_of(layers, config=config, config_type=config_type, **more), reference)

    async def files(self, reference: str, files: Mapping[str, bytes | str], **more: Any) -> str:
        """As `flux push artifact` does."""
        return await self.artifact(reference, Layer(tar_gz(files)), **more)

    async def index(self, reference: str, rows: Sequence[tuple[str, int, str]]) -> str:
        """`rows`: digest, size and `os/architecture` of each manifest."""
        manifests = []
        for digest, size, platform in rows:
            system, _, architecture = platform.partition("/")
            row: dict[str, Any] = {"mediaType": MANIFEST, "digest": digest, "size": size}
            if platform:
                row["platform"] = {"os": system, "architecture": architecture}
            manifests.append(row)
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        return await self.manifest(body, reference, INDEX)

    async def delete(self, digest: str) -> None:
        async with self._session() as session, session.delete(f"{self._base}/manifests/{digest}", ssl=False) as done:
            assert done.status == 202, await done.text()

    async def cosign(self, digest: str, key: PrivateKey, *, about: str = "") -> None:
        """As `cosign sign --key` up to version 2. `about`: another digest than the one that is signed."""
        payload = json.dumps(
            {
                "critical": {
                    "identity": {"docker-reference": self._base},
                    "image": {"docker-manifest-digest": about or digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
        ).encode()
        signature = base64.b64encode(sign(key, payload)).decode()
        layer = Layer(payload, SIMPLE_SIGNING, {"dev.cosignproject.cosign/signature": signature})
        await self.artifact(
            f"{digest.replace(':', '-')}.sig", layer, config_type="application/vnd.oci.image.config.v1+json"
        )

    async def cosign_bundle(self, digest: str, size: int, key: PrivateKey, *, about: str = "") -> str:
        """As `cosign sign --key` from version 3 on: a Sigstore bundle that refers to the artifact, listed under the tag that
        stands in for the referrers API. The bundle's digest."""
        statement = json.dumps(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"digest": {"sha256": (about or digest).removeprefix("sha256:")}}],
                "predicateType": "https://sigstore.dev/cosign/sign/v1",
                "predicate": {},
            }
        ).encode()
        kind = b"application/vnd.in-toto+json"
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
        bundle = json.dumps(
            {
                "mediaType": BUNDLE,
                "verificationMaterial": {"publicKey": {"hint": "x"}},
                "dsseEnvelope": {
                    "payload": base64.b64encode(statement).decode(),
                    "payloadType": kind.decode(),
                    "signatures": [{"sig": base64.b64encode(sign(key, signed)).decode()}],
                },
            }
        ).encode()
        subject = {"mediaType": MANIFEST, "digest": digest, "size": size}
        empty = "application/vnd.oci.empty.v1+json"
        body = manifest_of([Layer(bundle, BUNDLE)], config_type=empty, artifactType=BUNDLE, subject=subject)
        await self.blob(b"{}")
        await self.blob(bundle)
        made = await self.manifest(body)
        row = descriptor(body, MANIFEST, artifactType=BUNDLE)
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}).encode()
        await self.manifest(index, digest.replace(":", "-"), INDEX)
        return made

    def _session(self) -> ClientSession:
        return ClientSession(headers=self._headers)


def sign(key: PrivateKey, payload: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(payload, ec.ECDSA(SHA256()))
        case rsa.RSAPrivateKey():
            return key.sign(payload, padding.PKCS1v15(), SHA256())
        case _:
            return key.sign(payload)


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
