"""Whether somebody who may sign signed an artifact without a key: what cosign left in the registry, put before `signatures.keyless`.

The library is an extra, imported when the first such signature is asked for. Roots of trust are kept for a day.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trueup.model.errors import NotBuiltYet, RefNotFound
from trueup.model.source import ArtifactVerification, OidcIdentity
from trueup.sources.giterrors import RepositoryNotFound
from trueup.sources.inflight import InFlight
from trueup.sources.oci.client import RegistryClient, Repository
from trueup.sources.oci.cosign import (
    BUNDLE_PREFIX,
    IN_TOTO,
    LARGEST,
    MOST,
    SIGNATURE,
    SIMPLE_SIGNING,
    is_about,
    read_public_keys,
    states,
    verify_artifact,
)
from trueup.sources.oci.manifest import ManifestUnusable
from trueup.sources.secrets import NONE, SecretData
from trueup.sources.signatures.signer import SignatureInvalid

if TYPE_CHECKING:
    from sigstore.verify import Verifier

    from trueup.sources.signatures.keyless import Keyless

CERTIFICATE = "dev.sigstore.cosign/certificate"
REKOR = "dev.sigstore.cosign/bundle"
_DAY = 86_400.0
_MOST_ROOTS = 64


class Roots:
    """The roots of trust of one process. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[str, tuple[Verifier, float]] = {}
        self._asking: InFlight[Verifier] = InFlight()

    async def judge(self, root: SecretData, identities: Sequence[OidcIdentity]) -> Keyless:
        """`root` NONE: sigstore.dev's. Raises InvalidInput, RootUnknown, NotBuiltYet where the library is missing."""
        text = b""
        keyless = await asyncio.to_thread(_library)
        if root is not NONE:
            text = root.data.get(keyless.ROOT_KEY, b"")
        key = hashlib.sha256(text).hexdigest() if root is not NONE else ""
        found = self._kept.get(key)
        if found is None or found[1] < self._now():

            async def ask() -> Verifier:
                read = (lambda: keyless.read_root(text)) if root is not NONE else keyless.public_root
                fresh: Verifier = await asyncio.to_thread(read)
                while len(self._kept) >= _MOST_ROOTS:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = fresh, self._now() + _DAY
                return fresh

            verifier = await self._asking.share(key, ask)
        else:
            verifier = found[0]
        judge: Keyless = await asyncio.to_thread(keyless.Keyless, verifier, identities)
        return judge


def _library():  # type: ignore[no-untyped-def]
    try:
        from trueup.sources.signatures import keyless
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("trueup"):
            raise
        raise NotBuiltYet(
            f"this installation cannot verify keyless signatures: {error.name} is missing",
            hint="pip install 'trueup[keyless]', or use the image, which has it",
            field="spec.verify",
        ) from error
    return keyless


async def verified_by(
    client: RegistryClient,
    roots: Roots,
    repository: Repository,
    digest: str,
    verify: ArtifactVerification,
    trust: SecretData,
    root: SecretData,
) -> str:
    """By which key of `trust`, or without one by whose identity, the artifact is signed. Raises SignatureInvalid."""
    if trust is not NONE:
        return await verify_artifact(client, repository, digest, read_public_keys(trust.data))
    judge = await roots.judge(root, verify.identities)
    return await verify_keyless(client, repository, digest, judge)


async def verify_keyless(client: RegistryClient, repository: Repository, digest: str, judge: Keyless) -> str:
    """Who signed the artifact. Raises SignatureInvalid when nobody did who may, and what a pull can."""
    faults: list[str] = []
    for look in (_signature_image, _bundles):
        if signer := await look(client, repository, digest, judge, faults):
            return signer
    found = f"of {len(faults)} that are there none is: {faults[-1]}" if faults else "there is none at all"
    raise SignatureInvalid(
        f"no signature of {repository.named(digest)} is good by the identities that are trusted: {found}",
        hint=f"sign it: cosign sign {repository.address.host}/{repository.address.repository}@{digest}",
    )


async def _signature_image(
    client: RegistryClient, repository: Repository, digest: str, judge: Keyless, faults: list[str]
) -> str:
    try:
        image = await client.manifest(repository, f"{digest.replace(':', '-')}.sig")
    except (RefNotFound, RepositoryNotFound):
        return ""
    for layer in image.layers[:MOST]:
        said = [layer.annotations.get(name, "") for name in (SIGNATURE, CERTIFICATE, REKOR)]
        if layer.media_type != SIMPLE_SIGNING or not all(said):
            continue
        payload = await client.small_blob(repository, layer, LARGEST)
        if not is_about(payload, digest):
            faults.append("it is about something else")
            continue
        try:
            return await asyncio.to_thread(judge.detached, payload, said[0], said[1], said[2])
        except SignatureInvalid as error:
            faults.append(error.message)
    return ""


async def _bundles(
    client: RegistryClient, repository: Repository, digest: str, judge: Keyless, faults: list[str]
) -> str:
    referrers = await client.referrers(repository, digest)
    for descriptor in [one for one in referrers if one.artifact_type.startswith(BUNDLE_PREFIX)][:MOST]:
        try:
            holder = await client.manifest(repository, descriptor.digest)
        except ManifestUnusable:
            continue
        for layer in holder.layers[:1]:
            text = await client.small_blob(repository, layer, LARGEST)
            try:
                signer, kind, statement = await asyncio.to_thread(judge.bundle, text)
            except SignatureInvalid as error:
                faults.append(error.message)
                continue
            if kind == IN_TOTO and states(statement, digest):
                return signer
            faults.append("it is about something else")
    return ""
