"""An artifact counts only when a key of the Secret signed it, in either form in which cosign leaves signatures."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.peers.registry import Registry
from tests.sources.oci.kit import Kit, contents, oci, secret
from tests.sources.webserver import web_server
from tests.support.ocipush import Layer, PrivateKey, Pusher, manifest_of, public_pem, sign, tar_gz
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.source import ArtifactVerification, OidcIdentity
from trueup.sources.oci.cosign import is_signed, read_public_keys
from trueup.sources.secrets import SecretData, SourceSecrets
from trueup.sources.signatures.signer import SignatureInvalid

FILES = {"a": "1\n"}
SIZE = len(manifest_of([Layer(tar_gz(FILES))]))
COSIGN = ArtifactVerification(provider="cosign")
KEYS: dict[str, PrivateKey] = {
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
OTHER = ec.generate_private_key(ec.SECP256R1())


def trusting(*keys: PrivateKey) -> SourceSecrets:
    return SourceSecrets(trust=SecretData("Opaque", {f"{n}.pub": public_pem(key) for n, key in enumerate(keys)}))


@pytest.mark.real
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("form", ["image", "bundle"])
async def test_a_good_signature_counts(kit: Kit, registry: Registry, kind: str, form: str) -> None:
    name, key = f"signed/{kind}-{form}", KEYS[kind]
    pusher = Pusher(registry.url, name)
    digest = await pusher.files("v1", FILES)
    source = oci(f"oci://{registry.host}/{name}", tag="v1", verify=COSIGN)
    with pytest.raises(SignatureInvalid, match="there is none at all"):
        await kit.fetch(source, trusting(OTHER, key))
    await (pusher.cosign(digest, key) if form == "image" else pusher.cosign_bundle(digest, SIZE, key))
    snapshot = await kit.fetch(source, trusting(OTHER, key))
    assert contents(snapshot) == FILES
    assert snapshot.details.verified == f"verified signature of revision v1@{digest}"


@pytest.mark.real
@pytest.mark.parametrize("form", ["image", "bundle"])
async def test_a_signature_by_another_key_or_of_another_artifact_does_not_count(
    kit: Kit, registry: Registry, form: str
) -> None:
    name, key = f"unsigned/{form}", KEYS["ecdsa"]
    pusher = Pusher(registry.url, name)
    source = oci(f"oci://{registry.host}/{name}", verify=COSIGN)
    for tag, by, about in (("other-key", OTHER, ""), ("other-artifact", key, "sha256:" + "0" * 64)):
        digest = await pusher.files(tag, {"a": tag})
        size = len(manifest_of([Layer(tar_gz({"a": tag}))]))
        if form == "image":
            await pusher.cosign(digest, by, about=about)
        else:
            await pusher.cosign_bundle(digest, size, by, about=about)
        wanted = msgspec.structs.replace(source, reference=msgspec.structs.replace(source.reference, tag=tag))
        with pytest.raises(SignatureInvalid, match="no signature of"):
            await kit.fetch(wanted, trusting(key))


@pytest.mark.real
async def test_content_of_before_does_not_stand_in_for_a_signature(kit: Kit, registry: Registry) -> None:
    """The same artifact was fetched without verification, and then with another key: neither helps."""
    key = KEYS["ecdsa"]
    pusher = Pusher(registry.url, "later/web")
    digest = await pusher.files("v1", FILES)
    url = f"oci://{registry.host}/later/web"
    plain = await kit.fetch(oci(url, tag="v1"))
    with pytest.raises(SignatureInvalid):
        await kit.fetch(oci(url, tag="v1", verify=COSIGN), trusting(key), known=plain)
    await pusher.cosign(digest, key)
    verified = await kit.fetch(oci(url, tag="v1", verify=COSIGN), trusting(key), known=plain)
    with pytest.raises(SignatureInvalid):
        await kit.fetch(oci(url, tag="v1", verify=COSIGN), trusting(OTHER), known=verified)


@pytest.mark.parametrize(
    ("verify", "trust", "error", "named"),
    [
        (ArtifactVerification(provider="notation"), secret(x_pub="x"), NotBuiltYet, "spec.verify.provider"),
        (
            ArtifactVerification(provider="cosign", identities=(OidcIdentity("i", "s"),)),
            secret(x_pub="x"), InvalidInput, "matchOIDCIdentity",
        ),
    ],
)  # fmt: skip
async def test_ways_of_verifying_that_are_not_built_are_said(
    kit: Kit, verify: ArtifactVerification, trust: SecretData | None, error: type[Exception], named: str
) -> None:
    secrets = SourceSecrets(trust=trust) if trust is not None else SourceSecrets()
    with pytest.raises(error, match=named):
        await kit.fetch(oci("oci://reg.example/x", tag="v1", verify=verify), secrets)


@pytest.mark.parametrize("data", [{}, {"cosign.key": b"x"}, {"cosign.pub": b"x"}])
def test_a_secret_without_a_usable_key_is_refused(data: dict[str, bytes]) -> None:
    with pytest.raises(InvalidInput, match=r"\.pub"):
        read_public_keys(data)


def test_a_changed_payload_or_signature_is_not_signed() -> None:
    for key in KEYS.values():
        signature = sign(key, b"payload")
        public = key.public_key()
        assert is_signed(public, signature, b"payload")
        assert not is_signed(public, signature, b"payloaD")
        assert not is_signed(public, signature[:-1] + bytes([signature[-1] ^ 1]), b"payload")
        assert not is_signed(public, b"", b"payload")


RECORDED = json.loads(Path(__file__).with_name("cosign-signed.json").read_text())
"""One artifact that cosign 3 itself signed in both forms (`--new-bundle-format=false`, and not), with the public key."""
IMAGE, BUNDLES = (f"sha256-{RECORDED['digest'].removeprefix('sha256:')}{ending}" for ending in (".sig", ""))


async def recorded(request: web.Request) -> web.Response:
    kind, name = request.match_info["path"].removeprefix("v2/web/").partition("/")[::2]
    found = RECORDED.get(kind, {}).get(name)
    return web.Response(body=base64.b64decode(found)) if found else web.Response(status=404)


@pytest.mark.parametrize("hidden", [IMAGE, BUNDLES])
async def test_what_cosign_itself_signed_is_signed_in_either_form(
    kit: Kit, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(RECORDED["manifests"], hidden)
    trusted = SourceSecrets(trust=SecretData("Opaque", {"cosign.pub": RECORDED["key"].encode()}))
    async with web_server(recorded) as server:
        url = f"oci://{server.url.removeprefix('http://')}/web"
        snapshot = await kit.fetch(oci(url, tag="v1", verify=COSIGN), trusted)
        assert contents(snapshot) == {"a.yaml": "a: 1\n"}
        with pytest.raises(SignatureInvalid, match="of 1 that are there none is by one of them"):
            await kit.fetch(oci(url, tag="v1", verify=COSIGN), trusting(OTHER))
