"""What of each resource is built: every field is tried on the dialect itself, which says `NotBuiltYet` where it is not.

A field that no sample value fits makes this fail, so that a new field cannot be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from docs.parts.tables import table
from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.options import _FIELDS, ALWAYS_SO, PROPAGATION
from trueup.dialects.argocd.shared import APPLICATION
from trueup.dialects.flux.bucket import BucketSpec
from trueup.dialects.flux.gitrepository_resource import GitRepositorySpec
from trueup.dialects.flux.helmchart import HelmChartSpec
from trueup.dialects.flux.helmrelease_resource import HelmReleaseSpec
from trueup.dialects.flux.helmrepository import HelmRepositorySpec
from trueup.dialects.flux.kustomization_resource import KustomizationSpec
from trueup.dialects.flux.ocirepository_resource import OciRepositorySpec
from trueup.dialects.flux.shared import (
    BUCKET,
    GIT_REPOSITORY,
    HELM_CHART,
    HELM_RELEASE,
    HELM_REPOSITORY,
    KUSTOMIZATION,
    OCI_REPOSITORY,
)
from trueup.dialects.registry import all_dialects, dialect_for, is_source
from trueup.dialects.schema import _field_docs
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.manifest import ref_of

_DIALECTS = all_dialects()
_WITHOUT_EFFECT = {"spec.gitImplementation", "spec.accessFrom", "spec.validation", "spec.info", "spec.source.name",
                   "spec.persistentClient", "spec.waitStrategy", "spec.source.kustomize.kubeVersion",
                   "spec.source.kustomize.apiVersions"}  # fmt: skip
"""Read and kept, and of no consequence; some because what they turn off is always on, or on in Trueup alone."""
_SAMPLES: dict[str, Any] = {
    "spec.url": "https://example.com/shop.git",
    "spec.verify": {"secretRef": {"name": "keys"}},
    "spec.healthChecks.apiVersion": "apps/v1",
    "spec.project": "other",
    "spec.kubeConfig": {"secretRef": {"name": "cluster"}},
    "spec.destination.server": "https://other.example.com",
    "spec.destination.name": "other",
    "spec.source.repoURL": "https://example.com/shop.git",
    "spec.source.path": "deploy",
    "spec.ignoreDifferences.jsonPointers": ["/data"],
    "spec.ignoreDifferences.jqPathExpressions": [".data"],
    "spec.sources": [{"repoURL": "https://example.com/shop.git", "path": "deploy", "targetRevision": "1.x"}],
    "spec.source.kustomize.images": ["web:2"],
    "spec.source.kustomize.replicas": [{"name": "web", "count": 2}],
    "spec.syncPolicy.syncOptions": ["PruneLast=true"],
    "spec.source.kustomize.version": "v5.8.1",
    "spec.sourceRef.kind": "GitRepository",
    "spec.sts.provider": "ldap",
    "spec.sts.endpoint": "https://sts.example.com",
    "spec.syncPolicy.retry.backoff.duration": "5s",
    "spec.syncPolicy.retry.backoff.maxDuration": "3m",
    "spec.chart.spec": {"chart": "shop", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
    "spec.patchesStrategicMerge": [{"kind": "Deployment"}],
}
_SAMPLES_OF: dict[type[Struct], dict[str, Any]] = {
    HelmReleaseSpec: {
        "spec.chart": {"spec": {"chart": "shop", "sourceRef": {"kind": "GitRepository", "name": "shop"}}},
        "spec.chartRef": {"kind": "HelmChart", "name": "shop"},
    },
}
"""The same of one resource alone."""
_BESIDE_OF: dict[type[Struct], dict[str, dict[str, Any]]] = {
    HelmRepositorySpec: {"spec.provider": {"spec": {"type": "oci", "url": "oci://example.com/charts"}}},
    BucketSpec: {"spec.serviceAccountName": {"spec": {"provider": "aws"}}},
    GitRepositorySpec: {"spec.serviceAccountName": {"spec": {"provider": "azure"}}},
}
"""The same for one resource alone."""
_VALUES_BESIDE: dict[tuple[type[Struct], str, Any], dict[str, Any]] = {
    (HelmRepositorySpec, "spec.type", "oci"): {"spec": {"url": "oci://example.com/charts"}},
}
"""The same for one value of a field."""
_BESIDE: dict[str, dict[str, Any]] = {
    "spec.source.chart": {"spec": {"source": {"targetRevision": "1.x"}}},
    "spec.syncPolicy.managedNamespaceMetadata": {"spec": {"syncPolicy": {"syncOptions": ["CreateNamespace=true"]}}},
}
"""What else must be said for a field to have a meaning."""
_INSIDE = {"spec.source", "spec.source.kustomize", "spec.source.directory", "spec.destination", "spec.syncPolicy",
           "spec.syncPolicy.automated", "spec.postBuild", "spec.ref", "spec.syncPolicy.retry"}  # fmt: skip
"""Fields whose own fields get a row each."""
_BASE: dict[type[Struct], dict[str, Any]] = {
    KustomizationSpec: {
        "apiVersion": KUSTOMIZATION.api_version, "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "shop"}},
    },
    GitRepositorySpec: {
        "apiVersion": GIT_REPOSITORY.api_version, "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"interval": "1m", "url": "https://example.com/shop.git"},
    },
    HelmRepositorySpec: {
        "apiVersion": HELM_REPOSITORY.api_version, "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "default"},
        "spec": {"url": "https://example.com/charts"},
    },
    HelmChartSpec: {
        "apiVersion": HELM_CHART.api_version, "kind": "HelmChart",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"interval": "10m", "chart": "shop", "sourceRef": {"kind": "HelmRepository", "name": "charts"}},
    },
    OciRepositorySpec: {
        "apiVersion": OCI_REPOSITORY.api_version, "kind": "OCIRepository",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"interval": "5m", "url": "oci://ghcr.io/team/shop", "timeout": "60s"},
    },
    HelmReleaseSpec: {
        "apiVersion": HELM_RELEASE.api_version, "kind": "HelmRelease",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "interval": "10m",
            "chart": {"spec": {"chart": "shop", "sourceRef": {"kind": "GitRepository", "name": "shop"}}},
        },
    },
    BucketSpec: {
        "apiVersion": BUCKET.api_version, "kind": "Bucket",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"interval": "5m", "bucketName": "shop", "endpoint": "minio.example.com"},
    },
    ApplicationSpec: {
        "apiVersion": APPLICATION.api_version, "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.com/shop.git", "path": "deploy"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        },
    },
}  # fmt: skip


def kustomization() -> str:
    return _table(KustomizationSpec)


def git_repository() -> str:
    return _table(GitRepositorySpec)


def helm_repository() -> str:
    return _table(HelmRepositorySpec)


def helm_chart() -> str:
    return _table(HelmChartSpec)


def oci_repository() -> str:
    return _table(OciRepositorySpec)


def helm_release() -> str:
    return _table(HelmReleaseSpec)


def bucket() -> str:
    return _table(BucketSpec)


def application() -> str:
    return _table(ApplicationSpec)


def sync_options() -> str:
    """Argo CD's sync options that are read; any other stops the Application and is named."""

    def shown(option: str) -> str:
        return f"`{option}`"

    carried = [*_FIELDS, *(f"prunepropagationpolicy={name}" for name in PROPAGATION)]
    rows = [
        ["carried out", ", ".join(map(shown, sorted(carried)))],
        ["always so", ", ".join(map(shown, sorted(ALWAYS_SO)))],
    ]
    return table(["", "Options (case plays no part)"], rows)


