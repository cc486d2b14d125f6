"""A Kubernetes object as a plain mapping, and the few accessors that keep callers from digging in it.

Objects stay plain so that no unknown field is ever lost; nobody outside this module writes `obj["metadata"].get(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from trueup.model.refs import ObjectRef, split_api_version

Manifest: TypeAlias = dict[str, Any]
"""A decoded object. Treat as immutable unless you made it yourself (`copy.deepcopy`, or rebuild the path you change)."""


class Origin(Struct, frozen=True, gc=False):
    """Where a declaration stands: path inside the snapshot and the 1-based line where its document begins (0: unknown).
    The column is known of errors alone, and of few."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.path
        return f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"


class Declared(Struct, frozen=True):
    """One object that a render produced, and the place in Git that declared it, where that is known."""

    manifest: Manifest
    origin: Origin | None = None

    @property
    def ref(self) -> ObjectRef:
        return ref_of(self.manifest)


def api_version_of(obj: Mapping[str, Any]) -> str:
    value = obj.get("apiVersion")
    return value if isinstance(value, str) else ""


def kind_of(obj: Mapping[str, Any]) -> str:
    value = obj.get("kind")
    return value if isinstance(value, str) else ""


def metadata_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    value = obj.get("metadata")
    return value if isinstance(value, dict) else {}


def name_of(obj: Mapping[str, Any]) -> str:
    return str(metadata_of(obj).get("name") or "")


def namespace_of(obj: Mapping[str, Any]) -> str:
    return str(metadata_of(obj).get("namespace") or "")


def uid_of(obj: Mapping[str, Any]) -> str:
    return str(metadata_of(obj).get("uid") or "")


def resource_version_of(obj: Mapping[str, Any]) -> str:
    return str(metadata_of(obj).get("resourceVersion") or "")


def generation_of(obj: Mapping[str, Any]) -> int:
    value = metadata_of(obj).get("generation")
    return value if isinstance(value, int) else 0


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    value = metadata_of(obj).get("labels")
    return value if isinstance(value, dict) else {}


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    value = metadata_of(obj).get("annotations")
    return value if isinstance(value, dict) else {}


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """True once the API server has accepted a delete and only finalizers or grace keep the object."""
    return bool(metadata_of(obj).get("deletionTimestamp"))


def spec_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    value = obj.get("spec")
    return value if isinstance(value, dict) else {}


def status_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    value = obj.get("status")
    return value if isinstance(value, dict) else {}


def ref_of(obj: Mapping[str, Any]) -> ObjectRef:
    """The identity written in the object itself; parts that are missing come out empty."""
    group, _ = split_api_version(api_version_of(obj))
    return ObjectRef(group, kind_of(obj), namespace_of(obj), name_of(obj))
