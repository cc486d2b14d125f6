"""An artifact counts when somebody signed it who may, by a root of trust of the test's own, in both of cosign's forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sigstore._internal.tuf import read_embedded
from sigstore.errors import TUFError
from sigstore.models import ClientTrustConfig

from tests.peers.registry import Registry
from tests.sources.oci.kit import Kit, contents, oci
from tests.support.ocipush import MANIFEST, SIMPLE_SIGNING, Layer, Pusher, descriptor, manifest_of, public_pem, tar_gz
from tests.support.sigstore import BUNDLE, ISSUER, SIGNED_AT, SUBJECT, Sigstore
from trueup.model.errors import InvalidInput
from trueup.model.source import ArtifactVerification, OidcIdentity
from trueup.sources.oci.keyless import Roots
from trueup.sources.secrets import NONE, SecretData, SourceSecrets
from trueup.sources.signatures.keyless import Keyless, RootUnknown, read_root
from trueup.sources.signatures.signer import SignatureInvalid

OURS = Sigstore()
STRANGE = Sigstore()
FILES = {"a": "1\n"}
INDEX = "application/vnd.oci.image.index.v1+json"
DIGEST = "sha256:" + "a" * 64
WE = OidcIdentity("^https://token\\.actions\\.example\\.com$", "^https://github\\.example\\.com/shop/")


def payload_of(digest: str) -> bytes:
    critical = {
        "identity": {"docker-reference": "x"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def statement_of(digest: str) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        }
    ).encode()


def judge(*identities: OidcIdentity, root: Sigstore = OURS) -> Keyless:
    return Keyless(read_root(root.trusted_root), identities)


def detached(by: Keyless, said: dict[str, str], payload: bytes) -> str:
    prefix = "dev.sigstore.cosign/"
    signature = said["dev.cosignproject.cosign/signature"]
    return by.detached(payload, signature, said[f"{prefix}certificate"], said[f"{prefix}bundle"])


def test_a_signature_by_who_may_counts_in_both_forms() -> None:
    payload, statement = payload_of(DIGEST), statement_of(DIGEST)
    for by in (judge(WE), judge(), judge(OidcIdentity("nobody", "x"), WE)):
        assert detached(by, OURS.annotations(payload), payload) == f"{SUBJECT} ({ISSUER})"
        assert by.bundle(OURS.bundle(statement)) == (
            f"{SUBJECT} ({ISSUER})",
            "application/vnd.in-toto+json",
            statement,
        )


@pytest.mark.parametrize(
    "who",
    [
        {"subject": "https://github.example.com/evil/web"},
        {"issuer": "https://evil.example.com"},
        {"issuer": "https://token.actions.example.com.evil.example"},
    ],
)
def test_somebody_else_does_not_count_and_is_named(who: dict[str, str]) -> None:
    payload = payload_of(DIGEST)
    named = "https://.*evil.* signed it, whom no entry of matchOIDCIdentity means"
    with pytest.raises(SignatureInvalid, match=named):
        detached(judge(WE), OURS.annotations(payload, **who), payload)
    with pytest.raises(SignatureInvalid, match=named):
        judge(WE).bundle(OURS.bundle(statement_of(DIGEST), **who))


def test_another_sigstore_does_not_count() -> None:
    payload = payload_of(DIGEST)
    with pytest.raises(SignatureInvalid):
        detached(judge(WE), STRANGE.annotations(payload), payload)
    with pytest.raises(SignatureInvalid):
        judge(WE).bundle(STRANGE.bundle(statement_of(DIGEST)))


@pytest.mark.parametrize("late", [timedelta(minutes=10), timedelta(minutes=-2)])
def test_a_certificate_that_was_not_good_when_it_was_used_does_not_count(late: timedelta) -> None:
    payload = payload_of(DIGEST)
    with pytest.raises(SignatureInvalid):
        detached(judge(WE), OURS.annotations(payload, at=SIGNED_AT + late), payload)


def _changed(said: dict[str, str], change: Callable[[dict[str, Any]], object]) -> dict[str, str]:
    rekor = json.loads(said["dev.sigstore.cosign/bundle"])
    change(rekor)
    return {**said, "dev.sigstore.cosign/bundle": json.dumps(rekor)}


def test_nothing_that_was_changed_afterwards_counts() -> None:
    payload = payload_of(DIGEST)
    said, other = OURS.annotations(payload), OURS.annotations(payload_of("sha256:" + "b" * 64))
    changes: list[tuple[dict[str, str], bytes]] = [
        (said, payload + b" "),
        # the time, the place in the log, the log, the promise, and the entry of another signature
        (_changed(said, lambda r: r["Payload"].update(integratedTime=r["Payload"]["integratedTime"] + 60)), payload),
        (_changed(said, lambda r: r["Payload"].update(logIndex=5)), payload),
        (_changed(said, lambda r: r["Payload"].update(logID="00" * 32)), payload),
        (_changed(said, lambda r: r.update(SignedEntryTimestamp="AAAA")), payload),
        ({**said, "dev.sigstore.cosign/bundle": other["dev.sigstore.cosign/bundle"]}, payload),
        ({**said, "dev.sigstore.cosign/certificate": other["dev.sigstore.cosign/certificate"]}, payload),
        ({**said, "dev.cosignproject.cosign/signature": other["dev.cosignproject.cosign/signature"]}, payload),
        (_changed(said, lambda r: r["Payload"].pop("body")), payload),
        ({**said, "dev.sigstore.cosign/bundle": "[]"}, payload),
        ({**said, "dev.sigstore.cosign/certificate": "nonsense"}, payload),
        ({**said, "dev.cosignproject.cosign/signature": "%"}, payload),
    ]
    for changed, text in changes:
        with pytest.raises(SignatureInvalid):
            detached(judge(), changed, text)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["dsseEnvelope"].update(payload="e30="),
        lambda b: b["verificationMaterial"]["tlogEntries"][0].update(integratedTime="1714564801"),
        lambda b: b["verificationMaterial"]["tlogEntries"][0].pop("inclusionProof"),
        lambda b: b["verificationMaterial"]["tlogEntries"][0].pop("inclusionPromise"),
        lambda b: b["verificationMaterial"].update(tlogEntries=[]),
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=9"),
        lambda b: b.pop("verificationMaterial"),
        lambda b: b.update(verificationMaterial={"publicKey": {"hint": "x"}}),
    ],
)
def test_a_bundle_that_was_changed_does_not_count(change: Callable[[dict[str, Any]], object]) -> None:
    bundle = json.loads(OURS.bundle(statement_of(DIGEST)))
    change(bundle)
    with pytest.raises(SignatureInvalid):
        judge().bundle(json.dumps(bundle).encode())


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"mediaType": "x"}'])
def test_a_root_of_trust_that_is_none_is_said(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="no root of trust"):
        read_root(text)


def test_the_root_of_sigstore_dev_that_the_library_brings_is_read_and_takes_nothing_of_ours() -> None:
    text = read_embedded("trusted_root.json", "https://tuf-repo-cdn.sigstore.dev")
    payload = payload_of(DIGEST)
    with pytest.raises(SignatureInvalid):
        detached(Keyless(read_root(text), ()), OURS.annotations(payload), payload)


async def test_a_root_that_cannot_be_fetched_is_said_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unreachable() -> None:
        asked.append(1)
        raise TUFError("no route")

    monkeypatch.setattr(ClientTrustConfig, "production", unreachable)
    roots = Roots()
    for _ in range(2):
        with pytest.raises(RootUnknown, match="could not be fetched"):
            await roots.judge(NONE, ())
    assert len(asked) == 2
    assert await roots.judge(secrets().root, ()) is not None


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"matchOIDCIdentity\[\]\.subject|no regular expression"):
        judge(OidcIdentity("a", "("))


def secrets(root: Sigstore = OURS) -> SourceSecrets:
    return SourceSecrets(root=SecretData("Opaque", {"trusted_root.json": root.trusted_root}))


async def push_signature(pusher: Pusher, digest: str, size: int, form: str, signer: Sigstore, about: str = "") -> None:
    if form == "image":
        payload = payload_of(about or digest)
        await pusher.artifact(
            f"{digest.replace(':', '-')}.sig", Layer(payload, SIMPLE_SIGNING, signer.annotations(payload))
        )
        return
    bundle = signer.bundle(statement_of(about or digest))
    subject = {"mediaType": MANIFEST, "digest": digest, "size": size}
    body = manifest_of(
        [Layer(bundle, BUNDLE)],
        config_type="application/vnd.oci.empty.v1+json",
        artifactType=BUNDLE,
        subject=subject,
    )
    await pusher.blob(b"{}")
    await pusher.blob(bundle)
    await pusher.manifest(body)
    row = descriptor(body, MANIFEST, artifactType=BUNDLE)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}).encode()
    await pusher.manifest(index, digest.replace(":", "-"), INDEX)


@pytest.mark.real
@pytest.mark.parametrize("form", ["image", "bundle"])
async def test_an_artifact_of_the_real_registry_counts_only_when_who_may_signed_it(
    kit: Kit, registry: Registry, form: str
) -> None:
    pusher = Pusher(registry.url, f"keyless/{form}")
    digest = await pusher.files("v1", FILES)
    size = len(manifest_of([Layer(tar_gz(FILES))]))
    verify = ArtifactVerification(provider="cosign", identities=(WE,))
    source = oci(f"oci://{registry.host}/keyless/{form}", tag="v1", verify=verify)
    with pytest.raises(SignatureInvalid, match="there is none at all"):
        await kit.fetch(source, secrets())
    await push_signature(pusher, digest, size, form, OURS, about="sha256:" + "c" * 64)
    with pytest.raises(SignatureInvalid, match="about something else"):
        await kit.fetch(source, secrets())
    await push_signature(pusher, digest, size, form, OURS)
    snapshot = await kit.fetch(source, secrets())
    assert contents(snapshot) == FILES
    with pytest.raises(SignatureInvalid, match="identities that are trusted"):
        await kit.fetch(source, secrets(STRANGE), known=snapshot)


async def test_a_root_of_trust_beside_a_key_would_mean_nothing(kit: Kit) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = SecretData("Opaque", {"cosign.pub": public_pem(ec.generate_private_key(ec.SECP256R1()))})
    both = SourceSecrets(trust=key, root=secrets().root)
    wanted = oci("oci://reg.example/x", tag="v1", verify=ArtifactVerification(provider="cosign"))
    with pytest.raises(InvalidInput, match="trustedRootSecretRef"):
        await kit.fetch(wanted, both)
