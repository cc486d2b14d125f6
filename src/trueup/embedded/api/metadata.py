"""Object metadata: what the server fills in, what may change, and what is wrong with what was sent.

Follows apimachinery's `api/validation/objectmeta.go` and apiserver's `registry/rest/{create,update}.go`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.refusals import (
    FieldProblem,
    forbidden_field,
    invalid_value,
    required,
    too_long,
)
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

ANNOTATIONS_LIMIT = 256 * 1024
_SUFFIX_SIGNS = "bcdfghjklmnpqrstvwxz2456789"
_SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)

_NAME_RULES: dict[Resource, Callable[[str], list[str]]] = {
    Resource("", "namespaces"): names.label_problems,
    Resource("", "services"): names.label_problems,
    **{
        Resource("rbac.authorization.k8s.io", plural): names.path_segment_problems
        for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    },
    Resource("certificates.k8s.io", "certificatesigningrequests"): names.path_segment_problems,
    Resource("apiregistration.k8s.io", "apiservices"): lambda _: [],  # its own rules know what it must be
    Resource("certificates.k8s.io", "clustertrustbundles"): lambda _: [],
    Resource("networking.k8s.io", "ipaddresses"): lambda _: [],
}


def timestamp(now: datetime) -> str:
    """`2026-01-02T03:04:05Z`: the API's times have whole seconds."""
    return now.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def fill_for_create(kind: Kind, manifest: Manifest, now: datetime) -> None:
    """Makes a decoded object a new one: uid and time, nothing left of what only the server may set; a kind without
    generations keeps what it was given for one."""
    metadata = manifest["metadata"]
    for field in (*_SERVER_FIELDS, "resourceVersion"):
        if field != "generation":
            metadata.pop(field, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp(now)
    if not kind.namespaced:
        metadata.pop("namespace", None)


def generate_name(manifest: Manifest) -> None:
    """The name of an object that only says how its name begins. Admission, which comes before, sees it without."""
    metadata = manifest["metadata"]
    if not metadata.get("name") and (prefix := metadata.get("generateName")):
        suffix = "".join(secrets.choice(_SUFFIX_SIGNS) for _ in range(5))
        metadata["name"] = f"{prefix[:58]}{suffix}"


def drop_twin_owners(manifest: Manifest) -> str:
    """Owners that stand twice are kept once; answers the warning about them, or nothing."""
    owners = manifest["metadata"].get("ownerReferences")
    if not isinstance(owners, list) or len(owners) < 2:
        return ""
    kept: list[Any] = []
    twins: dict[str, None] = {}
    for owner in owners:
        if owner in kept:
            twins[str(owner.get("uid"))] = None
        else:
            kept.append(owner)
    if not twins:
        return ""
    manifest["metadata"]["ownerReferences"] = kept
    return (
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may "
        f"reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {', '.join(twins)}"
    )


def keep_for_update(manifest: Manifest, old: Manifest) -> None:
    """What only the server sets stays as it was, whatever was sent."""
    keep_for_update_except_version(manifest, old, (*_SERVER_FIELDS, "resourceVersion"))


_KEPT_BUT_LOCKS = tuple(field for field in _SERVER_FIELDS if field != "uid")


def keep_for_update_except_version(
    manifest: Manifest, old: Manifest, fields: tuple[str, ...] = _KEPT_BUT_LOCKS
) -> None:
    """As `keep_for_update`, but what locks the update (resourceVersion, uid) stays for the check to come."""
    metadata, before = manifest["metadata"], old["metadata"]
    for field in fields:
        if field in before:
            metadata[field] = before[field]
        else:
            metadata.pop(field, None)


def problems_of(kind: Kind, manifest: Manifest) -> list[FieldProblem]:
    """What is wrong with the metadata of a new object."""
    metadata = manifest["metadata"]
    problems: list[FieldProblem] = []
    name = metadata.get("name") or ""
    rule = _NAME_RULES.get(kind.storage, names.subdomain_problems)
    if generate_name := metadata.get("generateName"):
        # What is generated ends in letters: a trailing dash of the prefix is fine.
        masked = generate_name[:-1] + "a" if generate_name.endswith("-") else generate_name
        problems += [invalid_value("metadata.generateName", generate_name, said) for said in rule(masked)]
    if not name:
        problems.append(required("metadata.name", "name or generateName is required"))
    else:
        problems += [invalid_value("metadata.name", name, said) for said in rule(name)]
    if kind.namespaced:
        namespace = metadata.get("namespace") or ""
        if not namespace:
            problems.append(required("metadata.namespace"))
        problems += [invalid_value("metadata.namespace", namespace, said) for said in names.label_problems(namespace)]
    return problems + common_problems(metadata)


def update_problems_of(manifest: Manifest, old: Manifest) -> list[FieldProblem]:
    """What is wrong with the metadata of a changed object."""
    metadata, before = manifest["metadata"], old["metadata"]
    problems = common_problems(metadata)
    if before.get("deletionTimestamp"):
        added = [each for each in metadata.get("finalizers") or () if each not in (before.get("finalizers") or ())]
        if added:
            listed = ", ".join(f'"{each}"' for each in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            problems.append(forbidden_field("metadata.finalizers", detail))
    return problems


def common_problems(metadata: dict[str, Any]) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for key, value in (metadata.get("labels") or {}).items():
        problems += [invalid_value("metadata.labels", key, said) for said in names.label_key_problems(key)]
        problems += [invalid_value("metadata.labels", value, said) for said in names.label_value_problems(value)]
    size = 0
    for key, value in (metadata.get("annotations") or {}).items():
        problems += [invalid_value("metadata.annotations", key, said) for said in names.label_key_problems(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_LIMIT:
        problems.append(too_long("metadata.annotations", ANNOTATIONS_LIMIT))
    problems += _owner_problems(metadata.get("ownerReferences") or ())
    for finalizer in metadata.get("finalizers") or ():
        problems += [
            invalid_value("metadata.finalizers", finalizer, said) for said in names.label_key_problems(finalizer)
        ]
    finalizers = metadata.get("finalizers") or ()
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(invalid_value("metadata.finalizers", list(finalizers), detail))
    return problems


def _owner_problems(owners: Any) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    controller = ""
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                problems.append(required(f"{path}.{field}", "must not be empty"))
        if owner.get("controller"):
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {owner.get('kind')}/{owner.get('name')}"
                )
                problems.append(invalid_value("metadata.ownerReferences", owners, detail))
            controller = f"{owner.get('kind')}/{owner.get('name')}"
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            problems.append(invalid_value(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
    return problems
