"""The drawing of an App."""

from __future__ import annotations

from typing import Any

from tests.cli.kit import COMMIT, NOW, kustomization, plain
from tests.support.golden import Golden
from trueup.apps.nodes import all_refs, build_nodes
from trueup.apps.views import view_app
from trueup.cli.tree import tree_data, tree_lines
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.apierror import ApiError
from trueup.model.inventory import InventoryEntry
from trueup.model.refs import ObjectRef


def obj(api_version: str, kind: str, name: str, owner: str = "", **parts: Any) -> dict[str, Any]:
    owners = [{"uid": owner, "controller": True}] if owner else []
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{kind}-{name}", "ownerReferences": owners}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


DEPLOYMENT = obj(
    "apps/v1",
    "Deployment",
    "web",
    spec={"replicas": 2},
    status={"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1},
)
OLD = obj("apps/v1", "ReplicaSet", "web-1", "uid-Deployment-web", spec={"replicas": 0}, status={"replicas": 0})
NEW = obj("apps/v1", "ReplicaSet", "web-2", "uid-Deployment-web", spec={"replicas": 2}, status={"replicas": 2})
POD = obj(
    "v1",
    "Pod",
    "web-2-a",
    "uid-ReplicaSet-web-2",
    status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
)
BROKEN = obj(
    "v1",
    "Pod",
    "web-2-b",
    "uid-ReplicaSet-web-2",
    status={
        "phase": "Running",
        "containerStatuses": [
            {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "exit 1"}}}
        ],
        "conditions": [{"type": "Ready", "status": "False"}],
    },
)
SERVICE, SETTINGS, HIDDEN = (
    ObjectRef("", "Service", "shop", "web"),
    ObjectRef("", "ConfigMap", "shop", "settings"),
    ObjectRef("", "Secret", "shop", "token"),
)
WEB = ObjectRef("apps", "Deployment", "shop", "web")
ENTRIES = [InventoryEntry(ref, "v1") for ref in (SETTINGS, HIDDEN, SERVICE, WEB)]
OBJECTS = {
    SETTINGS: obj("v1", "ConfigMap", "settings"),
    HIDDEN: ApiError(403, "Forbidden", 'secrets "token" is forbidden'),
    WEB: DEPLOYMENT,
}
OWNED = {"uid-Deployment-web": [OLD, NEW], "uid-ReplicaSet-web-2": [BROKEN, POD]}
NODES = build_nodes(ENTRIES, OBJECTS, OWNED, ({}, "Synced"), NOW)


def test_an_app_its_objects_and_what_they_own(golden: Golden) -> None:
    view = view_app(kustomization(), FluxDialect(), NOW)
    golden("tree.txt", plain(tree_lines(view, NODES)))


def test_a_rollout_of_before_is_not_drawn() -> None:
    assert ObjectRef("apps", "ReplicaSet", "shop", "web-1") not in all_refs(NODES)
    assert ObjectRef("", "Pod", "shop", "web-2-b") in all_refs(NODES)


def test_a_script_gets_the_same_as_data() -> None:
    data = tree_data(view_app(kustomization(), FluxDialect(), NOW), NODES)
    assert data["revision"] == f"main@sha1:{COMMIT}"
    missing = next(row for row in data["objects"] if row["kind"] == "Service")
    assert (missing["health"], missing["kstatus"], missing["sync"]) == ("Missing", "NotFound", "OutOfSync")
    refused = next(row for row in data["objects"] if row["kind"] == "Secret")
    assert (refused["health"], refused["sync"]) == ("Unknown", "Unknown")
