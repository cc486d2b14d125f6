"""Where declarations come from: each kind of source as a value, in no dialect's words.

Equal values are one source, so they are fetched once. A source names the Secrets that it needs by role; what is in them
never enters a value. Fetching is `sources`' work, when to fetch the controllers'.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, structs

from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision

MINUTE = timedelta(minutes=1)


class SecretRefs(Struct, frozen=True, kw_only=True):
    """The Secrets of one source, by what they are for."""

    auth: ObjectRef | None = None
    """Who we are: passwords, tokens, keys."""
    certificates: ObjectRef | None = None
    """Whom we trust, and our certificate: `ca.crt`, `tls.crt`, `tls.key`."""
    proxy: ObjectRef | None = None
    """The proxy's `address`, `username`, `password`."""
    trust: ObjectRef | None = None
    """The public keys by which content is verified."""
    root: ObjectRef | None = None
    """The root of trust of a Sigstore of one's own: `trusted_root.json`."""
    account: ObjectRef | None = None
    """A ServiceAccount whose imagePullSecrets are used."""
    by_url: bool = False
    """Argo CD: the Secret is found by the URL, among the repository Secrets."""
    identity: ObjectRef | None = None
    """A ServiceAccount whose identity in a cloud is used; None: the controller's own."""
    sts: ObjectRef | None = None
    """Who we are to a Security Token Service: `username`, `password`."""
    sts_certificates: ObjectRef | None = None
    """Whom we trust to be it."""

    @property
    def named(self) -> tuple[ObjectRef, ...]:
        """The Secrets that are named."""
        roles = (self.auth, self.certificates, self.proxy, self.trust, self.root, self.sts, self.sts_certificates)
        return tuple(ref for ref in roles if ref is not None)


# Git


class GitReference(Struct, frozen=True, kw_only=True):
    """Which commit: exactly Flux's precedence commit > name > semver > tag > branch. All empty: the remote's HEAD.

    `expression` is Argo CD's `targetRevision`: a branch, tag, commit or semver range that must be told apart by looking.
    """

    branch: str = ""
    tag: str = ""
    semver: str = ""
    name: str = ""
    commit: str = ""
    expression: str = ""
    tag_prefix: str = ""
    """Where `expression` is a range of versions: only tags that begin so count, by what follows (`shop/1.2.0`)."""


class GitVerification(StrEnum):
    """Whose signature must be good (Flux's words)."""

    HEAD = "HEAD"
    TAG = "Tag"
    TAG_AND_HEAD = "TagAndHEAD"


class GitInclude(Struct, frozen=True, kw_only=True):
    """Another source's content, put in at `to_path`; `from_path` empty: all of it. Paths are from the roots."""

    source: ObjectRef
    from_path: str = ""
    to_path: str = ""


class GitSource(Struct, frozen=True, kw_only=True):
    """A Git repository to watch."""

    url: str
    reference: GitReference
    credentials: ObjectRef | None = None
    proxy: ObjectRef | None = None
    verify: GitVerification | None = None
    trust: ObjectRef | None = None
    provider: str = ""
    """`github`: the credentials are a GitHub App's; `azure`: Azure gives a token; empty: they are used as they are."""
    identity: ObjectRef | None = None
    """See SecretRefs."""
    include: tuple[GitInclude, ...] = ()
    by_url: bool = False
    """Argo CD: credentials are found by the URL."""
    interval: timedelta = MINUTE
    timeout: timedelta = timedelta(seconds=60)
    recurse_submodules: bool = False
    sparse_checkout: tuple[str, ...] = ()
    ignore: str | None = None
    suspend: bool = False

    @property
    def secrets(self) -> SecretRefs:
        return SecretRefs(
            auth=self.credentials, proxy=self.proxy, trust=self.trust, by_url=self.by_url, identity=self.identity
        )


# OCI


class OciReference(Struct, frozen=True, kw_only=True):
    """Which manifest: Flux's precedence digest > semver > tag; all empty: `latest`.

    `semver_filter` is a regular expression on tags. `expression` is Argo CD's `targetRevision`: a tag, digest or range.
    """

    tag: str = ""
    semver: str = ""
    semver_filter: str = ""
    digest: str = ""
    expression: str = ""


