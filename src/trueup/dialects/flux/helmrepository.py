"""HelmRepository: its resource in every version, and its reading as a source."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

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
from trueup.model.source import HelmRepositorySource, SecretRefs

OCI_SCHEME = "oci://"

Url = Annotated[str, Meta(pattern=r"^(http|https|oci)://.*$")]


class HelmRepositorySpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    url: Url
    """The repository's address: where index.yaml is, or `oci://` and the registry's folder of charts."""
    type: Literal["", "default", "oci"] = ""
    """`oci` for a registry; the URL must begin with `oci://` then."""
    interval: Duration = "1m"
    """How often the index is asked for."""
    secret_ref: LocalReference | None = None
    """A Secret with `username` and `password`; for a registry also of the type `kubernetes.io/dockerconfigjson`."""
    cert_secret_ref: LocalReference | None = None
    """A Secret with `ca.crt`, and `tls.crt` with `tls.key`; it goes before what `secretRef` says of them."""
    pass_credentials: bool = False
    """Whether the credentials go to other hosts too, where the index names some."""
    insecure: bool = False
    """HTTP without TLS, for a registry."""
    provider: Annotated[Literal["generic", "aws", "azure", "gcp"], Meta(extra_json_schema={"default": "generic"})] = (
        "generic"
    )
    """How to log in at a registry; `generic`: with the Secret."""
    timeout: Timeout = "60s"
    """For one look at the repository, and for one chart."""
    suspend: bool = False
    """Stops all work until it is false again."""
    access_from: AccessFrom | None = None
    """Without effect, as in Flux."""


class HelmRepositoryStatus(SourceStatusRows, frozen=True, kw_only=True, rename="camel"):
    pass


HELM_REPOSITORY_WORDS = SourceWords(
    stored=stored_revision_words,
    statusless=lambda spec: spec.get("type") == "oci",
    reasons=dict.fromkeys(
        ("FetchFailed", "ChartNotFound", "ChartInvalid", "Timeout", "Unreachable"), "IndexationFailed"
    ),
)


def read_helm_repository(obj: Manifest) -> HelmRepositorySource:
    """Raises InvalidInput."""
    ref = identity(obj)
    spec = read_struct(HelmRepositorySpec, spec_of(obj), ref=ref, root="spec")
    oci = spec.type == "oci"
    if oci != spec.url.startswith(OCI_SCHEME):
        wanted = "oci://" if oci else "https:// or http://"
        raise InvalidInput(
            f"the URL of a repository of the type {spec.type or 'default'!r} begins with {wanted}",
            ref=ref,
            field="spec.url",
            hint="change the URL, or set spec.type: " + ("default" if oci else "oci"),
        )
    return HelmRepositorySource(
        url=spec.url,
        oci=oci,
        provider="" if spec.provider == "generic" else spec.provider,
        insecure=spec.insecure and oci,
        pass_credentials=spec.pass_credentials,
        secrets=SecretRefs(
            auth=secret(ref.namespace, spec.secret_ref), certificates=secret(ref.namespace, spec.cert_secret_ref)
        ),
        interval=read_interval(ref, spec.interval),
        timeout=read_timeout(ref, spec.timeout),
        suspend=spec.suspend,
    )
