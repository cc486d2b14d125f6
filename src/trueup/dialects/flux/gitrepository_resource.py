"""The GitRepository resource as structs: the union of v1, v1beta2 and v1beta1, from which the CRD's schema is made."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.shared import ConditionRow, LocalReference
from trueup.dialects.schema import AnyObject, Duration, Int64, Time

Url = Annotated[str, Meta(pattern=r"^(http|https|ssh|file|git)://.*$")]
"""`file` and `git` are for laptops and tests: the controller takes them only when a flag allows it."""
Digest = Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$")]


class Reference(Struct, frozen=True, kw_only=True, rename="camel"):
    branch: str = ""
    """The branch to follow; `master` when nothing else is named."""
    tag: str = ""
    """Wins over `branch`."""
    semver: str = ""
    """A range of versions among the tags; wins over `tag`."""
    name: str = ""
    """A whole reference such as `refs/pull/420/head`; wins over `semver`."""
    commit: str = ""
    """A commit's hash; wins over all. Together with `branch`, only that branch is fetched."""


class Verification(Struct, frozen=True, kw_only=True, rename="camel"):
    mode: Annotated[Literal["head", "HEAD", "Tag", "TagAndHEAD"], Meta(extra_json_schema={"default": "HEAD"})] = "HEAD"
    """Whose signature is verified: the commit's, the tag's, or both."""
    secret_ref: LocalReference
    """A Secret with the trusted public keys (`*.asc`, `*.sshpub`)."""


class Include(Struct, frozen=True, kw_only=True, rename="camel"):
    repository: LocalReference
    from_path: str = ""
    to_path: str = ""


class AccessFrom(Struct, frozen=True, kw_only=True, rename="camel"):
    namespace_selectors: tuple[AnyObject, ...] = ()


class GitRepositorySpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    url: Url
    """The repository's address, over HTTP, HTTPS or SSH."""
    interval: Duration
    """How often the remote is asked for news."""
    reference: Reference | None = field(default=None, name="ref")
    """Which commit to follow; the branch `master` by default."""
    secret_ref: LocalReference | None = None
    """A Secret with `username` and `password`, or `bearerToken`, or `identity` and `known_hosts`; `ca.crt`, `tls.crt`, `tls.key`."""
    timeout: Annotated[str, Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", extra_json_schema={"default": "60s"})] = (
        "60s"
    )
    """For one Git operation."""
    ignore: str | None = None
    """Lines in .gitignore's form, in place of the default exclusions."""
    suspend: bool = False
    """Stops all work until it is false again."""
    recurse_submodules: bool = False
    """Whether submodules are taken along."""
    sparse_checkout: tuple[str, ...] = ()
    """The only directories to take."""
    include: tuple[Include, ...] = ()
    """Other GitRepositories whose content is put in."""
    provider: Literal["generic", "aws", "azure", "github"] | None = None
    """How to authenticate; `generic` by default."""
    service_account_name: str = ""
    """The ServiceAccount for the providers `aws` and `azure`."""
    proxy_secret_ref: LocalReference | None = None
    """A Secret with the proxy's `address`, `username` and `password`."""
    verification: Verification | None = field(default=None, name="verify")
    """Verification of signatures."""
    git_implementation: Literal["go-git", "libgit2"] | None = None
    """Of v1beta1 and v1beta2; without effect."""
    access_from: AccessFrom | None = None
    """Of v1beta1 and v1beta2; without effect."""


class ArtifactRow(Struct, frozen=True, kw_only=True, rename="camel"):
    path: str
    url: str
    revision: str = ""
    digest: Digest | None = None
    checksum: str = ""
    """Of v1beta1 and v1beta2, in place of the digest."""
    last_update_time: Time = ""
    size: Int64 | None = None
    metadata: dict[str, str] = {}


class GitRepositoryStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: Int64 = 0
    conditions: tuple[ConditionRow, ...] = ()
    artifact: ArtifactRow | None = None
    """The last revision that was fetched."""
    included_artifacts: tuple[ArtifactRow, ...] = ()
    last_handled_reconcile_at: str = ""
    """The last `reconcile.fluxcd.io/requestedAt` that was carried out."""
    observed_ignore: str | None = None
    observed_recurse_submodules: bool = False
    observed_include: tuple[Include, ...] = ()
    observed_sparse_checkout: tuple[str, ...] = ()
    source_verification_mode: str = ""
    content_config_checksum: str = ""
    """Of v1beta2."""
    url: str = ""
    """Of v1beta1 and v1beta2: the artifact's address."""
