"""The world as the server sees it: Apps, sources and projects, each by ref. Filled by `watching`, asked by everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from msgspec import structs

from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.dialect import Dialect
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, ObjectRef
from trueup.server.world.rows import MOST_IMAGES, Known, known_app, known_source
from trueup.server.world.table import Table
from trueup.server.world.trees import Trees

ARGOCD = "argocd"
HEARING_SECONDS = 2.0
"""For the watch to tell of what was just made; whoever made it is answered then in any case."""


class World:
    """`problems`: what is wrong with our sight of it, one line each; nothing: it is current."""

    def __init__(
        self,
        dialects: Iterable[Dialect],
        clock: Callable[[], datetime],
        control_namespace: str = CONTROL_NAMESPACE,
    ) -> None:
        self.apps = Table()
        self.sources = Table()
        self.projects: dict[str, Manifest] = {}
        self.control_namespace = control_namespace
        self.dialects = tuple(dialects)
        self.app_kinds: dict[GroupKind, Dialect] = {one.app_kind.group_kind: one for one in self.dialects}
        self.source_kinds: dict[GroupKind, Dialect] = {
            kind.group_kind: one for one in self.dialects for kind in one.source_kinds
        }
        self._by_kind = {kind.kind: kind for kind in (*self.app_kinds, *self.source_kinds)}
        self._clock = clock
        self._trees: Trees | None = None

    def seen(self, ref: ObjectRef, obj: Manifest | None) -> None:
        """An App or a source as it is now; None: it is gone."""
        is_app = ref.group_kind in self.app_kinds
        table = self.apps if is_app else self.sources
        if obj is None:
            table.remove(ref)
            return
        dialect = (self.app_kinds if is_app else self.source_kinds)[ref.group_kind]
        try:
            known = (
                known_app(obj, dialect, self._clock(), self.control_namespace)
                if is_app
                else known_source(obj, dialect, self.control_namespace)
            )
        except TrueupError:
            return  # a status that cannot be read says nothing new; the next one may
        table.put(self._with_images(known) if is_app else known)

    async def heard_of(self, ref: ObjectRef) -> None:
        """Returns once there is an App of that ref, or after a while: who makes one asks about it with the next breath."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARING_SECONDS):
                while self.apps.get(ref) is None:
                    await self.apps.wait(self.apps.event_id)

    def follow(self, trees: Trees) -> None:
        """What an App's status does not tell (a Kustomization's: which images run), its live tree does."""
        self._trees = trees
        trees.listen(self._tree_changed)

    def _tree_changed(self, app: ObjectRef, there: bool) -> None:
        known = self.apps.get(app)
        if there and known is not None:
            self.apps.put(self._with_images(known))

    def _with_images(self, known: Known) -> Known:
        if known.dialect.name == ARGOCD or self._trees is None:
            return known  # Argo CD's status has them
        images = self._trees.images(known.ref)
        if images is None or images[:MOST_IMAGES] == known.row.images:
            return known
        return structs.replace(known, row=structs.replace(known.row, images=images[:MOST_IMAGES]))

    def ref_of(self, kind: str, namespace: str, name: str) -> ObjectRef | None:
        """Of one of our kinds, whether there is such a thing or not; None: no such kind."""
        found = self._by_kind.get(kind)
        return ObjectRef(found.group, found.kind, namespace, name) if found is not None else None

    def app(self, kind: str, namespace: str, name: str) -> Known | None:
        ref = self.ref_of(kind, namespace, name)
        return self.apps.get(ref) if ref else None

    def source(self, kind: str, namespace: str, name: str) -> Known | None:
        ref = self.ref_of(kind, namespace, name)
        return self.sources.get(ref) if ref else None
