"""OCIRepository -> OciSource, and what is Flux's own in its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.flux.ocirepository_resource import OciReferenceRow, OciRepositorySpec, OciVerification
from trueup.dialects.flux.shared import LocalReference
from trueup.dialects.flux.source_status import SourceWords
from trueup.dialects.reading import identity, not_built, read_duration, read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, spec_of
from trueup.model.outcome import Artifact, SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import (
    ArtifactVerification,
    LayerOperation,
    LayerSelector,
    OciReference,
    OciSource,
    OidcIdentity,
    SecretRefs,
)
from trueup.sources.ignore import NOTHING


def _stored(spec: Mapping[str, Any], artifact: Artifact, status: SourceStatus) -> str:  # noqa: ARG001
    return f"stored artifact for digest '{artifact.revision}'"


def _observed(spec: Mapping[str, Any], status: SourceStatus) -> dict[str, Any]:  # noqa: ARG001
    return {"observedIgnore": spec.get("ignore"), "observedLayerSelector": spec.get("layerSelector") or None}


OCI_REPOSITORY_WORDS = SourceWords(
    stored=_stored,
    reasons={
        "FetchFailed": "OCIArtifactPullFailed",
        "RefNotFound": "OCIArtifactPullFailed",
        "RepositoryNotFound": "OCIArtifactPullFailed",
        "ArchiveRefused": "OCIArtifactLayerOperationFailed",
        "ArchiveDamaged": "OCIArtifactLayerOperationFailed",
    },
    observed=_observed,
)


def read_oci_repository(obj: Manifest) -> OciSource:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(OciRepositorySpec, spec_of(obj), ref=ref, root="spec")
    not_built(ref, _unbuilt(spec))
    interval = read_duration(spec.interval, ref=ref, field="spec.interval")
    if interval.total_seconds() <= 0:
        raise InvalidInput(f"{spec.interval!r} is no interval", ref=ref, field="spec.interval", hint='write "5m"')
    layer = spec.layer_selector
    return OciSource(
        url=spec.url,
        reference=_reference(spec.reference),
        layer=LayerSelector(media_type=layer.media_type, operation=LayerOperation(layer.operation))
        if layer
        else LayerSelector(),
        verify=_verification(spec.verification),
        provider="" if spec.provider == "generic" else spec.provider,
        insecure=spec.insecure,
        secrets=_secrets(ref, spec),
        interval=interval,
        timeout=read_duration(spec.timeout, ref=ref, field="spec.timeout"),
        ignore=_ignore(spec),
        suspend=spec.suspend,
    )


def _ignore(spec: OciRepositorySpec) -> str | None:
    """A layer that is copied is the artifact as it stands: Flux applies no ignore rules to it."""
    copied = spec.layer_selector is not None and spec.layer_selector.operation == LayerOperation.COPY.value
    return NOTHING if copied else spec.ignore


def _reference(said: OciReferenceRow | None) -> OciReference:
    said = said or OciReferenceRow()
    return OciReference(tag=said.tag, semver=said.semver, semver_filter=said.semver_filter, digest=said.digest)


def _verification(said: OciVerification | None) -> ArtifactVerification | None:
    if said is None:
        return None
    identities = tuple(OidcIdentity(issuer=one.issuer, subject=one.subject) for one in said.match_oidc_identity)
    return ArtifactVerification(provider=said.provider, identities=identities)


def _secrets(ref: ObjectRef, spec: OciRepositorySpec) -> SecretRefs:
    def named(said: LocalReference | None) -> ObjectRef | None:
        return ObjectRef("", "Secret", ref.namespace, said.name) if said is not None else None

    account = spec.service_account_name
    service = ObjectRef("", "ServiceAccount", ref.namespace, account) if account else None
    return SecretRefs(
        auth=named(spec.secret_ref),
        certificates=named(spec.cert_secret_ref),
        proxy=named(spec.proxy_secret_ref),
        trust=named(spec.verification.secret_ref) if spec.verification else None,
        root=named(spec.verification.trusted_root_secret_ref) if spec.verification else None,
        account=service if spec.provider == "generic" else None,
        identity=service if spec.provider != "generic" else None,
    )


def _unbuilt(spec: OciRepositorySpec) -> list[str]:
    verify = spec.verification
    return [f"spec.verify.provider={verify.provider}"] if verify is not None and verify.provider != "cosign" else []
