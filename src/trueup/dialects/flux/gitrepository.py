"""GitRepository -> GitSource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.flux.gitrepository_resource import GitRepositorySpec, Reference
from trueup.dialects.flux.source_status import SourceWords
from trueup.dialects.reading import identity, not_built, read_duration, read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, spec_of
from trueup.model.outcome import SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import GitReference, GitSource

DEFAULT_BRANCH = "master"


def _observed(spec: Mapping[str, Any], status: SourceStatus) -> dict[str, Any]:  # noqa: ARG001
    return {
        "observedIgnore": spec.get("ignore"),
        "observedRecurseSubmodules": spec.get("recurseSubmodules") or None,
        "observedSparseCheckout": spec.get("sparseCheckout") or None,
    }


GIT_REPOSITORY_WORDS = SourceWords(
    reasons={"FetchFailed": "GitOperationFailed", "RefNotFound": "GitOperationFailed"}, observed=_observed
)


def read_git_repository(obj: Manifest) -> GitSource:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(GitRepositorySpec, spec_of(obj), ref=ref, root="spec")
    not_built(ref, _unbuilt(spec))
    interval = read_duration(spec.interval, ref=ref, field="spec.interval")
    if interval.total_seconds() <= 0:
        raise InvalidInput(f"{spec.interval!r} is no interval", ref=ref, field="spec.interval", hint='write "1m"')
    return GitSource(
        url=spec.url,
        reference=_reference(spec.reference),
        credentials=ObjectRef("", "Secret", ref.namespace, spec.secret_ref.name) if spec.secret_ref else None,
        interval=interval,
        timeout=read_duration(spec.timeout, ref=ref, field="spec.timeout"),
        recurse_submodules=spec.recurse_submodules,
        sparse_checkout=spec.sparse_checkout,
        ignore=spec.ignore,
        suspend=spec.suspend,
    )


def _reference(said: Reference | None) -> GitReference:
    said = said or Reference()
    names_none = not (said.branch or said.tag or said.semver or said.name or said.commit)
    return GitReference(
        branch=DEFAULT_BRANCH if names_none else said.branch,
        tag=said.tag,
        semver=said.semver,
        name=said.name,
        commit=said.commit,
    )


def _unbuilt(spec: GitRepositorySpec) -> list[str]:
    fields = {
        "spec.verify": spec.verification is not None,
        "spec.include": bool(spec.include),
        "spec.proxySecretRef": spec.proxy_secret_ref is not None,
        f"spec.provider={spec.provider}": spec.provider not in (None, "generic"),
        "spec.serviceAccountName": bool(spec.service_account_name),
    }
    return [field for field, is_set in fields.items() if is_set]
