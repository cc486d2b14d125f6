"""The objects that Apps care about: whose they are, what is kept of them, and what an event about one means.

Sits between the cluster's watches and the Apps: it decides what little to keep of each object (`reduce`), and turns the
difference between two sights of it into "it drifted" or "its health changed". Acting on that is `controllers.apps`' work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from trueup.controllers.foresight import Foresight
from trueup.model.app import SyncRules
from trueup.model.manifest import Manifest, api_version_of, ref_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.sync.autoscaling import ScaleTarget, scale_target
from trueup.sync.drift import has_drifted
from trueup.sync.facts import Absent, AppliedRecord, Lens, LiveFacts, as_of, reduce_live


class Present(Struct, frozen=True):
    """All that is kept of an object that no App claims: that it is there."""


PRESENT = Present()
_GONE: Manifest = {}
"""The newest sight of an object that was deleted while our own request for it was under way."""
Kept = LiveFacts | Present


class Claim(Struct, frozen=True):
    """An App's interest in an object, and how it looks at it."""

    app: ObjectRef
    lens: Lens


class Listener(Protocol):
    """Told on the event loop, and must not wait."""

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None: ...

    def health_changed(
        self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None
    ) -> None: ...

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        """It is gone from the cluster, by whoever's hand; drift, where it should be there."""
        ...


class View(Protocol):
    """The cluster's live view, as far as it is read here."""

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        """As seen in that version, where it is watched; else in any."""
        ...

    def knows(self, ref: ObjectRef) -> bool:
        """Whether all objects of that kind have been seen, so that one that is not there does not exist."""
        ...


