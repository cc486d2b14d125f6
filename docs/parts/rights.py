"""Which of Kubernetes' rights each operation needs where Kubernetes decides, from the table and from the code that decides."""

from __future__ import annotations

from docs.parts.api import operations
from docs.parts.tables import table
from trueup.dialects.registry import all_dialects
from trueup.model.refs import ObjectRef
from trueup.server.api.operation import Access, Listed, Needs, Operation, Public, Target
from trueup.server.asperson.rights import Kinds, Right, rights_of
from trueup.server.rights import kinds_of
from trueup.server.world.world import World

_APP = ObjectRef("APP", "APP", "NAMESPACE", "NAME")
_SOURCE = ObjectRef("SOURCE", "SOURCE", "NAMESPACE", "NAME")
_SECRET = ObjectRef("", "Secret", "argocd", "NAME")
_SAMPLES = {
    "sources": Target("", _SOURCE),
    "projects": Target("NAME"),
    "repositories": Target("", _SECRET),
    "clusters": Target("", _SECRET),
    "settings": Target(""),
}
AS_THE_PERSON = {
    "apps.refresh": "`patch` the App",
    "apps.update": "`update` the App",
    "objects.get": "`get` the object, and its owners up to one of the App's",
    "apps.links": "the project and the cluster are known to a template only where one may `get` them",
    "objects.links": "`get` the object, and its owners up to one of the App's; project and cluster as for `/links`",
    "objects.patch": "`get` and `patch` the object",
    "objects.delete": "`get` and `delete` the object",
    "objects.act": "`get` the object; `patch` it, `delete` a pod, or `create` a Job of a CronJob",
    "objects.events": "`list events` in its namespace",
    "objects.all-events": "`list events` in the namespaces of its objects; a namespace where one may not is left out",
    "objects.rights": "none: the object is not looked at",
    "objects.desired": "shown only to whoever may `get` the object",
    "apps.plan": "objects that one may not `get` are left out",
    "apps.desired": "objects that one may not `get` are left out",
    "apps.diff": "objects that one may not `get` are left out",
    "apps.record": "objects that one may not `get` are left out",
    "apps.then": "objects that one may not `get` are left out",
    "apps.then-comparison": "objects that one may not `get` are left out",
    "objects.recorded": "shown only to whoever may `get` the object",
    "apps.record-manifests": "objects that one may not `get` are left out",
    "sources.impact": "Apps, and objects in their plans, that one may not `get` are left out",
    "trees.get": "objects that one may not `get`, and all that they own, are left out",
    "trees.follow": "objects that one may not `get`, and all that they own, are left out",
    "objects.logs": "`get` and `list pods`, `get pods/log`",
    "projects.delete": "`list` Applications in all namespaces",
    "repositories.list": "`list secrets` in argocd; else those that visible Apps and sources name",
    "settings.list": "`argocd-rbac-cm` is in it for whoever may `get` that",
    "settings.get": "of `argocd-rbac-cm` that one in its place",
    "settings.update": "of `argocd-rbac-cm` that one in its place",
    "clusters.list": "`list secrets` in argocd; else the one that we are in",
}
"""What more the API server judges, or what is left out of an answer."""


def kinds() -> Kinds:
    real = kinds_of(World(all_dialects(), lambda: None))  # type: ignore[arg-type,return-value]
    return Kinds({**real.plurals, _APP.group_kind: "APP", _SOURCE.group_kind: "SOURCE"}, real.control_namespace)


def text() -> str:
    rows = [
        (
            f"`{one.method} {one.path.removeprefix('/api/trueup/v1')}`",
            _asked(one.access),
            AS_THE_PERSON.get(one.id, ""),
        )
        for one in operations()
        if isinstance(one.access, Needs | Listed)
    ]
    return table(("Call, below `/api/trueup/v1`", "Asked first", "And then, as the person"), rows)


def missing() -> list[Operation]:
    """Operations on single objects of an App of which nothing is said here."""
    return [
        one
        for one in operations()
        if isinstance(one.access, Needs)
        and ("/" in one.access.action or one.part in ("objects", "logs", "trees"))
        and one.id not in AS_THE_PERSON
    ]


def _asked(access: Access) -> str:
    if isinstance(access, Public) or not isinstance(access, Needs | Listed):
        return ""
    rights = rights_of(access.resource, access.action, _SAMPLES.get(access.resource, Target("", _APP)), kinds())
    said = "nobody may" if rights is None else ", ".join(map(_written, rights))
    return f"of each: {said}" if isinstance(access, Listed) else said


def _written(right: Right) -> str:
    kind = {"APP": "the App", "SOURCE": "the source"}.get(right.resource)
    if kind:
        return f"`{right.verb}` {kind}"
    name = f" {right.name}" if right.name and right.name != "NAME" else ""
    where = f" in {right.namespace}" if right.namespace else ""
    return f"`{right.verb} {right.kind_text}{name}`{where}"
