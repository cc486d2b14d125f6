"""`dependsOn`: who waits for whom. Reads the controller's own state, not the written one, so nothing is polled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.controllers.wishes import is_behind
from trueup.model.app import App, Dependency
from trueup.model.refs import ObjectRef


class Dependencies:
    """The graph, and its question: is everything ready that this App waits for?"""

    def __init__(
        self, memory_of: Callable[[ObjectRef], AppMemory | None], feed_of: Callable[[ObjectRef], Feed | None]
    ) -> None:
        self._memory_of = memory_of
        self._feed_of = feed_of
        self._needs: dict[ObjectRef, frozenset[ObjectRef]] = {}
        self._dependents: dict[ObjectRef, set[ObjectRef]] = defaultdict(set)

    def note(self, app: App) -> None:
        """The App depends on exactly what it says from now on."""
        self.forget(app.ref)
        needs = frozenset(dependency.ref for dependency in app.rules.depends_on)
        if needs:
            self._needs[app.ref] = needs
            for ref in needs:
                self._dependents[ref].add(app.ref)

    def forget(self, ref: ObjectRef) -> None:
        for needed in self._needs.pop(ref, frozenset()):
            self._dependents[needed].discard(ref)

    def waiting_for(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """The Apps to look at when this one has become ready."""
        return frozenset(self._dependents.get(ref, ()))

    def unready(self, app: App) -> tuple[ObjectRef, ...]:
        """Dependencies that are not ready, or (on the same source) not at the revision that is to be applied."""
        return tuple(each.ref for each in app.rules.depends_on if not self._counts_as_ready(app, each))

    def _counts_as_ready(self, app: App, dependency: Dependency) -> bool:
        """An expression stands in place of the usual judgement."""
        if not dependency.ready_expr:
            return self._is_ready(app, dependency.ref)
        memory = self._memory_of(app.ref)
        return memory is not None and memory.ready_by_expression.get(dependency.ref, False)

    def _is_ready(self, app: App, ref: ObjectRef) -> bool:
        memory, feed = self._memory_of(ref), self._feed_of(ref)
        if memory is None or memory.app is None or not memory.is_ready or is_behind(memory, feed):
            return False
        if memory.app.source != app.source or feed is None or feed.snapshot is None:
            return True
        return memory.saved.revision == feed.snapshot.revision
