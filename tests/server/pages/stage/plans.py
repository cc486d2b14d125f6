"""What a sync of the Apps that are told in full would do, and what their objects let themselves be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tests.server.pages.stage.tree import manifests_of
from tests.server.pages.stage.world import NOW
from tests.server.pages.stage.worldcluster import merged
from trueup.apps.comparison import CommitRow, Comparison, FieldRow, ObjectComparison, ReleaseStep
from trueup.apps.objects.actions import actions_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation, Reply
from trueup.server.api.refusals import PreconditionFailed
from trueup.server.live.objects import ActionBody, DeleteQuery, ObjectQuery, PatchQuery
from trueup.server.world.operations import APP, Apps


def one(kind: str, name: str, action: str, *, group: str = "", wave: int = 0, **more: Any) -> ObjectComparison:
    return ObjectComparison(
        ref=ObjectRef(group, kind, "shop", name),
        version="v1",
        action=action,
        phase="Sync",
        wave=wave,
        origin=f"deploy/{name}.yaml:1",
        **more,
    )


def plan_of(app: ObjectRef, full: str, commit: CommitRow | None, *, prune: bool | None) -> Comparison:
    """Of an Application, whose syncs have waves and hooks."""
    image = FieldRow(
        path="spec.template.spec.containers[0].image",
        before='"registry.example.com/shop/web:1.8.2"',
        after='"registry.example.com/shop/web:1.9.0"',
    )
    objects = [
        one("ConfigMap", "cart-settings", "created"),
        one("Service", "web", "unchanged"),
        one(
            "Deployment",
            "web",
            "configured",
            group="apps",
            wave=1,
            fields=(FieldRow(path="spec.replicas", before="2", after="3"), image),
        ),
    ]
    if prune is not False:
        objects.append(one("PersistentVolumeClaim", "reports", "pruned"))
    return Comparison(
        app=app,
        revision=full[:17],
        full_revision=full,
        at=NOW,
        objects=tuple(objects),
        hooks=(one("Job", "migrate", "created", group="batch", hook=("PreSync",)),),
        commit=commit,
    )


def release_plan_of(app: ObjectRef) -> Comparison:
    """Of a HelmRelease whose chart has a newer version; one of its values comes from a Secret."""
    rows = (
        ("database.password", "(hidden)", "(hidden)"),
        ("image.tag", '"1.9.0"', '"2.0.1"'),
        ("ingress.hosts", "", '["shop.example.com","www.shop.example.com"]'),
        ("legacy.enabled", "true", ""),
        ("motto", '"quick"', '"good, quick and with more words than would fit into one line of a narrow dialog"'),
        *((f"features.new-{i}", "false", "true") for i in range(6)),
    )
    chart = app.name
    return Comparison(
        app=app,
        revision="2.0.1",
        full_revision="2.0.1",
        at=NOW,
        objects=(
            one("ConfigMap", f"{chart}-features", "created"),
            one(
                "Deployment",
                chart,
                "configured",
                group="apps",
                fields=(FieldRow(path="spec.template.spec.containers[0].image", before='"1.9.0"', after='"2.0.1"'),),
            ),
        ),
        hooks=(
            one("Job", f"{chart}-migrate", "hook", group="batch", hook=("pre-upgrade",), wave=-5),
            one("Job", f"{chart}-warm-up", "hook", group="batch", hook=("post-upgrade",)),
        ),
        release=ReleaseStep(
            action="upgrade",
            why="the chart's version differs: 1.9.0 is released, 2.0.1 is wanted",
            current=f"{chart}@1.9.0",
            wanted=f"{chart}@2.0.1",
            becomes=f"{chart}@2.0.1",
            record=4,
            next_record=5,
            values=tuple(FieldRow(path=path, before=before, after=after) for path, before, after in rows),
        ),
    )


class Patched(Struct):
    """What people have changed of objects, by kind and name."""

    patches: dict[str, dict[str, Any]]

    def live(self, query: ObjectQuery) -> dict[str, Any]:
        found = manifests_of(query.kind, query.namespace, query.name)["live"]
        found["metadata"]["resourceVersion"] = "7"
        return dict(merged(found, self.patches.get(f"{query.kind}/{query.name}", {})))


def patch_operations(apps: Apps, heard: Callable[[str], None], patched: Patched) -> list[Operation]:
    async def patch(call: Call) -> Reply:
        if call.request.headers.get("If-Match") != '"7"':
            raise PreconditionFailed("it has changed since you read it", hint="read it again, and decide anew")
        after = merged(patched.live(call.query), call.body)
        if not call.query.dry_run:
            patched.patches[f"{call.query.kind}/{call.query.name}"] = call.body
            heard(f"objects.patch {call.query.kind}/{call.query.name} {call.body}")
        return Answer(body={"manifest": after, "actions": []})

    async def act(call: Call) -> Reply:
        heard(f"objects.act {call.query.kind}/{call.query.name} {call.body.action} {call.body.parameters}")
        return Answer(body={"ref": "", "message": ""}, status=202)

    async def delete(call: Call) -> Reply:
        heard(f"objects.delete {call.query.kind}/{call.query.name} {call.query.uid} {call.query.propagation}")
        return Answer(body={"ref": "", "message": ""}, status=202)

    def fine(verb: str) -> Callable[[Call], str]:
        return lambda call: f"{verb}/{call.query.group}/{call.query.kind}/{call.query.namespace}/{call.query.name}"

    def operation(name: str, method: str, path: str, access: Needs, handler: Any, query: Any, body: Any = None) -> Any:
        return Operation(
            id=name,
            method=method,
            path=APP + path,
            summary=name,
            access=access,
            handler=handler,
            query=query,
            body=body,
        )

    update = Needs("applications", "update/*", apps.target, fine("update"))
    remove = Needs("applications", "delete/*", apps.target, fine("delete"))
    do = Needs("applications", "action/*", apps.target, lambda call: f"action/apps/Deployment/{call.body.action}")
    return [
        operation("objects.patch", "PATCH", "/object", update, patch, PatchQuery, dict[str, Any]),
        operation("objects.act", "POST", "/object/actions", do, act, ObjectQuery, ActionBody),
        operation("objects.delete", "DELETE", "/object", remove, delete, DeleteQuery),
    ]


def actions_for(query: Any, live: dict[str, Any]) -> Any:
    return actions_of(live, GroupKind(query.group, query.kind))
