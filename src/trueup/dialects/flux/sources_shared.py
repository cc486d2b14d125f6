"""What the kinds of sources beside Git have in common: the parts of their specs and statuses, and how these are read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.shared import ConditionRow, LocalReference
from trueup.dialects.reading import read_duration
from trueup.dialects.schema import AnyObject, Int64, Time
from trueup.model.errors import InvalidInput
from trueup.model.outcome import Artifact, SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import ArtifactVerification, OidcIdentity

Timeout = Annotated[str, Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$", extra_json_schema={"default": "60s"})]
PROVENANCE = "provenance"


class AccessFrom(Struct, frozen=True, kw_only=True, rename="camel"):
    namespace_selectors: tuple[AnyObject, ...] = ()


class ArtifactRow(Struct, frozen=True, kw_only=True, rename="camel"):
    path: str = ""
    url: str = ""
    revision: str = ""
    digest: str = ""
    checksum: str = ""
    """Of v1beta1 and v1beta2, in place of the digest."""
    last_update_time: Time = ""
    size: Int64 | None = None
    metadata: dict[str, str] = {}


class SourceStatusRows(Struct, frozen=True, kw_only=True, rename="camel"):
    """What every source's status has."""

    observed_generation: Int64 = 0
    conditions: tuple[ConditionRow, ...] = ()
    artifact: ArtifactRow | None = None
    """The last revision that was fetched."""
    last_handled_reconcile_at: str = ""
    """The last `reconcile.fluxcd.io/requestedAt` that was carried out."""
    url: str = ""
    """Of v1beta1 and v1beta2: the artifact's address."""


class MatchIdentity(Struct, frozen=True, kw_only=True, rename="camel"):
    issuer: str
    """A regular expression for the OIDC issuer."""
    subject: str
    """A regular expression for the identity's subject."""


class ChartVerification(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: Annotated[Literal["cosign", "notation", "provenance"], Meta(extra_json_schema={"default": "cosign"})] = (
        "cosign"
    )
    """`cosign` and `notation` for charts in OCI registries; `provenance` (Trueup alone) for a `.prov` file beside the chart."""
    secret_ref: LocalReference | None = None
    """A Secret with the trusted public keys."""
    match_oidc_identity: tuple[MatchIdentity, ...] = field(default=(), name="matchOIDCIdentity")
    """Who may have signed, where cosign is used without a key."""
    trusted_root_secret_ref: LocalReference | None = None
    """A Secret with the root of trust of a Sigstore of one's own."""


def secret(namespace: str, said: LocalReference | None) -> ObjectRef | None:
    return ObjectRef("", "Secret", namespace, said.name) if said is not None else None


def read_interval(ref: ObjectRef, text: str) -> timedelta:
    interval = read_duration(text, ref=ref, field="spec.interval")
    if interval.total_seconds() <= 0:
        raise InvalidInput(f"{text!r} is no interval", ref=ref, field="spec.interval", hint='write "1m"')
    return interval


def read_timeout(ref: ObjectRef, text: str) -> timedelta:
    return read_duration(text, ref=ref, field="spec.timeout")


def unbuilt_verification(said: ChartVerification | None) -> list[str]:
    """What of it has a meaning that is not built yet."""
    if said is None or said.provider == PROVENANCE:
        return []
    return [f"spec.verify.provider={said.provider}"] if said.provider != "cosign" else []


def read_verification(said: ChartVerification | None) -> tuple[ArtifactVerification | None, bool]:
    """The signature of the artifact, and whether its provenance file must be good."""
    if said is None:
        return None, False
    if said.provider == PROVENANCE:
        return None, True
    identities = tuple(OidcIdentity(one.issuer, one.subject) for one in said.match_oidc_identity)
    return ArtifactVerification(provider=said.provider, identities=identities), False


def stored_revision_words(spec: Mapping[str, Any], artifact: Artifact, status: SourceStatus) -> str:  # noqa: ARG001
    """How repositories and buckets say it."""
    return f"stored artifact: revision '{artifact.revision}'"
