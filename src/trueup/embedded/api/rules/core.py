"""The core group beyond pods and services: namespaces, configuration, accounts, volumes, nodes, events."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.quantities import parse
from trueup.embedded.api.refusals import FieldProblem, forbidden_field, invalid_value, required, too_long
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, items, set_default
from trueup.embedded.api.rules.volumes import volume_problems, volume_update_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

NAME_LABEL = "kubernetes.io/metadata.name"
MAX_DATA = 1024 * 1024
_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _default_namespace(manifest: Manifest) -> None:
    meta = child(manifest, "metadata")
    if name := meta.get("name"):
        child(meta, "labels").setdefault(NAME_LABEL, name)
    default_text(child(manifest, "status"), phase="Active")
    child(manifest, "spec")


def _prepare_namespace(manifest: Manifest) -> None:
    manifest["status"] = {"phase": "Active"}
    spec = child(manifest, "spec")
    finalizers = list(spec.get("finalizers") or ())
    spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]
    child(manifest["metadata"], "labels")[NAME_LABEL] = manifest["metadata"]["name"]


def _prepare_namespace_update(new: Manifest, old: Manifest) -> None:
    new["spec"] = old.get("spec") or {}  # changed by `finalize` alone


def _data_size(manifest: Manifest, *fields: str) -> int:
    size = 0
    for field in fields:
        for value in (manifest.get(field) or {}).values():
            size += len(value.encode()) if field == "data" and manifest["kind"] == "ConfigMap" else _decoded_size(value)
    return size


def _decoded_size(value: str) -> int:
    return len(value) * 3 // 4


def _key_problems(manifest: Manifest, *fields: str) -> list[FieldProblem]:
    problems = []
    seen: set[str] = set()
    for field in fields:
        for key in manifest.get(field) or {}:
            if (
                not key
                or len(key) > 253
                or not all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in key)
            ):
                said = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                )
                problems.append(invalid_value(f"{field}[{key}]", key, said))
            if key in seen:
                problems.append(invalid_value(field, key, "duplicate of key present in data"))
            seen.add(key)
    return problems


def _validate_config_map(manifest: Manifest) -> list[FieldProblem]:
    problems = _key_problems(manifest, "data", "binaryData")
    if _data_size(manifest, "data", "binaryData") > MAX_DATA:
        problems.append(too_long("", MAX_DATA))
    return problems


def _frozen(*fields: str) -> Any:
    """An object marked immutable keeps its data, and the mark."""

    def check(new: Manifest, old: Manifest) -> list[FieldProblem]:
        if old.get("immutable") is not True:
            return []
        problems = []
        if new.get("immutable") is not True:
            problems.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
        for field in fields:
            if (new.get(field) or {}) != (old.get(field) or {}):
                problems.append(forbidden_field(field, "field is immutable when `immutable` is set"))
        return problems

    return check


def _default_secret(manifest: Manifest) -> None:
    default_text(manifest, type="Opaque")
    plain = manifest.pop("stringData", None)
    if isinstance(plain, dict):
        data = child(manifest, "data")
        for key, value in plain.items():
            data[key] = base64.b64encode(str(value).encode()).decode()


def _validate_secret(manifest: Manifest) -> list[FieldProblem]:
    problems = _key_problems(manifest, "data")
    data = manifest.get("data") or {}
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            problems.append(invalid_value(f"data[{key}]", "<hidden>", "illegal base64 data"))
    for key in _SECRET_KEYS.get(manifest.get("type") or "", ()):
        if key not in data:
            problems.append(required(f"data[{key}]"))
    if _data_size(manifest, "data") > MAX_DATA:
        problems.append(too_long("data", MAX_DATA))
    return problems


def _secret_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    problems = immutable("type", new.get("type"), old.get("type"))
    return problems + list(_frozen("data")(new, old))


def _default_claim(manifest: Manifest) -> None:
    default_text(child(manifest, "spec"), volumeMode="Filesystem")
    default_text(child(manifest, "status"), phase="Pending")


def _prepare_claim(manifest: Manifest) -> None:
    manifest["status"] = {"phase": "Pending"}


def _validate_claim(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = []
    if not spec.get("accessModes"):
        problems.append(required("spec.accessModes", "at least 1 access mode is required"))
    if (asked := at(spec, "resources", "requests", "storage")) is None:
        problems.append(required("spec.resources[storage]"))
    elif (number := parse(asked)) is not None and number <= 0:
        problems.append(invalid_value("spec.resources[storage]", asked, "must be greater than zero"))
    return problems


def _claim_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    """Only the size may grow, and a volume be bound."""
    fresh, before = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    larger, smaller = (parse(at(each, "resources", "requests", "storage") or "0") for each in (fresh, before))
    for spec in (fresh, before):
        spec.pop("resources", None)
        spec.pop("volumeAttributesClassName", None)
    if not before.get("volumeName"):
        before.pop("volumeName", None)
        fresh.pop("volumeName", None)
    if not before.get("storageClassName"):
        before.pop("storageClassName", None)
        fresh.pop("storageClassName", None)
    if fresh != before:
        said = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        return [forbidden_field("spec", said)]
    if larger is not None and smaller is not None and larger < smaller:
        return [forbidden_field("spec.resources.requests.storage", "field can not be less than status.capacity")]
    return []


def _default_volume(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    default_text(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    if isinstance(path := spec.get("hostPath"), dict):
        set_default(path, type="")
    default_text(child(manifest, "status"), phase="Pending")


def _prepare_volume(manifest: Manifest) -> None:
    manifest["status"] = {"phase": "Pending"}


def _default_limits(manifest: Manifest) -> None:
    for limit in items(manifest, "spec", "limits"):
        if limit.get("type") != "Container":
            continue
        for source, target in (("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")):
            for name, value in (limit.get(source) or {}).items():
                child(limit, target).setdefault(name, value)


_NODE_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)


def _default_node(manifest: Manifest) -> None:
    """Fields that Go writes even when they say nothing."""
    status = child(manifest, "status")
    child(child(status, "daemonEndpoints"), "kubeletEndpoint").setdefault("Port", 0)
    set_default(child(status, "nodeInfo"), **dict.fromkeys(_NODE_INFO, ""))


def _complete_event(manifest: Manifest) -> None:
    """Fields that Go writes even when they say nothing."""
    for field in ("eventTime", "firstTimestamp", "lastTimestamp"):
        manifest.setdefault(field, None)
    set_default(manifest, reportingComponent="", reportingInstance="")


def _core(name: str) -> Resource:
    return Resource("", name)


def _validate_namespace(manifest: Manifest) -> list[FieldProblem]:
    problems = []
    for index, name in enumerate(at(manifest, "spec", "finalizers") or ()):
        path = f"spec.finalizers[{index}]"
        problems += [invalid_value(path, name, said) for said in names.label_key_problems(name)]
        if "/" not in name and name != "kubernetes":
            said = "name is neither a standard finalizer name nor is it fully qualified"
            problems.append(invalid_value(path, name, said))
    return problems


RULES: dict[Resource, Rules] = {
    _core("namespaces"): Rules(
        default=_default_namespace,
        prepare_create=_prepare_namespace,
        prepare_update=_prepare_namespace_update,
        validate=_validate_namespace,
    ),
    _core("configmaps"): Rules(validate=_validate_config_map, validate_update=_frozen("data", "binaryData")),
    _core("secrets"): Rules(default=_default_secret, validate=_validate_secret, validate_update=_secret_update),
    _core("serviceaccounts"): Rules(returns_deleted=True),
    _core("persistentvolumeclaims"): Rules(
        default=_default_claim,
        prepare_create=_prepare_claim,
        validate=_validate_claim,
        validate_update=_claim_update,
        returns_deleted=True,
    ),
    _core("persistentvolumes"): Rules(
        default=_default_volume,
        prepare_create=_prepare_volume,
        validate=volume_problems,
        validate_update=volume_update_problems,
        returns_deleted=True,
    ),
    _core("resourcequotas"): Rules(returns_deleted=True),
    _core("limitranges"): Rules(default=_default_limits, creates_on_update=True),
    _core("nodes"): Rules(default=_default_node, resets_status=False),
    _core("events"): Rules(prepare_create=_complete_event, creates_on_update=True),
}
