"""GitRepository -> GitSource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.flux.gitrepository_resource import GitRepositorySpec, Reference
from trueup.dialects.flux.shared import GIT_REPOSITORY, LocalReference
from trueup.dialects.flux.source_status import SourceWords, artifact_row
from trueup.dialects.reading import identity, read_duration, read_struct
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, spec_of
from trueup.model.outcome import SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import GitInclude, GitReference, GitSource, GitVerification

DEFAULT_BRANCH = "master"


def _observed(spec: Mapping[str, Any], status: SourceStatus) -> dict[str, Any]:
    verify = spec.get("verify")
    return {
        "observedInclude": spec.get("include") or None,
        "includedArtifacts": [artifact_row(artifact) for artifact in status.included] or None,
        "sourceVerificationMode": _mode(verify) if isinstance(verify, dict) else None,
        "observedIgnore": spec.get("ignore"),
        "observedRecurseSubmodules": spec.get("recurseSubmodules") or None,
        "observedSparseCheckout": spec.get("sparseCheckout") or None,
    }


GIT_REPOSITORY_WORDS = SourceWords(
    reasons={"FetchFailed": "GitOperationFailed", "RefNotFound": "GitOperationFailed"},
    includes=True,
    observed=_observed,
)


def read_git_repository(obj: Manifest) -> GitSource:
    """Raises InvalidInput."""
    ref = identity(obj)
    spec = read_struct(GitRepositorySpec, spec_of(obj), ref=ref, root="spec")
    interval = read_duration(spec.interval, ref=ref, field="spec.interval")
    if interval.total_seconds() <= 0:
        raise InvalidInput(f"{spec.interval!r} is no interval", ref=ref, field="spec.interval", hint='write "1m"')
    return GitSource(
        url=spec.url,
        reference=_reference(spec.reference),
        credentials=_secret(ref, spec.secret_ref),
        proxy=_secret(ref, spec.proxy_secret_ref),
        verify=GitVerification(_mode({"mode": spec.verification.mode})) if spec.verification else None,
        trust=_secret(ref, spec.verification.secret_ref) if spec.verification else None,
        provider="" if spec.provider in (None, "generic") else spec.provider,
        identity=_identity(ref, spec),
        include=_includes(ref, spec),
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


def _secret(ref: ObjectRef, said: LocalReference | None) -> ObjectRef | None:
    return ObjectRef("", "Secret", ref.namespace, said.name) if said is not None else None


def _includes(ref: ObjectRef, spec: GitRepositorySpec) -> tuple[GitInclude, ...]:
    found = tuple(
        GitInclude(
            source=GIT_REPOSITORY.ref(ref.namespace, one.repository.name), from_path=one.from_path, to_path=one.to_path
        )
        for one in spec.include
    )
    for number, one in enumerate(found):
        if one.source == ref:
            raise InvalidInput(
                "it includes itself", ref=ref, field=f"spec.include[{number}].repository", hint="name another one"
            )
    return found


def _mode(verify: Mapping[str, Any]) -> str:
    """v1beta1 and v1beta2 wrote `head`."""
    mode = str(verify.get("mode") or "HEAD")
    return "HEAD" if mode == "head" else mode


def _identity(ref: ObjectRef, spec: GitRepositorySpec) -> ObjectRef | None:
    if not spec.service_account_name:
        return None
    if spec.provider not in ("aws", "azure"):
        raise InvalidInput(
            "a ServiceAccount means something with the providers aws and azure only",
            ref=ref,
            field="spec.serviceAccountName",
        )
    return ObjectRef("", "ServiceAccount", ref.namespace, spec.service_account_name)
