"""Bucket: its resource in every version, and its reading as a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.shared import LocalReference
from trueup.dialects.flux.source_status import SourceWords
from trueup.dialects.flux.sources_shared import (
    AccessFrom,
    SourceStatusRows,
    Timeout,
    read_interval,
    read_timeout,
    secret,
    stored_revision_words,
)
from trueup.dialects.reading import identity, read_struct
from trueup.dialects.schema import Duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, spec_of
from trueup.model.outcome import SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import BucketSource, SecretRefs, TokenService


class SecurityTokenService(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: Literal["aws", "ldap"]
    endpoint: Annotated[str, Meta(pattern=r"^(http|https)://.*$")]
    secret_ref: LocalReference | None = None
    cert_secret_ref: LocalReference | None = None


class BucketSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    bucket_name: str
    """The bucket's name (of Azure: the container's)."""
    endpoint: str
    """The host of the object store, with its port where it has one; of Azure a URL."""
    interval: Duration
    """How often the bucket is listed."""
    provider: Annotated[Literal["generic", "aws", "gcp", "azure"], Meta(extra_json_schema={"default": "generic"})] = (
        "generic"
    )
    """`generic` for any store with the S3 API."""
    region: str = ""
    """The bucket's region."""
    prefix: str = ""
    """Only objects whose name begins so are listed."""
    secret_ref: LocalReference | None = None
    """A Secret with `accesskey` and `secretkey`; of gcp with `serviceaccount`; of azure with a key or a service principal."""
    cert_secret_ref: LocalReference | None = None
    """A Secret with `ca.crt`, and `tls.crt` with `tls.key`; for `generic`."""
    proxy_secret_ref: LocalReference | None = None
    """A Secret with the proxy's `address`, `username` and `password`."""
    insecure: bool = False
    """HTTP without TLS."""
    ignore: str | None = None
    """Lines in .gitignore's form, in place of the default exclusions."""
    timeout: Timeout = "60s"
    """For one look at the bucket."""
    sts: SecurityTokenService | None = None
    """Temporary credentials from a Security Token Service."""
    service_account_name: str = ""
    """The ServiceAccount whose workload identity is used (aws, azure, gcp)."""
    suspend: bool = False
    """Stops all work until it is false again."""
    access_from: AccessFrom | None = None
    """Without effect, as in Flux."""


class BucketStatus(SourceStatusRows, frozen=True, kw_only=True, rename="camel"):
    observed_ignore: str | None = field(default=None)


def _observed(spec: Mapping[str, Any], status: SourceStatus) -> dict[str, Any]:  # noqa: ARG001
    return {"observedIgnore": spec.get("ignore")}


BUCKET_WORDS = SourceWords(
    stored=stored_revision_words, observed=_observed, reasons={"FetchFailed": "BucketOperationFailed"}
)


def read_bucket(obj: Manifest) -> BucketSource:
    """Raises InvalidInput."""
    ref = identity(obj)
    spec = read_struct(BucketSpec, spec_of(obj), ref=ref, root="spec")
    _check_identity(ref, spec)
    for name in ("bucket_name", "endpoint"):
        if not getattr(spec, name):
            shown = "bucketName" if name == "bucket_name" else name
            raise InvalidInput(f"the {shown} is empty", ref=ref, field=f"spec.{shown}")
    if spec.cert_secret_ref is not None and spec.provider != "generic":
        raise InvalidInput(
            f"certificates of one's own are for the provider generic, not for {spec.provider}",
            ref=ref,
            field="spec.certSecretRef",
            hint="remove it",
        )
    return BucketSource(
        provider=spec.provider,
        bucket=spec.bucket_name,
        endpoint=spec.endpoint,
        region=spec.region,
        prefix=spec.prefix,
        insecure=spec.insecure,
        secrets=SecretRefs(
            auth=secret(ref.namespace, spec.secret_ref),
            certificates=secret(ref.namespace, spec.cert_secret_ref),
            proxy=secret(ref.namespace, spec.proxy_secret_ref),
            identity=ObjectRef("", "ServiceAccount", ref.namespace, spec.service_account_name)
            if spec.service_account_name
            else None,
            sts=secret(ref.namespace, spec.sts.secret_ref) if spec.sts else None,
            sts_certificates=secret(ref.namespace, spec.sts.cert_secret_ref) if spec.sts else None,
        ),
        sts=TokenService(provider=spec.sts.provider, endpoint=spec.sts.endpoint) if spec.sts else None,
        interval=read_interval(ref, spec.interval),
        timeout=read_timeout(ref, spec.timeout),
        ignore=spec.ignore,
        suspend=spec.suspend,
    )


def _check_identity(ref: ObjectRef, spec: BucketSpec) -> None:
    """Flux's own rules, which its CRD states in CEL: which identity goes with which provider."""
    if spec.service_account_name and (spec.provider == "generic" or spec.secret_ref is not None):
        raise InvalidInput(
            "a ServiceAccount is for aws, azure and gcp, and in place of a Secret",
            ref=ref,
            field="spec.serviceAccountName",
        )
    if spec.sts is None:
        return
    wanted = {"aws": "aws", "generic": "ldap"}.get(spec.provider)
    if spec.sts.provider != wanted:
        raise InvalidInput(
            f"the provider {spec.provider} knows no STS of {spec.sts.provider}",
            ref=ref,
            field="spec.sts.provider",
            hint="aws goes with the provider aws, ldap with generic",
        )
    if wanted == "aws" and (spec.sts.secret_ref is not None or spec.sts.cert_secret_ref is not None):
        raise InvalidInput("an STS of AWS needs no Secret", ref=ref, field="spec.sts.secretRef", hint="remove it")
