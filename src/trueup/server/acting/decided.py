"""What of an App's resource is a person's to decide: the spec, labels, annotations, and of an Application its finalizers.

Everything else is the API server's or the controllers': a status that a client could write would say what is pruned next. Pure.
"""

from __future__ import annotations

from typing import Any

from trueup.apps.identity import APPLICATION
from trueup.model.manifest import Manifest, kind_of, name_of, namespace_of


def keys_of(obj: Manifest) -> tuple[str, ...]:
    """Of the metadata. Flux's finalizers are the controller's; an Application's say whether its objects go with it."""
    own = ("labels", "annotations")
    return (*own, "finalizers") if kind_of(obj) == APPLICATION else own


def decided(obj: Manifest) -> dict[str, Any]:
    """Absent and empty alike."""
    metadata = obj.get("metadata") or {}
    return {"spec": obj.get("spec") or {}} | {key: metadata.get(key) or None for key in keys_of(obj)}


def says_the_same(live: Manifest, wanted: Manifest) -> bool:
    """What a client leaves out of the metadata it has nothing against."""
    now, then = decided(live), decided(wanted)
    return now["spec"] == then["spec"] and all(then[key] in (None, now[key]) for key in keys_of(live))


def fresh(wanted: Manifest) -> Manifest:
    """A new resource of what a client sent."""
    given = wanted["metadata"]
    metadata = {key: given[key] for key in ("name", "namespace", *keys_of(wanted)) if given.get(key)}
    named = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata}
    return {**named, "spec": wanted.get("spec") or {}}


def with_decided(live: Manifest, wanted: Manifest) -> Manifest:
    """The newest resource with what a client decides. What is left out of the metadata stays; what is given replaces what is there."""
    metadata = dict(live["metadata"])
    given = wanted.get("metadata") or {}
    for key in keys_of(live):
        if key in given:
            metadata[key] = given[key]
    assert (name_of(live), namespace_of(live)) == (given.get("name"), given.get("namespace"))
    return {**live, "metadata": metadata, "spec": wanted.get("spec", {})}
