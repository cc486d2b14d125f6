"""A cluster in plain data for live trees: managed objects with their facts, and what hangs below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trueup.controllers.trees.below import Below
from trueup.controllers.trees.keeper import Standing, TreeKeeper
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.sync.facts import Absent, LiveFacts

SHOP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "app")
OTHER = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "other")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
SET = ObjectRef("apps", "ReplicaSet", "shop", "web-1")
POD = ObjectRef("", "Pod", "shop", "web-1-a")
WELL = Verdict(kstatus=Kstatus.CURRENT, health=Health.HEALTHY)
SYNCED = Standing("v1", "Synced")


def facts(ref: ObjectRef, uid: str, version: str = "1", verdict: Verdict = WELL) -> LiveFacts:
    return LiveFacts(
        ref=ref,
        version="v1",
        uid=uid,
        resource_version=version,
        generation=1,
        deleting=False,
        labels={},
        annotations={},
        cut=None,
        verdict=verdict,
    )


def below(uid: str, *owners: str, version: str = "1", verdict: Verdict = WELL) -> Below:
    return Below(
        version="v1",
        uid=uid,
        resource_version=version,
        deleting=False,
        verdict=verdict,
        sight=Sight(owners=owners),
    )


class World:
    """Tells a keeper what happens, as the controller does."""

    def __init__(self) -> None:
        self.live: dict[ObjectRef, LiveFacts | Absent] = {}
        self.under: dict[ObjectRef, Below] = {}
        self.looks = 0
        self.keeper = TreeKeeper(self.facts)

    def facts(self, refs: Iterable[ObjectRef]) -> Mapping[ObjectRef, LiveFacts | Absent]:
        found = {}
        for ref in refs:
            self.looks += 1
            if ref in self.live:
                found[ref] = self.live[ref]
        return found

    def manage(self, app: ObjectRef, *refs: ObjectRef, sync: str = "Synced") -> None:
        self.keeper.app_seen(app, {ref: Standing("v1", sync) for ref in refs})

    def put(self, ref: ObjectRef, uid: str, version: str = "1", verdict: Verdict = WELL) -> None:
        self.live[ref] = facts(ref, uid, version, verdict)
        self.keeper.managed_changed(ref)

    def delete(self, ref: ObjectRef) -> None:
        self.live[ref] = Absent()
        self.keeper.managed_changed(ref)

    def hang(self, ref: ObjectRef, uid: str, *owners: str, version: str = "1", verdict: Verdict = WELL) -> None:
        before = self.under.get(ref)
        self.under[ref] = below(uid, *owners, version=version, verdict=verdict)
        self.keeper.below_changed(ref, before, self.under[ref])

    def cut(self, ref: ObjectRef) -> None:
        if (before := self.under.pop(ref, None)) is not None:
            self.keeper.below_changed(ref, before, None)

    def refs(self, app: ObjectRef = SHOP) -> set[ObjectRef]:
        return {node.ref for node in self.keeper.nodes(app)}
