"""Where an Application's manifests come from: its source, or its sources, as values that are fetched.

A Git repository, a chart of a Helm repository or registry, an OCI artifact; several of them are one composite. Credentials
are found by URL among the repository Secrets, which is the caller's to do (`match_repository_secret`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.source_resource import Source
from trueup.model import source as model
from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.source import (
    CompositeSource,
    GitReference,
    GitSource,
    HelmChartSource,
    HelmRepositorySource,
    LayerSelector,
    Member,
    OciReference,
    OciSource,
    SecretRefs,
)

INTERVAL = timedelta(minutes=2)
"""Argo CD's `timeout.reconciliation`."""
OCI = "oci://"
ARCHIVES = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
)
"""The layers that Argo CD takes manifests from by default."""


def sources_of(ref: ObjectRef, spec: ApplicationSpec) -> tuple[Source, ...]:
    """All of them, each checked; with `sources` a single `source` means nothing. Raises InvalidInput."""
    if spec.sources:
        for number, source in enumerate(spec.sources):
            _check(ref, source, f"spec.sources[{number}]", several=True)
        _check_names(ref, spec.sources)
        return spec.sources
    if spec.source is None:
        raise InvalidInput("there is no source", ref=ref, field="spec.source", hint="name a repoURL and a path")
    _check(ref, spec.source, "spec.source", several=False)
    return (spec.source,)


def source_of(ref: ObjectRef, spec: ApplicationSpec, sources: Sequence[Source], *, suspend: bool) -> model.Source:
    """The one source, or all of them as one."""
    if not spec.sources:
        return _one(sources[0], suspend=suspend)
    if not any(is_rendered(source) for source in sources):
        raise InvalidInput(
            "no source has manifests: each only lends its files", ref=ref, field="spec.sources", hint="add a path"
        )
    members = tuple(Member(source=_one(source, suspend=suspend), name=source.ref) for source in sources)
    return CompositeSource(members=members, suspend=suspend)


def is_rendered(source: Source) -> bool:
    """A source with a `ref` alone gives no manifests: others read its files."""
    return not source.ref or bool(source.path or source.chart)


def _one(source: Source, *, suspend: bool) -> model.Source:
    secrets = SecretRefs(by_url=True)
    if source.chart:
        return HelmChartSource(
            chart=source.chart,
            version=source.target_revision,
            origin=_repository(source, secrets),
            interval=INTERVAL,
            suspend=suspend,
        )
    if source.repo_url.startswith(OCI):
        return OciSource(
            url=source.repo_url,
            reference=OciReference(expression=source.target_revision),
            layer=LayerSelector(only=ARCHIVES),
            secrets=secrets,
            interval=INTERVAL,
            suspend=suspend,
        )
    return GitSource(
        url=source.repo_url,
        reference=GitReference(expression=source.target_revision or "HEAD", tag_prefix=source.tag_prefix),
        by_url=True,
        interval=INTERVAL,
        recurse_submodules=True,
        suspend=suspend,
    )


def _repository(source: Source, secrets: SecretRefs) -> HelmRepositorySource:
    """An address without a scheme is a registry's, as with the original."""
    url = source.repo_url
    in_registry = url.startswith(OCI) or "://" not in url
    return HelmRepositorySource(
        url=f"{OCI}{url.removeprefix(OCI)}" if in_registry else url,
        oci=in_registry,
        pass_credentials=bool(source.helm and source.helm.pass_credentials),
        secrets=secrets,
        interval=INTERVAL,
    )


def _check(ref: ObjectRef, source: Source, field: str, *, several: bool) -> None:
    if not source.repo_url:
        raise InvalidInput("the source names no repository", ref=ref, field=f"{field}.repoURL")
    if source.chart and source.ref:
        raise InvalidInput("a chart cannot be referred to by others", ref=ref, field=f"{field}.ref", hint="remove it")
    if source.chart and not source.target_revision:
        hint = 'write a version or a range, such as "1.2.3" or "1.x"'
        raise InvalidInput("the chart has no version", ref=ref, field=f"{field}.targetRevision", hint=hint)
    if not source.path and not source.chart and not (several and source.ref):
        raise InvalidInput(
            "the source names no path", ref=ref, field=f"{field}.path", hint='write "." for the whole repository'
        )
    blocks = {
        "kustomize": source.kustomize,
        "helm": source.helm,
        "directory": source.directory,
        "plugin": source.plugin,
    }
    if len(named := [name for name, block in blocks.items() if block is not None]) > 1:
        raise InvalidInput(
            f"a source is built by one tool, and {' and '.join(named)} are named",
            ref=ref,
            field=field,
            hint="remove one of the blocks",
        )


def _check_names(ref: ObjectRef, sources: Sequence[Source]) -> None:
    seen: dict[str, int] = {}
    for number, source in enumerate(sources):
        if source.ref and source.ref in seen:
            field = f"spec.sources[{number}].ref"
            raise InvalidInput(f"{source.ref!r} is the name of sources[{seen[source.ref]}] too", ref=ref, field=field)
        seen[source.ref] = number
