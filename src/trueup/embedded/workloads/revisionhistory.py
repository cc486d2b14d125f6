"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, as objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.kinds import CONTROLLER_REVISIONS
from trueup.embedded.workloads.objects import controller_reference, count_of, dig, mapping_of
from trueup.embedded.workloads.templates import template_hash
from trueup.embedded.workloads.writes import Create, Patch, Write, clone, delete_of
from trueup.model.manifest import Manifest, annotations_of, is_deleting, name_of, namespace_of, spec_of


class History(Struct, frozen=True):
    """The owner's revisions, oldest first, and the one of its template (`current` is None until it is stored)."""

    revisions: tuple[Manifest, ...]
    current: Manifest | None
    wanted: Manifest

    @property
    def name(self) -> str:
        """The name of the revision of the owner's template."""
        return name_of(self.current if self.current is not None else self.wanted)

    def template_of(self, name: str) -> Any:
        """The template that a revision holds; None when there is no such revision."""
        found = next((each for each in self.revisions if name_of(each) == name), None)
        template = dig(found, "data", "spec", "template")
        if not isinstance(template, dict):
            return None
        return {key: value for key, value in template.items() if key != "$patch"}


def history_of(owner: Manifest, revisions: Iterable[Manifest], hash_label: str) -> History:
    """Sorts an owner's revisions and finds that of its template."""
    ordered = tuple(sorted((each for each in revisions if not is_deleting(each)), key=_number))
    wanted = _new_revision(owner, ordered, hash_label)
    same = [each for each in ordered if each.get("data") == wanted["data"]]
    return History(ordered, same[-1] if same else None, wanted)


def record(history: History) -> tuple[Write, ...]:
    """Stores the template's revision, or makes an old one the newest again after a rollback."""
    if history.current is None:
        return (Create(CONTROLLER_REVISIONS, history.wanted),)
    newest = max(_number(each) for each in history.revisions)
    if _number(history.current) == newest:
        return ()
    name, namespace = name_of(history.current), namespace_of(history.current)
    return (Patch(CONTROLLER_REVISIONS, namespace, name, {"revision": newest + 1}),)


def trim(owner: Manifest, history: History, in_use: Iterable[str]) -> tuple[Write, ...]:
    """Revisions beyond the limit go, oldest first, unless something still has their template."""
    used = {*in_use, history.name}
    unused: Sequence[Manifest] = [each for each in history.revisions if name_of(each) not in used]
    surplus = len(unused) - count_of(owner, "spec", "revisionHistoryLimit", default=10)
    return tuple(delete_of(CONTROLLER_REVISIONS, each) for each in unused[: max(surplus, 0)])


def _number(revision: Manifest) -> int:
    return count_of(revision, "revision")


def _new_revision(owner: Manifest, ordered: Sequence[Manifest], hash_label: str) -> Manifest:
    template = clone(spec_of(owner).get("template") or {})
    data = {"spec": {"template": {**template, "$patch": "replace"}}}
    marked = template_hash(template, count_of(owner, "status", "collisionCount"))
    labels = {**mapping_of(template, "metadata", "labels"), hash_label: marked}
    metadata: dict[str, Any] = {
        "name": f"{name_of(owner)}-{marked}",
        "namespace": namespace_of(owner),
        "labels": labels,
        "ownerReferences": [controller_reference(owner)],
    }
    kept = {
        key: value
        for key, value in annotations_of(owner).items()
        if key != "kubectl.kubernetes.io/last-applied-configuration"
    }
    if kept:
        metadata["annotations"] = kept
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data,
        "revision": max((_number(each) for each in ordered), default=0) + 1,
    }
