"""From what a render gave to what is sent: cleaned, placed in a namespace, marked with its owner, without contradictions.

What Flux's `ssa/normalize` does, and for the same reasons: a server-side apply must not carry what the server owns
(status, timestamps, uids), nor leave out the keys by which the server tells list items apart. What is wrong with the set
as a whole is one error that names every file; nothing of it is applied.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from trueup.model.apierror import KindNotServed
from trueup.model.app import SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.fields import format_path
from trueup.model.manifest import (
    Declared,
    Manifest,
    Origin,
    api_version_of,
    kind_of,
    name_of,
    ref_of,
    spec_of,
)
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef, split_api_version
from trueup.sync import listkeys
from trueup.sync.applier import Applier, Scope
from trueup.sync.canonical import keyed_digest
from trueup.sync.desired import Desired
from trueup.sync.ignoring import rules_for, without_ignored
from trueup.sync.marks import with_marks
from trueup.sync.namespaces import managed_namespace
from trueup.sync.order import CRD

Kind: TypeAlias = tuple[str, str, str]
"""Group, version, kind."""

SERVER_OWNED = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
SHOWN_PROBLEMS = 20


class InvalidManifests(InvalidInput):
    """The set of manifests contradicts itself or cannot be placed; `problems` has each, with file and line."""

    reason = "BuildFailed"

    def __init__(self, problems: tuple[InvalidInput, ...]) -> None:
        shown = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            shown.append(f"and {len(problems) - SHOWN_PROBLEMS} more")
        super().__init__("\n".join(shown))
        self.problems = problems


class Normalised(Struct, frozen=True):
    objects: tuple[Desired, ...]
    notices: tuple[Notice, ...] = ()


def kind_of_manifest(manifest: Manifest) -> Kind:
    return (*split_api_version(api_version_of(manifest)), kind_of(manifest))


def declared_scopes(declared: Iterable[Declared]) -> dict[Kind, Scope]:
    """The scopes of kinds whose CRDs are in the set itself: the cluster may not know them yet."""
    scopes: dict[Kind, Scope] = {}
    for item in declared:
        if item.ref.group_kind != CRD:
            continue
        spec = spec_of(item.manifest)
        names = spec.get("names")
        kind = names.get("kind") if isinstance(names, dict) else None
        scope = Scope.CLUSTER if spec.get("scope") == "Cluster" else Scope.NAMESPACED
        for version in spec.get("versions") or []:
            if isinstance(version, dict) and isinstance(kind, str):
                scopes[(str(spec.get("group")), str(version.get("name")), kind)] = scope
    return scopes


async def resolve_scopes(declared: Iterable[Declared], applier: Applier) -> dict[Kind, Scope]:
    """The scope of every kind in the set; kinds that are neither declared nor served are missing."""
    items = list(declared)
    scopes = declared_scopes(items)
    for kind in sorted({kind_of_manifest(item.manifest) for item in items} - scopes.keys()):
        try:
            scopes[kind] = await applier.scope(*kind)
        except KindNotServed:
            continue
    return scopes


def normalise(
    declared: Iterable[Declared],
    scopes: Mapping[Kind, Scope],
    rules: SyncRules,
    *,
    secret_key: bytes,
    tainted: bool = False,
) -> Normalised:
    """The desired objects, in the order given, then the managed namespace. `tainted`: the render read secrets. Raises InvalidManifests.

    Objects of kinds that are not in `scopes` stay where they say they are; applying them will tell.
    """
    problems: list[InvalidInput] = []
    notices: list[Notice] = []
    found: dict[ObjectRef, Desired] = {}
    for item in declared:
        try:
            desired = _normalise_one(item, scopes, rules, secret_key, tainted)
        except InvalidManifests as error:
            problems.extend(error.problems)
            continue
        if (earlier := found.get(desired.ref)) is not None:
            message = f"{desired.ref} is declared twice: {_where(earlier.origin)} and {_where(desired.origin)}"
            if rules.duplicates_allowed:
                notices.append(Notice("RepeatedResource", f"{message}; the last one counts"))
            else:
                problems.append(InvalidInput(message, ref=desired.ref, hint="remove one of them, or rename it"))
        found[desired.ref] = desired
    if problems:
        raise InvalidManifests(tuple(problems))
    if (namespace := managed_namespace(rules, found, secret_key)) is not None:
        found[namespace.ref] = namespace
    return Normalised(tuple(found.values()), tuple(notices))


def _normalise_one(
    item: Declared, scopes: Mapping[Kind, Scope], rules: SyncRules, secret_key: bytes, tainted: bool
) -> Desired:
    problems = list(_shape_problems(item))
    if problems:
        raise InvalidManifests(tuple(problems))
    manifest = _cleaned(item.manifest)
    kind = kind_of_manifest(manifest)
    scope = scopes.get(kind)
    metadata = dict(manifest["metadata"])
    if scope is Scope.CLUSTER:
        metadata.pop("namespace", None)
    elif scope is Scope.NAMESPACED and not metadata.get("namespace"):
        if not rules.default_namespace:
            problem = InvalidInput(
                "names no namespace, and there is no default one",
                ref=item.ref,
                origin=item.origin,
                field="metadata.namespace",
                hint="set metadata.namespace, or the App's target namespace (Flux: spec.targetNamespace)",
            )
            raise InvalidManifests((problem,))
        metadata["namespace"] = rules.default_namespace
    manifest = manifest | {"metadata": metadata}
    ref = ref_of(manifest)
    manifest = with_marks(_by_kind(manifest), rules.owner, ref)
    doubles = tuple(
        InvalidInput(
            f"{double.count} items have the key {double.key}, which must be unique",
            ref=ref,
            origin=item.origin,
            field=format_path(double.path),
            hint="remove or rename one of them",
        )
        for double in listkeys.duplicates(manifest, api_version_of(manifest), kind_of(manifest))
    )
    if doubles:
        raise InvalidManifests(doubles)
    return Desired(
        ref=ref,
        version=kind[1],
        manifest=manifest,
        digest=keyed_digest(without_ignored(manifest, rules_for(rules.ignore, ref)), secret_key),
        origin=item.origin,
        tainted=tainted,
    )


def _shape_problems(item: Declared) -> Iterable[InvalidInput]:
    """What no API server could take, or what would mislead us about which object is meant."""
    manifest = item.manifest

    def problem(message: str, field: str, hint: str = "") -> InvalidInput:
        ref = item.ref if name_of(manifest) else None
        return InvalidInput(message, ref=ref, origin=item.origin, field=field, hint=hint)

    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            yield problem("is missing: every object needs it", field)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        yield problem("is missing, so the object has no name", "metadata")
        return
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        if metadata.get("generateName"):
            hint = "give it a name: a generated one would make a new object at every sync"
            yield problem("generateName cannot be applied", "metadata.generateName", hint)
        elif name:
            yield problem(f"must be text, found {_type(name)} {name!r}", "metadata.name", "quote it")
        else:
            yield problem("is missing", "metadata.name")
    namespace = metadata.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        yield problem(f"must be text, found {_type(namespace)}", "metadata.namespace", "quote it")
    for section in ("labels", "annotations"):
        yield from (problem(*found) for found in _not_text(metadata.get(section), f"metadata.{section}"))
    if _is_secret(manifest):
        yield from (problem(*found) for found in _not_text(manifest.get("stringData"), "stringData", show=False))


def _not_text(value: Any, field: str, *, show: bool = True) -> Iterable[tuple[str, str, str]]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield f"must be a mapping, found {_type(value)}", field, ""
        return
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            what = f" {text!r}" if show else ""
            yield f"must be text, found {_type(text)}{what}", f"{field}[{key}]", "quote the value"


def _type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def _cleaned(manifest: Manifest) -> Manifest:
    """Without what only the server may say. Kubernetes' own kinds also lose nulls, as their Go types would."""
    if listkeys.is_known(api_version_of(manifest), kind_of(manifest)):
        manifest = _without_nulls(manifest)
        manifest = listkeys.complete(manifest, api_version_of(manifest), kind_of(manifest))
    result = {name: value for name, value in manifest.items() if name != "status"}
    result["metadata"] = {
        name: value
        for name, value in manifest["metadata"].items()
        if name not in SERVER_OWNED and not (value is None and name in ("labels", "annotations"))
    }
    return result