def unbuilt(spec: type[Struct]) -> list[str]:
    """The fields, and `field=value`s, of a resource that are not built."""
    return [path if not value else f"{path}: {value}" for path, value, state, _ in _rows(spec) if state == "not yet"]


def _table(spec: type[Struct]) -> str:
    marks = {"built": "✔", "not yet": "not yet", "without effect": "no effect"}
    rows = [[f"`{path}{': ' + value if value else ''}`", marks[state], doc] for path, value, state, doc in _rows(spec)]
    return table(["Field", "", "Meaning"], rows)


def _rows(spec: type[Struct]) -> Iterator[tuple[str, str, str, str]]:
    """Path, value (where single values are not built), state, meaning."""
    yield from _fields(spec, spec, "spec")


def _fields(root: type[Struct], type_: type[Struct], place: str) -> Iterator[tuple[str, str, str, str]]:
    docs = _field_docs(type_)
    for field in msgspec.structs.fields(type_):
        path = f"{place}.{field.encode_name}"
        doc = docs.get(field.name, "")
        inner = _struct_of(msgspec.inspect.type_info(field.type))
        if path in _INSIDE and inner is not None:
            yield from _fields(root, inner, path)
            continue
        if path in _WITHOUT_EFFECT:
            yield path, "", "without effect", doc
            continue
        if path in ("spec.destination.server", "spec.destination.name"):
            yield path, "", _state(root, path, _SAMPLES[path]), doc
            continue
        if path == "spec.project":
            yield path, "", "built", doc
            yield path, "(any other)", _state(root, path, _SAMPLES[path]), ""
            continue
        node = msgspec.inspect.type_info(field.type)
        states = {value: _state(root, path, value) for value in _values(node)}
        if states:
            refused = [value for value, state in states.items() if state == "not yet"]
            yield path, "", "built" if len(refused) < len(states) else "not yet", doc
            if len(refused) < len(states):
                yield from ((path, str(value), "not yet", "") for value in refused)
            continue
        said = _BASE[root]["spec"].get(path.removeprefix("spec."))
        sample = _SAMPLES_OF.get(root, {}).get(path) or said or _sample(node, path)
        yield path, "", _state(root, path, sample), doc
        yield from _nested_unbuilt(root, node, path, sample)


