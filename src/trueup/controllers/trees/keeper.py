"""Which objects are in which App's tree, kept as events come: an event costs the objects it moves, not the tree. Pure.

Managed objects are known by name from the App; everything else is in the tree of whoever's uid is among its owners.
What changed since the last look is gathered per App, so that a crowd of events becomes one change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from trueup.apps.livetree import LiveNode
from trueup.controllers.trees.below import Below
from trueup.model.health import Kstatus, Verdict
from trueup.model.refs import GroupKind, ObjectRef
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.health.judge import NOT_FOUND

MOST_BELOW = 20_000
"""Objects below the managed ones of one App; what comes beyond is not shown, and the App is none the worse for it."""


class Standing(Struct, frozen=True):
    """How a managed object stands in its App: the version it is applied in, and Synced, OutOfSync or Unknown."""

    version: str
    sync: str


class Change(Struct, frozen=True):
    """Of one App's tree since the last look. `gone`: there is no such App any more."""

    app: ObjectRef
    changed: tuple[LiveNode, ...] = ()
    removed: tuple[ObjectRef, ...] = ()
    gone: bool = False


class _Tree:
    """`told` is the newest that was said of each managed object, by which news is told from an echo."""

    def __init__(self) -> None:
        self.standing: Mapping[ObjectRef, Standing] = {}
        self.told: dict[ObjectRef, tuple[Standing, str, str, Verdict | None]] = {}
        self.uids: dict[ObjectRef, str] = {}
        self.below: set[ObjectRef] = set()


