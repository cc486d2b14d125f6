"""The OCIRepository resource as structs: the union of v1 and v1beta2, from which the CRD's schema is made."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.gitrepository_resource import ArtifactRow
from trueup.dialects.flux.shared import ConditionRow, LocalReference
from trueup.dialects.schema import Duration, Int64

OciUrl = Annotated[str, Meta(pattern=r"^oci://.*$")]


class OciReferenceRow(Struct, frozen=True, kw_only=True, rename="camel"):
    tag: str = ""
    """The tag to follow; `latest` when nothing else is named."""
    semver: str = ""
    """A range of versions among the tags; wins over `tag`."""
    semver_filter: str = ""
    """A regular expression: only tags that it matches take part in `semver`."""
    digest: str = ""
    """One manifest, `sha256:...`; wins over all."""


class LayerSelectorRow(Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str = ""
    """The first layer of this type is the content; empty: the first layer."""
    operation: Annotated[Literal["extract", "copy"], Meta(extra_json_schema={"default": "extract"})] = "extract"
    """Unpack the layer, or take it as it is. A copied archive is still read as the directory that it packs."""


class OidcIdentityMatch(Struct, frozen=True, kw_only=True, rename="camel"):
    issuer: str
    subject: str


class OciVerification(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: Annotated[Literal["cosign", "notation"], Meta(extra_json_schema={"default": "cosign"})] = "cosign"
    """Whose signatures: cosign's, by the public keys of `secretRef`."""
    secret_ref: LocalReference | None = None
    """A Secret with the trusted public keys (`*.pub`)."""
    match_oidc_identity: tuple[OidcIdentityMatch, ...] = field(default=(), name="matchOIDCIdentity")
    """Of keyless signatures."""
    trusted_root_secret_ref: LocalReference | None = None
    """Of keyless signatures: the root of trust of a Sigstore instance of one's own."""


class OciRepositorySpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    url: OciUrl
    """The artifact's repository, `oci://host/repository`, without tag or digest."""
    interval: Duration
    """How often the registry is asked for news."""
    reference: OciReferenceRow | None = field(default=None, name="ref")
    """Which manifest to follow; the tag `latest` by default."""
    layer_selector: LayerSelectorRow | None = None
    """Which layer of the artifact is its content."""
    secret_ref: LocalReference | None = None
    """A Secret of the type `kubernetes.io/dockerconfigjson`, or with `username` and `password`."""
    service_account_name: str = ""
    """A ServiceAccount whose `imagePullSecrets` are used."""
    cert_secret_ref: LocalReference | None = None
    """A Secret with `ca.crt`, or `tls.crt` and `tls.key`."""
    proxy_secret_ref: LocalReference | None = None
    """A Secret with the proxy's `address`, `username` and `password`."""
    verification: OciVerification | None = field(default=None, name="verify")
    """Verification of signatures."""
    provider: Annotated[Literal["generic", "aws", "azure", "gcp"], Meta(extra_json_schema={"default": "generic"})] = (
        "generic"
    )
    """How to log in."""
    insecure: bool = False
    """HTTP, or TLS whose certificate nobody checks, is good enough."""
    timeout: Annotated[str, Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$", extra_json_schema={"default": "60s"})] = (
        "60s"
    )
    """For one look at the registry, with the pull that may follow."""
    ignore: str | None = None
    """Lines in .gitignore's form, in place of the default exclusions."""
    suspend: bool = False
    """Stops all work until it is false again."""


class OciRepositoryStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: Int64 = 0
    conditions: tuple[ConditionRow, ...] = ()
    artifact: ArtifactRow | None = None
    """The last revision that was pulled."""
    last_handled_reconcile_at: str = ""
    """The last `reconcile.fluxcd.io/requestedAt` that was carried out."""
    observed_ignore: str | None = None
    observed_layer_selector: LayerSelectorRow | None = None
    content_config_checksum: str = ""
    """Of v1beta2."""
    url: str = ""
    """Of v1beta2: the artifact's address."""