def _nested_unbuilt(root: type[Struct], node: Any, path: str, sample: Any) -> Iterator[tuple[str, str, str, str]]:
    """Fields of a list's rows (`dependsOn[].readyExpr`), and their values, that are not built though the list is."""
    struct, is_list = _struct_of(node), isinstance(_plain(node), msgspec.inspect.VarTupleType)
    if struct is None or _state(root, path, sample) == "not yet":
        return
    for field in msgspec.structs.fields(struct):
        inner = msgspec.inspect.type_info(field.type)
        values = _values(inner) or [_sample(inner, f"{path}.{field.encode_name}")]
        for value in values:
            first = sample[0] if isinstance(sample, list) and isinstance(sample[0], dict) else sample
            row = {**_required(struct, path), **(first if isinstance(first, dict) else {}), field.encode_name: value}
            try:
                state = _state(root, path, [row] if is_list else row)
            except InvalidInput:
                continue  # a value that goes with another value of another field
            if state == "not yet":
                shown = f"{path}{'[]' if is_list else ''}.{field.encode_name}"
                yield shown, str(value) if _values(inner) else "", "not yet", ""


def _state(root: type[Struct], path: str, value: Any) -> str:
    beside = _merged(_BESIDE.get(path, {}), _BESIDE_OF.get(root, {}).get(path, {}))
    if isinstance(value, str):
        beside = _merged(beside, _VALUES_BESIDE.get((root, path, value), {}))
    resource = _merged(_BASE[root], beside)
    *parents, last = path.split(".")
    place = resource
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    if path.startswith("spec.chartRef"):
        resource["spec"].pop("chart")
    if path == "spec.destination.name":
        place.pop("server")
    if path.startswith("spec.source.directory"):
        resource["spec"]["source"].pop("kustomize", None)
    kind = ref_of(resource).group_kind
    dialect = dialect_for(kind, _DIALECTS)
    assert dialect is not None, kind
    try:
        (dialect.read_source if is_source(dialect, kind) else dialect.read_app)(resource)
    except NotBuiltYet:
        return "not yet"
    return "built"


def _merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    result = {key: _merged(value, {}) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in more.items():
        result[key] = _merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result


def _plain(node: Any) -> Any:
    """Without annotations and without `| None`."""
    if isinstance(node, msgspec.inspect.Metadata):
        return _plain(node.type)
    if isinstance(node, msgspec.inspect.UnionType):
        return _plain(next(item for item in node.types if not isinstance(item, msgspec.inspect.NoneType)))
    return node


def _struct_of(node: Any) -> type[Struct] | None:
    node = _plain(node)
    if isinstance(node, msgspec.inspect.VarTupleType):
        return _struct_of(node.item_type)
    return node.cls if isinstance(node, msgspec.inspect.StructType) else None


def _values(node: Any) -> list[Any]:
    node = _plain(node)
    return list(node.values) if isinstance(node, msgspec.inspect.LiteralType) else []


def _required(struct: type[Struct], path: str) -> dict[str, Any]:
    return {
        field.encode_name: _sample(msgspec.inspect.type_info(field.type), f"{path}.{field.encode_name}")
        for field in msgspec.structs.fields(struct)
        if field.required
    }


def _sample(node: Any, path: str) -> Any:
    """A value of the type that says something, so that a field that is read has a meaning."""
    if path in _SAMPLES:
        return _SAMPLES[path]
    node = _plain(node)
    match node:
        case msgspec.inspect.StrType():
            return "10m" if node.pattern and "ms|s|m" in node.pattern else "sample"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 2
        case msgspec.inspect.LiteralType():
            return node.values[0]
        case msgspec.inspect.VarTupleType():
            return [_sample(node.item_type, path)]
        case msgspec.inspect.DictType():
            return {"sample": _sample(node.value_type, path)}
        case msgspec.inspect.AnyType():
            return {"sample": "sample"}
        case msgspec.inspect.StructType():
            fields = msgspec.structs.fields(node.cls)
            wanted = [field for field in fields if field.required] or [fields[0]]
            return {
                field.encode_name: _sample(msgspec.inspect.type_info(field.type), f"{path}.{field.encode_name}")
                for field in wanted
            }
    raise TypeError(f"{path}: no sample value is known for {node}; add one to _SAMPLES")