class ManagedObjects:
    """Claims by object, records by claim. One claim counts: of two Apps that declare one object, the first to claim it."""

    def __init__(
        self,
        record_of: Callable[[ObjectRef, ObjectRef], AppliedRecord | None],
        listener: Listener,
        secret_key: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        self._record_of = record_of
        self._listener = listener
        self._secret_key = secret_key
        self._clock = clock
        self._claims: dict[ObjectRef, Claim] = {}
        self._others: dict[ObjectRef, list[Claim]] = {}
        self._of_app: dict[ObjectRef, frozenset[ObjectRef]] = {}
        self._lenses: dict[Lens, Lens] = {}
        self._watchers: dict[ObjectRef, dict[ObjectRef, Lens]] = {}
        """Apps that only want to know how an object fares (health checks), and how they look at it."""
        self._watched: dict[ObjectRef, frozenset[ObjectRef]] = {}
        self._applying: dict[ObjectRef, Manifest | None] = {}
        """Objects that a request of ours is under way for, and the newest sight of each meanwhile."""
        self._versions: dict[GroupKind, set[str]] = {}
        """Of kinds that are watched: in which versions. An object is judged in the version that it was applied in."""
        self._foresight = Foresight(clock, self._tell_health, as_of)
        self._scalers: dict[ObjectRef, ScaleTarget] = {}
        self.scaled: dict[ObjectRef, ScaleTarget] = {}
        """Whose replicas an autoscaler decides, by the target."""

    def claim(self, app: ObjectRef, refs: Iterable[ObjectRef], rules: SyncRules) -> None:
        """The App cares about exactly these objects from now on."""
        lens = Lens.of(rules, self._secret_key)
        lens = self._lenses.setdefault(lens, lens)
        wanted, before = frozenset(refs), self._of_app.get(app, frozenset())
        for ref in before - wanted:
            self._unclaim(app, ref)
        for ref in wanted:
            claim = Claim(app, lens)
            known = self._claims.get(ref)
            if known is None or known.app == app:
                self._claims[ref] = claim
            elif all(other.app != app for other in self._others.get(ref, ())):
                self._others.setdefault(ref, []).append(claim)
        self._of_app[app] = wanted

    def watch(self, app: ObjectRef, refs: Iterable[ObjectRef], rules: SyncRules) -> None:
        """The App wants to know how exactly these objects fare, whoever's they are."""
        lens = Lens.of(rules, self._secret_key)
        wanted = frozenset(refs)
        for ref in self._watched.pop(app, frozenset()) - wanted:
            watchers = self._watchers[ref]
            watchers.pop(app, None)
            if not watchers:
                del self._watchers[ref]
        for ref in wanted:
            self._watchers.setdefault(ref, {})[app] = lens
        if wanted:
            self._watched[app] = wanted

    def release(self, app: ObjectRef) -> None:
        for ref in self._watched.pop(app, frozenset()):
            self._watchers[ref].pop(app, None)
            if not self._watchers[ref]:
                del self._watchers[ref]
        for ref in self._of_app.pop(app, frozenset()):
            self._unclaim(app, ref)

    def claimed_by(self, ref: ObjectRef) -> ObjectRef | None:
        claim = self._claims.get(ref)
        return claim.app if claim else None

    def watched(self, group_kind: GroupKind, version: str) -> None:
        """The kind is seen in this version (too) from now on."""
        self._versions.setdefault(group_kind, set()).add(version)

    def unwatched(self, group_kind: GroupKind, version: str) -> None:
        self._versions.get(group_kind, set()).discard(version)

    def reduce(self, obj: Manifest) -> Kept:
        """What the live view keeps of an object. In a version that is not the one to judge it in: that it is there."""
        ref = ref_of(obj)
        if self._is_seen_better(ref, obj):
            return PRESENT
        claim = self._claims.get(ref)
        if claim is None:
            watchers = self._watchers.get(ref)
            if not watchers:
                return PRESENT
            return reduce_live(obj, None, next(iter(watchers.values())), self._clock())
        return reduce_live(obj, self._record_of(claim.app, ref), claim.lens, self._clock())

    def facts(self, refs: Iterable[ObjectRef], view: View) -> Mapping[ObjectRef, LiveFacts | Absent]:
        """What is known of these objects, as a plan wants it; what was never looked at closely is left out."""
        known: dict[ObjectRef, LiveFacts | Absent] = {}
        now = self._clock()
        for ref in refs:
            kept = view.get(ref, self._version_of(ref))
            if isinstance(kept, LiveFacts):
                known[ref] = as_of(kept, now)
            elif kept is None and view.knows(ref):
                known[ref] = Absent()
        return known

    @contextmanager
    def applying(self, refs: Collection[ObjectRef]) -> Iterator[None]:
        """While our own requests are under way an event cannot be judged: what it shows may be our own doing.

        Afterwards the newest sight of each object is judged by the new record.
        """
        for ref in refs:
            self._applying[ref] = None
        try:
            yield
        finally:
            sights = [(ref, self._applying.pop(ref, None)) for ref in refs]
            for ref, obj in sights:
                if obj is not None:
                    self._judge_late(ref, obj)

    def seen(self, ref: ObjectRef, before: Kept | None, after: Kept | None, raw: Manifest | None) -> None:
        """An event of the live view. `raw` None: a list showed only that it is gone."""
        if raw is not None and self._is_seen_better(ref, raw):
            return
        now = self._clock()
        old = as_of(before, now) if isinstance(before, LiveFacts) else None
        new = as_of(after, now) if isinstance(after, LiveFacts) else None
        self.foresee(ref, new)
        claim = self._claims.get(ref)
        if claim is not None:
            self._judge(claim, ref, new, raw, gone=after is None)
        if _health(old) != _health(new):
            self._tell_health(ref, old, new)

    def _version_of(self, ref: ObjectRef) -> str:
        """The version that the claiming App applied it in; empty: none did."""
        claim = self._claims.get(ref)
        record = self._record_of(claim.app, ref) if claim is not None else None
        return record.version if record is not None else ""

    def _is_seen_better(self, ref: ObjectRef, obj: Manifest) -> bool:
        """Whether the object is also watched in the version that it was applied in, which this sight of it is not."""
        versions = self._versions.get(ref.group_kind, ())
        if len(versions) < 2:
            return False
        wanted = self._version_of(ref)
        return wanted in versions and wanted != split_api_version(api_version_of(obj))[1]

    def foresee(self, ref: ObjectRef, kept: Kept | None) -> None:
        """The newest that is known of an object, for the health that changes without an event."""
        self._foresight.note(ref, kept if isinstance(kept, LiveFacts) else None)

    async def run(self) -> None:
        """Tells of health that changes by time alone, until cancelled."""
        await self._foresight.run()

    def _tell_health(self, ref: ObjectRef, old: LiveFacts | None, new: LiveFacts | None) -> None:
        claim = self._claims.get(ref)
        owners = [claim, *self._others.get(ref, ())] if claim is not None else []
        for app in dict.fromkeys([*(owner.app for owner in owners), *self._watchers.get(ref, ())]):
            self._listener.health_changed(app, ref, old, new)

    def _judge(
        self, claim: Claim, ref: ObjectRef, facts: LiveFacts | None, raw: Manifest | None, *, gone: bool
    ) -> None:
        """Tells the claiming App when what was seen differs from what it applied."""
        record = self._record_of(claim.app, ref)
        if ref in self._applying:
            self._applying[ref] = _GONE if gone else raw
        elif gone:
            if record is not None:
                self._listener.vanished(claim.app, ref)
        elif facts is not None and record is not None and has_drifted(record, facts, autoscaled=ref in self.scaled):
            self._listener.drifted(claim.app, ref)

    def _judge_late(self, ref: ObjectRef, obj: Manifest) -> None:
        claim = self._claims.get(ref)
        if claim is None or (record := self._record_of(claim.app, ref)) is None:
            return
        if obj is _GONE:
            self._listener.vanished(claim.app, ref)
            return
        facts = reduce_live(obj, record, claim.lens, self._clock())
        if has_drifted(record, facts, autoscaled=ref in self.scaled):
            self._listener.drifted(claim.app, ref)

    def scaler_seen(self, ref: ObjectRef, obj: Manifest | None) -> None:
        """An autoscaler came, changed or went."""
        before = self._scalers.pop(ref, None)
        if before is not None and self.scaled.get(before.target) == before:
            del self.scaled[before.target]
        target = scale_target(obj) if obj is not None else None
        if target is not None:
            self._scalers[ref] = target
            self.scaled[target.target] = target
        if before is not None and before != target and (claim := self._claims.get(before.target)) is not None:
            # What it scaled is Git's again: the declared replicas count from now on.
            self._listener.drifted(claim.app, before.target)

    def _unclaim(self, app: ObjectRef, ref: ObjectRef) -> None:
        others = [claim for claim in self._others.pop(ref, []) if claim.app != app]
        claim = self._claims.get(ref)
        if claim is not None and claim.app == app:
            if others:
                self._claims[ref] = others.pop(0)
            else:
                del self._claims[ref]
        if others:
            self._others[ref] = others


def _health(facts: LiveFacts | None) -> object:
    """What makes two sights differ in health: not the message, which may change all the time."""
    return (facts.verdict.kstatus, facts.verdict.health) if facts else None