class LayerOperation(StrEnum):
    EXTRACT = "extract"
    COPY = "copy"


class LayerSelector(Struct, frozen=True, kw_only=True):
    """Which layer is the content: the first of that media type (empty: the first), unpacked or kept as the one file it is."""

    media_type: str = ""
    operation: LayerOperation = LayerOperation.EXTRACT
    only: tuple[str, ...] = ()
    """Argo CD's rule instead: the artifact has one archive, of one of these types; a packed chart's own directory is opened."""


class OidcIdentity(Struct, frozen=True):
    """Regular expressions on a keyless signature's issuer and subject."""

    issuer: str
    subject: str


class ArtifactVerification(Struct, frozen=True, kw_only=True):
    """How the signature of an OCI artifact is verified; keys are in the source's `trust` Secret, keyless without one."""

    provider: str
    """`cosign` or `notation`."""
    identities: tuple[OidcIdentity, ...] = ()


class OciSource(Struct, frozen=True, kw_only=True):
    """An artifact in an OCI registry. `url` is `oci://host/repository`."""

    url: str
    reference: OciReference
    layer: LayerSelector = LayerSelector()
    verify: ArtifactVerification | None = None
    provider: str = ""
    insecure: bool = False
    """HTTP without TLS."""
    secrets: SecretRefs = SecretRefs()
    interval: timedelta = MINUTE
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False


# Helm


class HelmRepositorySource(Struct, frozen=True, kw_only=True):
    """A Helm repository: an index over HTTP, or with `oci` a registry, whose content is looked up chart by chart."""

    url: str
    oci: bool = False
    provider: str = ""
    insecure: bool = False
    """HTTP without TLS (OCI)."""
    skip_tls_verify: bool = False
    """Certificates are not checked. Only Argo CD's Secrets can ask for it."""
    pass_credentials: bool = False
    """Credentials go to other hosts too, where the index names some."""
    secrets: SecretRefs = SecretRefs()
    interval: timedelta = MINUTE
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False


class ReconcileStrategy(StrEnum):
    """When a chart is a new one: its version differs, or anything of its source does."""

    CHART_VERSION = "ChartVersion"
    REVISION = "Revision"


class HelmChartSource(Struct, frozen=True, kw_only=True):
    """A chart out of another source: by name from a Helm repository, by path from anything else.

    `origin` is a source's resource, or the source itself by value. The Snapshot is the unpacked chart, its `Chart.yaml` at the root.
    """

    chart: str
    origin: SourceKey
    version: str = ""
    """A range of versions; empty: the newest that is no prerelease."""
    strategy: ReconcileStrategy = ReconcileStrategy.CHART_VERSION
    values_files: tuple[str, ...] = ()
    """Merged into the chart's own values, the last one winning; from the root of the origin, or of the chart."""
    ignore_missing_values_files: bool = False
    verify: ArtifactVerification | None = None
    provenance: bool = False
    """The `.prov` file must be good by the keys of `trust`."""
    generation: int = 0
    """Of the resource; becomes part of the chart's version where `values_files` are merged, as in Flux. 0: it does not."""
    namespace: str = ""
    """Whose HelmRepositories (and their credentials) dependencies may be fetched from. Empty: none's."""
    secrets: SecretRefs = SecretRefs()
    """`trust` alone; for the rest see the origin's."""
    interval: timedelta = MINUTE
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False


# Buckets and what others fetched


class TokenService(Struct, frozen=True, kw_only=True):
    """A Security Token Service, which gives keys for a while; its Secrets are among the source's own."""

    provider: str
    """`aws` or `ldap`."""
    endpoint: str


class BucketSource(Struct, frozen=True, kw_only=True):
    """The objects of a bucket (below `prefix`) as files."""

    provider: str
    """`generic` (S3-compatible), `aws`, `gcp` or `azure`."""
    bucket: str
    endpoint: str
    region: str = ""
    prefix: str = ""
    insecure: bool = False
    sts: TokenService | None = None
    secrets: SecretRefs = SecretRefs()
    interval: timedelta = MINUTE
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False


