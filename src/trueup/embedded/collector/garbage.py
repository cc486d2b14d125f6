"""The garbage collector: hears of every object that is served and asks `ownership` what becomes of it.

One controller whose keys are uids, each with its resource: an event names the objects that it concerns, and the informers'
indexes know where they are and who belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from trueup.embedded.api.client import ServedResource
from trueup.embedded.collector.ownership import (
    Dependent,
    OwnerState,
    collect,
    finish_foreground,
    finish_orphan,
    orphans_dependents,
    references_of,
    waits_for_dependents,
)
from trueup.embedded.collector.served import Listener
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.controller import Controller
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import EVENTS
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work
from trueup.model.manifest import Manifest, is_deleting, metadata_of, namespace_of, uid_of

_REMEMBERED = 1000
_NEEDED = frozenset({"list", "watch", "delete"})


class GarbageCollector:
    """Keys are `Key("deployments.apps", uid)`. `followed` answers the resources that are listened to."""

    def __init__(self, followed: Callable[[], Collection[Resource]]) -> None:
        self._followed = followed
        self._gone: dict[str, None] = {}
        self.controller = Controller(name="garbage-collector", decide=self.decide, triggers=(), workers=32)

    def listener(self) -> Listener:
        return Listener(self.controller, self.concerned, _is_collected)

    def decide(self, view: View, key: Key) -> Work:
        found = _find(view, key)
        if found is None:
            return NOTHING
        resource, obj = found
        if orphans_dependents(obj):
            return finish_orphan(resource, obj, self._dependents_of(view, obj))
        if waits_for_dependents(obj):
            return finish_foreground(resource, obj, list(self._dependents_of(view, obj)))
        if is_deleting(obj) or not references_of(obj):
            return NOTHING
        return collect(self._dependent(view, resource, obj))

    def concerned(self, view: View, happened: Happened) -> Iterable[Key]:
        """Who has to be looked at after a change. Most changes concern nobody: owners and deletion are as before."""
        new, old = happened.new, happened.old
        if old is not None and new is not None and _is_same_life(new, old):
            return
        uid = uid_of(happened.newest)
        if new is None:
            for resource, dependent in self._owned(view, uid):
                self._remember_gone(uid)
                yield Key(str(resource), uid_of(dependent))
        elif references_of(new) or is_deleting(new):
            yield Key(str(happened.resource), uid)
        for manifest in (new, old):
            # An owner that waits for its dependents waits for this one too, whether it goes or changes hands.
            for reference in references_of(manifest) if manifest is not None else ():
                served = view.by_kind(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
                if served is not None:
                    yield Key(str(served.resource), str(reference.get("uid")))

    def _remember_gone(self, uid: str) -> None:
        """An owner that was seen to go is gone, even when its kind, say a custom one, is not served any more."""
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _owned(self, view: View, uid: str) -> Iterator[tuple[Resource, Manifest]]:
        for resource in list(self._followed()):
            for manifest in view.owned_by(resource, uid):
                yield resource, manifest

    def _dependents_of(self, view: View, owner: Manifest) -> Iterator[Dependent]:
        for resource, manifest in self._owned(view, uid_of(owner)):
            yield self._dependent(view, resource, manifest)

    def _dependent(self, view: View, resource: Resource, obj: Manifest) -> Dependent:
        states = tuple(self._state_of(view, obj, reference) for reference in references_of(obj))
        # Only who hangs on a waiting owner is asked for dependents of its own.
        has_dependents = OwnerState.WAITING in states and next(self._owned(view, uid_of(obj)), None) is not None
        return Dependent(resource, obj, states, has_dependents)

    def _state_of(self, view: View, obj: Manifest, reference: dict[str, object]) -> OwnerState:
        if reference.get("uid") in self._gone:
            return OwnerState.GONE
        served = view.by_kind(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
        if served is None:
            return OwnerState.UNKNOWN
        owner = _owner(view, served, namespace_of(obj), str(reference.get("name") or ""))
        if owner is _UNREACHABLE:
            return OwnerState.UNKNOWN
        if owner is None or uid_of(owner) != reference.get("uid"):
            return OwnerState.GONE
        return OwnerState.WAITING if waits_for_dependents(owner) else OwnerState.SOLID


def _find(view: View, key: Key) -> tuple[Resource, Manifest] | None:
    name, _, group = key.namespace.partition(".")
    resource = Resource(group, name)
    place = view.key_of(resource, key.name)
    obj = view.get(resource, *place) if place is not None else None
    return (resource, obj) if obj is not None and uid_of(obj) == key.name else None


_UNREACHABLE: Manifest = {}


def _owner(view: View, served: ServedResource, namespace: str, name: str) -> Manifest | None:
    """Owners are of the same namespace or of the cluster. A namespaced owner of a cluster's object can never be found."""
    if served.namespaced and not namespace:
        return _UNREACHABLE
    return view.get(served.resource, namespace if served.namespaced else "", name)


def _is_collected(served: ServedResource) -> bool:
    return served.verbs >= _NEEDED and served.resource != EVENTS


def _is_same_life(new: Manifest, old: Manifest) -> bool:
    fields = ("ownerReferences", "deletionTimestamp", "finalizers", "uid")
    before, after = metadata_of(old), metadata_of(new)
    return all(before.get(field) == after.get(field) for field in fields)