class TreeKeeper:
    """`facts` tells what is known of managed objects; what is not known is left out, as in a plan."""

    def __init__(self, facts: Callable[[Iterable[ObjectRef]], Mapping[ObjectRef, LiveFacts | Absent]]) -> None:
        self._facts = facts
        self._trees: dict[ObjectRef, _Tree] = {}
        self._holders: dict[ObjectRef, set[ObjectRef]] = {}
        """The Apps that manage an object."""
        self._apps_of: dict[str, set[ObjectRef]] = {}
        """By uid: the Apps in whose trees it is."""
        self._owned: dict[str, set[ObjectRef]] = {}
        """By the owner's uid."""
        self._below: dict[ObjectRef, Below] = {}
        self._news: dict[ObjectRef, set[ObjectRef]] = {}
        self._gone: set[ObjectRef] = set()
        self.kinds: set[GroupKind] = set()
        """Of all managed objects there ever were."""

    # what happens

    def app_seen(self, app: ObjectRef, standing: Mapping[ObjectRef, Standing]) -> None:
        """The App manages exactly these objects."""
        tree = self._trees.get(app)
        if tree is None:
            tree = self._trees[app] = _Tree()
            self._news.setdefault(app, set())
        released = tree.standing.keys() - standing.keys()
        for ref in released:
            self._release(app, tree, ref)
        facts = self._facts(standing)
        tree.standing = standing
        for ref in standing:
            self._holders.setdefault(ref, set()).add(app)
            self.kinds.add(ref.group_kind)
            tree.below.discard(ref)
            self._look(app, tree, ref, facts.get(ref))
        for ref in released:
            below = self._below.get(ref)
            if below is not None and any(app in self._apps_of.get(owner, ()) for owner in below.sight.owners):
                self._join(app, ref, below)

    def app_gone(self, app: ObjectRef) -> None:
        tree = self._trees.get(app)
        if tree is None:
            return
        for ref in list(tree.standing):
            self._release(app, tree, ref)
        del self._trees[app]
        self._news.pop(app, None)
        self._gone.add(app)

    def managed_changed(self, ref: ObjectRef) -> None:
        """An event came of an object that Apps may manage."""
        holders = self._holders.get(ref)
        if not holders:
            return
        facts = self._facts((ref,)).get(ref)
        for app in holders:
            self._look(app, self._trees[app], ref, facts)

    def below_changed(self, ref: ObjectRef, before: Below | None, after: Below | None) -> None:
        """An event came of an object that others own. `after` None: it is gone, or nobody's any more."""
        if before is not None and (
            after is None or (before.uid, before.sight.owners) != (after.uid, after.sight.owners)
        ):
            self._forget(ref, before)
        if after is None:
            return
        self._below[ref] = after
        for owner in after.sight.owners:
            self._owned.setdefault(owner, set()).add(ref)
            for app in tuple(self._apps_of.get(owner, ())):
                self._join(app, ref, after)

    # what there is

    def apps(self) -> tuple[ObjectRef, ...]:
        return tuple(self._trees)

    def nodes(self, app: ObjectRef) -> tuple[LiveNode, ...]:
        """The whole tree: managed objects first."""
        tree = self._trees.get(app)
        return () if tree is None else tuple(self._nodes(tree, [*tree.standing, *sorted(tree.below)]))

    @property
    def has_news(self) -> bool:
        return bool(self._news or self._gone)

    def take_news(self) -> list[Change]:
        """What changed since the last call, one `Change` per App; for one that went and came back, one for each."""
        news, self._news = self._news, {}
        gone, self._gone = self._gone, set()
        changes = [Change(app, gone=True) for app in sorted(gone)]
        for app, refs in news.items():
            tree = self._trees[app]
            there = sorted(ref for ref in refs if ref in tree.standing or ref in tree.below)
            changes.append(Change(app, tuple(self._nodes(tree, there)), tuple(sorted(refs.difference(there)))))
        return changes

    # parts

    def _nodes(self, tree: _Tree, refs: Iterable[ObjectRef]) -> Iterator[LiveNode]:
        refs = list(refs)
        facts = self._facts([ref for ref in refs if ref in tree.standing])
        for ref in refs:
            standing = tree.standing.get(ref)
            yield _managed(ref, standing, facts.get(ref)) if standing is not None else _below(ref, self._below[ref])

    def _look(self, app: ObjectRef, tree: _Tree, ref: ObjectRef, facts: LiveFacts | Absent | None) -> None:
        verdict: Verdict | None = None
        uid, version = "", str(type(facts))
        if isinstance(facts, LiveFacts):
            uid, version, verdict = facts.uid, facts.resource_version, facts.verdict
        told = (tree.standing[ref], uid, version, verdict)
        if tree.told.get(ref) == told:
            return
        tree.told[ref] = told
        self._news.setdefault(app, set()).add(ref)
        before = tree.uids.get(ref, "")
        if before != uid:
            if before:
                self._detach(app, tree, before)
            if uid:
                tree.uids[ref] = uid
                self._attach(app, tree, uid)
            else:
                tree.uids.pop(ref, None)

    def _release(self, app: ObjectRef, tree: _Tree, ref: ObjectRef) -> None:
        """The App does not manage it any more."""
        holders = self._holders.get(ref, set())
        holders.discard(app)
        if not holders:
            self._holders.pop(ref, None)
        tree.told.pop(ref, None)
        if uid := tree.uids.pop(ref, ""):
            self._detach(app, tree, uid)
        self._news.setdefault(app, set()).add(ref)

    def _join(self, app: ObjectRef, ref: ObjectRef, below: Below) -> None:
        """The object is in the App's tree, and whatever it owns."""
        tree = self._trees[app]
        if ref in tree.standing or (ref not in tree.below and len(tree.below) >= MOST_BELOW):
            return
        tree.below.add(ref)
        self._news.setdefault(app, set()).add(ref)
        self._attach(app, tree, below.uid)

    def _attach(self, app: ObjectRef, tree: _Tree, uid: str) -> None:
        left = [uid]
        while left:
            uid = left.pop()
            apps = self._apps_of.setdefault(uid, set())
            if app in apps:
                continue
            apps.add(app)
            for ref in self._owned.get(uid, ()):
                if ref in tree.standing or len(tree.below) >= MOST_BELOW:
                    continue
                tree.below.add(ref)
                self._news.setdefault(app, set()).add(ref)
                left.append(self._below[ref].uid)

    def _detach(self, app: ObjectRef, tree: _Tree, uid: str) -> None:
        """What the object with this uid owns leaves the tree; what is still owned by something in it comes back.

        In two steps, because objects that own each other would otherwise keep each other there.
        """
        left, taken = [uid], []
        while left:
            uid = left.pop()
            apps = self._apps_of.get(uid)
            if apps is None or app not in apps:
                continue
            apps.discard(app)
            if not apps:
                del self._apps_of[uid]
            for ref in self._owned.get(uid, ()):
                if ref in tree.below:
                    tree.below.discard(ref)
                    taken.append(ref)
                    left.append(self._below[ref].uid)
        for ref in taken:
            self._news.setdefault(app, set()).add(ref)
            below = self._below[ref]
            if any(app in self._apps_of.get(owner, ()) for owner in below.sight.owners):
                self._join(app, ref, below)

    def _forget(self, ref: ObjectRef, before: Below) -> None:
        apps = {app for owner in before.sight.owners for app in self._apps_of.get(owner, ())}
        for owner in before.sight.owners:
            owned = self._owned.get(owner, set())
            owned.discard(ref)
            if not owned:
                self._owned.pop(owner, None)
        for app in apps:
            tree = self._trees[app]
            if ref in tree.below:
                tree.below.discard(ref)
                self._news.setdefault(app, set()).add(ref)
                self._detach(app, tree, before.uid)
        self._below.pop(ref, None)


def _managed(ref: ObjectRef, standing: Standing, facts: LiveFacts | Absent | None) -> LiveNode:
    if isinstance(facts, LiveFacts):
        verdict = facts.verdict
        return LiveNode(
            ref=ref,
            version=standing.version or facts.version,
            managed=True,
            sync=standing.sync,
            uid=facts.uid,
            resource_version=facts.resource_version,
            deleting=facts.deleting,
            kstatus=verdict.kstatus,
            health=verdict.health,
            message=verdict.message,
            rule=verdict.rule,
            sight=facts.sight,
        )
    if facts is None:
        return LiveNode(
            ref=ref, version=standing.version, managed=True, sync="Unknown", kstatus=Kstatus.UNKNOWN, rule="unseen"
        )
    return LiveNode(
        ref=ref,
        version=standing.version,
        managed=True,
        sync="OutOfSync",
        kstatus=NOT_FOUND.kstatus,
        health=NOT_FOUND.health,
        message=NOT_FOUND.message,
        rule=NOT_FOUND.rule,
    )


def _below(ref: ObjectRef, below: Below) -> LiveNode:
    verdict = below.verdict
    return LiveNode(
        ref=ref,
        version=below.version,
        uid=below.uid,
        resource_version=below.resource_version,
        deleting=below.deleting,
        kstatus=verdict.kstatus,
        health=verdict.health,
        message=verdict.message,
        rule=verdict.rule,
        sight=below.sight,
    )
