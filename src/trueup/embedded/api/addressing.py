"""Whether a body means what its request's URL names: the kind, the namespace, the name, and the version of it."""

from __future__ import annotations

from trueup.embedded.api import refusals
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.storage.record import Record
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, split_api_version


def check_kind(registry: Registry, kind: Kind, manifest: Manifest) -> None:
    """Checks that the body is of the kind that the URL names, and fills in what it leaves out."""
    said = (manifest.setdefault("apiVersion", kind.api_version), manifest.setdefault("kind", kind.name))
    if said != (kind.api_version, kind.name):
        raise _wrong_kind(registry, kind, manifest)


def address(registry: Registry, kind: Kind, namespace: str, name: str, manifest: Manifest) -> None:
    """Checks that the body is of the kind and place that the URL names, and fills in what it leaves out."""
    check_kind(registry, kind, manifest)
    meta = manifest.get("metadata")
    if meta is None:
        meta = manifest["metadata"] = {}
    if not isinstance(meta, dict):
        raise refusals.bad_request(f"{kind.name} has a metadata that is no object")
    if kind.namespaced:
        if (given := meta.get("namespace")) and given != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta["namespace"] = namespace
    if name and meta.setdefault("name", name) != name:
        raise refusals.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )


def match_versions(kind: Kind, record: Record, wanted: Manifest, *, locks_uid: bool) -> None:
    """Optimistic locking: a resourceVersion or uid that was sent must be the live one."""
    meta = wanted["metadata"]
    other_uid = (uid := meta.get("uid")) and uid != record.uid
    if other_uid and locks_uid:
        path = "/".join(filter(None, (kind.group if kind.is_custom else "", kind.plural, *record.key)))
        detail = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{path}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {record.uid}"
        )
        raise refusals.conflict(kind.resource, record.key.name, detail)
    if (version := meta.get("resourceVersion")) and str(version) not in ("0", str(record.resource_version)):
        raise refusals.conflict(kind.resource, record.key.name, refusals.MODIFIED)
    if other_uid:
        problem = refusals.invalid_value("metadata.uid", uid, "field is immutable")
        # Custom resources are looked at twice: as an object of any kind, and as one of theirs.
        raise refusals.invalid(kind.group_kind, record.key.name, [problem, problem] if kind.is_custom else [problem])


def _wrong_kind(registry: Registry, kind: Kind, manifest: Manifest) -> Exception:
    api_version, name = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    known = registry.by_kind(*split_api_version(api_version), name)
    if kind.is_custom and api_version == kind.api_version:
        problem = refusals.invalid_value("kind", name, f"must be {kind.name}")
        named = str((manifest.get("metadata") or {}).get("name") or "")
        return refusals.invalid(GroupKind(kind.group, name), named, [problem])
    if kind.is_custom:
        return refusals.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    return refusals.wrong_kind(
        kind.group_kind, api_version, name, is_known=known is not None or (api_version, name) == ("v1", "Status")
    )