class ExternalSource(Struct, frozen=True, kw_only=True):
    """A tarball that somebody else made and serves (Flux's ExternalArtifact): `digest` says what must come."""

    url: str
    revision: str
    digest: str
    size: int | None = None
    secrets: SecretRefs = SecretRefs()
    interval: timedelta = timedelta(minutes=10)
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False


# Several at once


class Member(Struct, frozen=True, kw_only=True):
    """One of several sources; `name` is what others refer to it by (Argo CD's `ref`)."""

    source: SourceKey
    name: str = ""


class CompositeSource(Struct, frozen=True, kw_only=True):
    """Several sources as one: the Snapshot shows the first below `0`, the second below `1`, and so on."""

    members: tuple[Member, ...]
    interval: timedelta = timedelta(hours=1)
    """Its members are looked at by their own intervals; this one only looks at them."""
    timeout: timedelta = timedelta(seconds=60)
    ignore: str | None = None
    suspend: bool = False

    @property
    def secrets(self) -> SecretRefs:
        return SecretRefs()


Source: TypeAlias = (
    "GitSource | OciSource | HelmRepositorySource | HelmChartSource | BucketSource | ExternalSource | CompositeSource"
)
SourceKey: TypeAlias = "ObjectRef | Source"
"""A source by the ref of its resource, or by its own value, so that equal sources are one."""


def parents_of(source: Source) -> tuple[SourceKey, ...]:
    """The sources out of which this one is made, in its own order; none for one that is fetched by itself alone."""
    match source:
        case CompositeSource():
            return tuple(member.source for member in source.members)
        case HelmChartSource():
            return (source.origin,)
        case GitSource():
            return tuple(include.source for include in source.include)
        case _:
            return ()


def includes_others(source: Source) -> bool:
    """Whether there is a revision of its own with others' content put in."""
    return isinstance(source, GitSource) and bool(source.include)


def has_content(source: Source) -> bool:
    """Whether there is a snapshot of the source itself: of a registry of charts there is none, only of its charts."""
    return not (isinstance(source, HelmRepositorySource) and source.oci)


def address_of(source: Source) -> str:
    """Where it is, for people."""
    match source:
        case BucketSource():
            return f"{source.endpoint}/{source.bucket}"
        case HelmChartSource():
            origin = source.origin
            return f"{source.chart} of {origin if isinstance(origin, ObjectRef) else address_of(origin)}"
        case CompositeSource():
            places = [m.source if isinstance(m.source, ObjectRef) else address_of(m.source) for m in source.members]
            return ", ".join(map(str, places))
        case _:
            return source.url


def pinned(source: Source, revision: Revision) -> Source | None:
    """The same source at that one revision; None: a remote of its kind cannot be asked for old ones."""
    match source:
        case GitSource():
            return structs.replace(source, reference=GitReference(branch=revision.name, commit=revision.digest))
        case OciSource():
            digest = f"{revision.algorithm}:{revision.digest}"
            return structs.replace(source, reference=OciReference(tag=revision.name, digest=digest))
        case HelmChartSource():
            return structs.replace(source, version=revision.name)
        case _:
            return None


def pinned_parts(source: CompositeSource, revisions: Sequence[Revision]) -> CompositeSource:
    """Several sources, each at that one revision where its kind can be asked for it."""
    members = tuple(
        member
        if isinstance(member.source, ObjectRef)
        else structs.replace(member, source=pinned(member.source, revision) or member.source)
        for member, revision in zip(source.members, revisions, strict=True)
    )
    return structs.replace(source, members=members)


def expressed(source: Source, expression: str) -> Source | None:
    """The same source at what Argo CD's `revision` of an operation says; None: its kind has no such thing."""
    match source:
        case GitSource():
            return structs.replace(
                source, reference=GitReference(expression=expression, tag_prefix=source.reference.tag_prefix)
            )
        case OciSource():
            return structs.replace(source, reference=OciReference(expression=expression))
        case HelmChartSource():
            return structs.replace(source, version=expression)
        case _:
            return None
