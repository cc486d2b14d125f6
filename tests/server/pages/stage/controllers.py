"""What a controller would answer: plans at any revision, whom a revision concerns, who made it. Made up, the same each time."""

from __future__ import annotations

from datetime import timedelta

from tests.server.pages.stage.plans import plan_of, release_plan_of
from tests.server.pages.stage.tree import manifests_of
from tests.server.pages.stage.world import FIRST, NOW, OLDER, REVISION
from trueup.apps.comparison import (
    CommitRow,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    FieldRow,
    Impact,
    ImpactWish,
    ObjectComparison,
)
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.refs import ObjectRef

URL = "https://gitlab.example.com/shop/deploy.git"
FLUX = "kustomize.toolkit.fluxcd.io"
PROPOSED = "refs/merge-requests/7/head@sha1:77aa0e2d3c4b5a69788796a5b4c3d2e1f0a9b8c7"
WEB = ObjectRef("apps", "Deployment", "shop", "web")
AUTHORS = {
    REVISION: ("Malee", "Raise replicas of web to three\n\nThe sale begins on Friday.", 6),
    OLDER: ("Somchai", "Take web 1.8.2", 302),
    FIRST: ("Malee", "Move the shop to production-eu", 1502),
    PROPOSED: ("Somchai", "Try web 1.9.0 with three replicas", 40),
}


def commit_row(revision: str) -> CommitRow | None:
    if revision not in AUTHORS:
        return None
    author, message, minutes = AUTHORS[revision]
    return CommitRow(
        commit=revision.rpartition(":")[2],
        author=author,
        email=f"{author.lower()}@example.com",
        at=NOW - timedelta(minutes=minutes),
        message=message,
        signed=False,
    )


class StageControllers:
    """`asked` holds the revisions of plans that were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def compare(self, wish: CompareWish) -> Comparison:
        if wish.only is None:
            self.asked.append(wish.revision)
        full = _full(wish.revision)
        if wish.app.name == "cache" and wish.revision:
            raise BuildFailed(
                "kustomization.yaml:4: no such file: ../../base/cache.yaml", hint="look at the file in that revision"
            )
        if wish.app.kind == "Application" and wish.only is None:
            return plan_of(wish.app, full, commit_row(full), prune=wish.prune)
        if wish.app.kind == "HelmRelease" and wish.only is None:
            return release_plan_of(wish.app)
        objects = (_one(wish.only),) if wish.only is not None else _changes(wish)
        return Comparison(
            app=wish.app,
            revision=f"{full.rpartition('@')[0]}@{full.rpartition(':')[2][:7]}",
            full_revision=full,
            at=NOW,
            objects=tuple(one for one in objects if one is not None),
            counts={"configured": 1, "created": 1, "pruned": 1, "unchanged": 9},
            commit=commit_row(full),
        )

    async def impact(self, wish: ImpactWish) -> Impact:
        full = _full(wish.revision)
        names = (("web", "shop"), ("cache", "shop"))
        return Impact(
            source=wish.source,
            revision=f"{full.rpartition('@')[0]}@{full.rpartition(':')[2][:7]}",
            full_revision=full,
            concerned=tuple(sorted(ObjectRef(FLUX, "Kustomization", namespace, name) for name, namespace in names)),
            commit=commit_row(full),
        )

    async def commits(self, wish: CommitsWish) -> Commits:
        return Commits(url=URL, items={one: row for one in wish.revisions if (row := commit_row(one)) is not None})

    async def probe(self, wish: ProbeWish) -> Probe:
        if "legacy" in wish.secret:
            return Probe(
                reachable=False,
                reason="AuthenticationFailed",
                message="the server refuses the credentials",
                hint="check username and password",
            )
        return Probe(reachable=True, default_branch="main", branches=("main", "staging"), tags=("v1.0.0",))


def _full(revision: str) -> str:
    """Raises InvalidInput."""
    known = {"": REVISION, "main": REVISION, "refs/merge-requests/7/head": PROPOSED, "feature/three": PROPOSED}
    for one in (REVISION, OLDER, FIRST):
        known |= {one: one, one.rpartition(":")[2]: one}
    if revision not in known:
        raise InvalidInput(
            f"there is no branch, tag or commit {revision!r}", field="revision", hint="look for it in Git"
        )
    return known[revision]


def _one(ref: ObjectRef) -> ObjectComparison | None:
    pair = manifests_of(ref.kind, ref.namespace, ref.name)
    for one in pair.values():
        if one is not None:
            one["metadata"].pop("managedFields", None)
    if pair["desired"] is None:
        return None
    same = pair["live"] == pair["desired"]
    return ObjectComparison(
        ref=ref,
        version="v1",
        action="unchanged" if same else "configured",
        before=pair["live"],
        after=pair["desired"],
        origin="clusters/production-eu/web/deployment.yaml:8",
        fields=() if same else (FieldRow(path="spec.replicas", before="2", after="3"),),
    )


def _changes(wish: CompareWish) -> tuple[ObjectComparison | None, ...]:
    flags = manifests_of("ConfigMap", "shop", "flags")["live"]
    flags["metadata"].pop("managedFields")
    old = manifests_of("ConfigMap", "shop", "legacy-flags")["live"]
    old["metadata"].pop("managedFields")
    made = ObjectComparison(
        ref=ObjectRef("", "ConfigMap", "shop", "flags"),
        version="v1",
        action="created",
        after=flags,
        origin="clusters/production-eu/web/flags.yaml:1",
    )
    gone = ObjectComparison(
        ref=ObjectRef("", "ConfigMap", "shop", "legacy-flags"),
        version="v1",
        action="skipped" if wish.prune is False else "pruned",
        before=old,
    )
    return _one(WEB), made, gone