def _without_nulls(value: Any) -> Any:
    """Shares what holds no null."""
    if isinstance(value, dict):
        items = {name: _without_nulls(item) for name, item in value.items() if item is not None}
        same = len(items) == len(value) and all(items[name] is value[name] for name in items)
        return value if same else items
    if isinstance(value, list):
        new = [_without_nulls(item) for item in value]
        return value if all(one is other for one, other in zip(new, value, strict=True)) else new
    return value


def _by_kind(manifest: Manifest) -> Manifest:
    ref = ref_of(manifest)
    if _is_secret(manifest):
        return _secret(manifest)
    if ref.group_kind == CRD:
        return _definition(manifest)
    if (ref.group, ref.kind) == ("rbac.authorization.k8s.io", "ClusterRole") and manifest.get("aggregationRule"):
        # A controller fills the rules in; declaring them (even empty) would be a fight without end.
        return {name: value for name, value in manifest.items() if name != "rules"}
    return manifest


def _is_secret(manifest: Manifest) -> bool:
    return (api_version_of(manifest), kind_of(manifest)) == ("v1", "Secret")


def _secret(manifest: Manifest) -> Manifest:
    """`stringData` is write-only, so the server would never show it as ours; `data` is what it becomes."""
    texts = manifest.get("stringData")
    result = {name: value for name, value in manifest.items() if name != "stringData"}
    if isinstance(texts, dict) and texts:
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        result["data"] = (result.get("data") or {}) | encoded
    return result


def _definition(manifest: Manifest) -> Manifest:
    """Generators leave placeholders in a CRD's webhook, which the server would refuse; another tool fills them in."""
    spec = spec_of(manifest)
    client = _dig(spec, "conversion", "webhook", "clientConfig")
    if client is None or "caBundle" not in client or _is_certificate(client["caBundle"]):
        return manifest
    kept = {name: value for name, value in client.items() if name != "caBundle"}
    webhook = spec["conversion"]["webhook"] | {"clientConfig": kept}
    return manifest | {"spec": dict(spec) | {"conversion": spec["conversion"] | {"webhook": webhook}}}


def _dig(value: Any, *path: str) -> dict[str, Any] | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _is_certificate(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    try:
        return b"-----BEGIN CERTIFICATE-----" in base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False


def _where(origin: Origin | None) -> str:
    return str(origin) if origin else "an unknown place"


__all__ = [
    "InvalidManifests",
    "Kind",
    "Normalised",
    "declared_scopes",
    "kind_of_manifest",
    "normalise",
    "resolve_scopes",
]
