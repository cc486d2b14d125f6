"""One resource's objects as controllers need them: who changed, and who belongs to whom.

Objects themselves are not kept here, the client answers them from memory. What is kept is an index by owner, and the place
in the resource's history; `catch_up` reads on to the newest event, so an answer is never older than what was just written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from trueup.embedded.api.client import Client
from trueup.embedded.storage.history import Event, EventType, HistoryLost
from trueup.embedded.storage.keys import Key, Resource
from trueup.model.manifest import Manifest, metadata_of, name_of, namespace_of, uid_of


class Happened(Struct, frozen=True):
    """One change. `new` is None for a deletion, `old` for a creation; after a gap in the history `old` may be missing."""

    resource: Resource
    key: Key
    new: Manifest | None
    old: Manifest | None

    @property
    def newest(self) -> Manifest:
        found = self.new if self.new is not None else self.old
        assert found is not None
        return found


Handler: TypeAlias = Callable[[Happened], None]


class _Known(Struct, frozen=True):
    uid: str
    owners: tuple[str, ...]


class Informer:
    """Follows one resource: `index` first, then `announce` and `run`. Handlers are called in the order of events and must
    not block."""

    def __init__(self, client: Client, resource: Resource) -> None:
        self._client = client
        self.resource = resource
        self._handlers: list[Handler] = []
        self._known: dict[Key, _Known] = {}
        self._by_owner: dict[str, dict[Key, None]] = {}
        self._by_uid: dict[str, Key] = {}
        self._watch = client.watch(resource)
        self._started = False
        self._taking = False
        self._caught_up_to = 0

    def subscribe(self, handler: Handler) -> None:
        """Hears everything that happens from now on, and what `announce` tells."""
        self._handlers.append(handler)

    def index(self) -> None:
        """Learns who is there, so that owners can be asked for. Once, before anything else."""
        if not self._started:
            self._started = True
            self._watch = self._client.watch(self.resource)
            for manifest in self._client.list(self.resource):
                self._remember(Key(namespace_of(manifest), name_of(manifest)), manifest)

    def announce(self) -> None:
        """Tells every handler of every object there is."""
        for handler in self._handlers:
            self.replay(handler)

    def replay(self, handler: Handler) -> None:
        """Tells one handler of every object there is."""
        for key in list(self._known):
            if (manifest := self._client.get(self.resource, *key)) is not None:
                handler(Happened(self.resource, key, manifest, None))

    async def run(self) -> None:
        """Follows until cancelled."""
        while True:
            watch = self._watch
            try:
                events = await watch.next()
            except HistoryLost:
                self._list()
                continue
            if watch is self._watch:  # else the list that replaced it knows more
                self._take_all(events)

    def catch_up(self) -> None:
        """Takes in every event that is committed. Inside a handler this does nothing: events keep their order."""
        version = self._client.resource_version
        if self._taking or not self._started or version == self._caught_up_to:
            return
        self._caught_up_to = version
        try:
            self._take_all(self._watch.ready())
        except HistoryLost:
            self._list()

    def owned_by(self, uid: str) -> Iterator[Manifest]:
        """The objects that name this uid as an owner, in no particular order."""
        self.catch_up()
        for key in list(self._by_owner.get(uid, ())):
            if (found := self._client.get(self.resource, *key)) is not None:
                yield found

    def without_controller(self, namespace: str) -> Iterator[Manifest]:
        """The objects of a namespace that have no controller."""
        return self.owned_by(f"/{namespace}")

    def key_of(self, uid: str) -> Key | None:
        """Where the object with this uid is."""
        self.catch_up()
        return self._by_uid.get(uid)

    def _list(self) -> None:
        """Everything as it is now; whatever was known and is gone was deleted meanwhile."""
        self._watch = self._client.watch(self.resource)
        present = {Key(namespace_of(each), name_of(each)): each for each in self._client.list(self.resource)}
        for key in [key for key in self._known if key not in present]:
            known = self._known[key]
            ghost = {"metadata": {"namespace": key.namespace, "name": key.name, "uid": known.uid}}
            self._take(Happened(self.resource, key, None, ghost))
        for key, manifest in present.items():
            self._take(Happened(self.resource, key, manifest, None))

    def _take_all(self, events: list[Event]) -> None:
        for event in events:
            self._take(_happened(self.resource, event))

    def _take(self, happened: Happened) -> None:
        self._forget(happened.key)
        if happened.new is not None:
            self._remember(happened.key, happened.new)
        self._taking = True
        try:
            for handler in self._handlers:
                handler(happened)
        finally:
            self._taking = False

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is None:
            return
        if self._by_uid.get(known.uid) == key:
            del self._by_uid[known.uid]
        for owner in known.owners:
            owned = self._by_owner.get(owner)
            if owned is not None:
                owned.pop(key, None)
                if not owned:
                    del self._by_owner[owner]

    def _remember(self, key: Key, manifest: Manifest) -> None:
        references = metadata_of(manifest).get("ownerReferences") or ()
        owners = [str(each.get("uid") or "") for each in references]
        if not any(each.get("controller") for each in references):
            owners.append(f"/{key.namespace}")
        known = self._known[key] = _Known(uid_of(manifest), tuple(owners))
        self._by_uid[known.uid] = key
        for owner in known.owners:
            self._by_owner.setdefault(owner, {})[key] = None


def _happened(resource: Resource, event: Event) -> Happened:
    record = event.record
    if event.type is EventType.DELETED:
        return Happened(resource, record.key, None, record.manifest)
    return Happened(resource, record.key, record.manifest, event.previous.manifest if event.previous else None)
