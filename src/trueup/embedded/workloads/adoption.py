"""Who controls what by selector: objects that match and have no controller are adopted, controlled ones that match no
longer are let go. Pure, but for `adopters`, which reads the view."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.controller import KeysOf
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.objects import controller_of, controller_reference, is_controlled_by, selects
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import Write, patch_of
from trueup.model.manifest import Manifest, is_deleting, labels_of, metadata_of, name_of, spec_of, uid_of


def is_claimed(owner: Manifest, obj: Manifest) -> bool:
    """Controlled by `owner` and matched by its selector."""
    return is_controlled_by(obj, owner) and selects(spec_of(owner).get("selector"), labels_of(obj))


def adopted(resource: Resource, owner: Manifest, free: Iterable[Manifest]) -> tuple[Write, ...]:
    """Takes over what matches and has no controller."""
    if is_deleting(owner):
        return ()
    selector = spec_of(owner).get("selector")
    return tuple(
        patch_of(resource, each, {"metadata": {"ownerReferences": [*_references(each), controller_reference(owner)]}})
        for each in free
        if not is_deleting(each) and selects(selector, labels_of(each))
    )


def released(resource: Resource, owner: Manifest, owned: Iterable[Manifest]) -> tuple[Write, ...]:
    """Lets go of what no longer matches, so that somebody who relabels a pod can look at it in peace."""
    selector = spec_of(owner).get("selector")
    return tuple(
        patch_of(
            resource,
            each,
            {"metadata": {"ownerReferences": [r for r in _references(each) if r.get("uid") != uid_of(owner)] or None}},
        )
        for each in owned
        if is_controlled_by(each, owner) and not is_deleting(each) and not selects(selector, labels_of(each))
    )


def adopters(resource: Resource) -> KeysOf:
    """The owners of `resource` that could adopt what changed."""

    def keys_of(view: View, happened: Happened) -> Iterable[Key]:
        manifest = happened.new
        if manifest is None or controller_of(manifest) is not None or is_deleting(manifest):
            return ()
        labels = labels_of(manifest)
        return [
            Key(happened.key.namespace, name_of(owner))
            for owner in view.list(resource, happened.key.namespace)
            if selects(spec_of(owner).get("selector"), labels)
        ]

    return keys_of


def _references(obj: Manifest) -> list[dict[str, object]]:
    return list(metadata_of(obj).get("ownerReferences") or ())
