"""The CRDs as a server serves them, through the real kubectl: nothing is pruned, refused or shown wrongly.

Each case runs on the embedded Kubernetes and on a real kube-apiserver; where they differ, the real one is right.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.dialects.kit import differences, document
from tests.peers.kubectl import Kubectl
from trueup.dialects.argocd.appproject import default_project
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.generate import crd_files
from trueup.model.health import Health
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest
from trueup.model.outcome import AppStatus, OperationPhase, OperationStatus, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import git_revision

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("served")]  # one worker: the module has servers of its own

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
DOCUMENTED = Path(__file__).with_name("documented.yaml").read_text(encoding="utf-8")
KUSTOMIZATION = "kustomizations.v1.kustomize.toolkit.fluxcd.io"
OLD_KUSTOMIZATION = "kustomizations.v1beta1.kustomize.toolkit.fluxcd.io"
REVISION = git_revision("master", "a" * 40)


class Server:
    """One server with our CRDs, spoken to by kubectl alone."""

    def __init__(self, kubectl: Kubectl, kubeconfig: Path) -> None:
        self._kubectl, self._kubeconfig = kubectl, kubeconfig

    async def __call__(self, *arguments: str, given: str | None = None) -> str:
        return (await self._kubectl.run(self._kubeconfig, *arguments, input=given)).check().stdout

    async def refused(self, *arguments: str, given: str | None = None) -> str:
        done = await self._kubectl.run(self._kubeconfig, *arguments, input=given)
        assert done.returncode != 0
        return done.stderr

    async def get(self, *arguments: str) -> Manifest:
        found: Manifest = msgspec.json.decode(await self("get", *arguments, "-o", "json", "--show-managed-fields"))
        return found

    async def install(self) -> None:
        text = "---\n".join(crd_files().values())
        await self("apply", "--server-side", "-f", "-", given=text)
        names = [f"crd/{name.removesuffix('.yaml')}" for name in crd_files()]
        await self("wait", "--for=condition=Established", "--timeout=30s", *names)
        for namespace in ("argocd", "guestbook"):
            await self._kubectl.run(self._kubeconfig, "create", "namespace", namespace)


@pytest.fixture(params=["embedded", "kube-apiserver"])
async def server(request: pytest.FixtureRequest, kubectl: Kubectl) -> Server:
    # The module's own: it writes CRDs, and objects whose names are fixed.
    fixture = "own_embedded_cluster" if request.param == "embedded" else "bare_control_plane"
    served = Server(kubectl, request.getfixturevalue(fixture).kubeconfig)
    await served.install()
    return served


@pytest.fixture
async def namespace(server: Server) -> AsyncIterator[str]:
    name = f"dialects-{uuid.uuid4().hex[:8]}"
    await server("create", "namespace", name)
    yield name
    await server("delete", "namespace", name, "--wait=false")


async def test_the_schemas_are_structural(server: Server) -> None:
    for name in crd_files():
        crd = await server.get("crd", name.removesuffix(".yaml"))
        conditions = {row["type"]: row["status"] for row in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in conditions


async def test_the_documented_examples_work_as_they_stand(server: Server) -> None:
    await server("apply", "-f", "-", given=DOCUMENTED)
    try:
        source = await server.get("gitrepositories.v1.source.toolkit.fluxcd.io", "podinfo", "-n", "default")
        app = await server.get(KUSTOMIZATION, "podinfo", "-n", "default")
        argo = await server.get("application", "guestbook", "-n", "argocd")
        assert source["apiVersion"] == "source.toolkit.fluxcd.io/v1"
        assert source["status"] == {"observedGeneration": -1}
        assert FluxDialect().read_source(source).reference.branch == "master"
        # v1beta1 knew a default namespace, and what kubectl applied as v1beta1 is served as v1.
        assert FluxDialect().read_app(app).rules.default_namespace == "default"
        assert ArgoCdDialect().read_app(argo).rules.default_namespace == "guestbook"
    finally:
        await server("delete", "-f", "-", "--wait=false", given=DOCUMENTED)


@pytest.mark.parametrize("how", [["apply", "--server-side"], ["create"]])
async def test_the_version_of_a_declaration_is_known_without_kubectls_annotation(
    server: Server, namespace: str, how: list[str]
) -> None:
    declared = next(doc for doc in DOCUMENTED.split("---\n") if "kind: Kustomization" in doc)
    declared = declared.replace("namespace: default", f"namespace: {namespace}")
    await server(*how, "-f", "-", given=declared)
    await server("patch", KUSTOMIZATION, "podinfo", "-n", namespace, "--type=merge", "-p", '{"spec":{"suspend":true}}')
    app = FluxDialect().read_app(await server.get(KUSTOMIZATION, "podinfo", "-n", namespace))
    assert (app.rules.default_namespace, app.rules.suspend) == ("default", True)


OLD_AND_NEW = document("""
apiVersion: kustomize.toolkit.fluxcd.io/v1beta1
kind: Kustomization
metadata: {name: everything}
spec:
  interval: 5m
  prune: true
  sourceRef: {kind: GitRepository, name: a, namespace: b, apiVersion: source.toolkit.fluxcd.io/v1}
  validation: client
  patchesStrategicMerge: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {any: [1, {x: y}]}}]
  patchesJson6902: [{target: {version: v1, kind: Deployment, name: web}, patch: [{op: replace, path: /spec, value: {deep: [1]}}]}]
  kubeConfig: {secretRef: {name: a, key: b}}
  decryption: {provider: sops, secretRef: {name: keys}}
  healthCheckExprs: [{apiVersion: example.com/v1, kind: Thing, current: "true", failed: "false"}]
  ignore: [{paths: [/spec/replicas], target: {kind: Deployment}}]
  driftIgnoreRules: [{paths: [/spec/replicas]}]
  dependsOn: [{name: a, namespace: b, readyExpr: "true"}]
  postBuild: {substitute: {a: b}, substituteFrom: [{kind: Secret, name: s, optional: true}], substituteStrategy: Always}
  deletionPolicy: Orphan
  commonMetadata: {labels: {a: b}}
  buildMetadata: [originAnnotations]
""")


async def test_no_field_of_any_version_is_pruned(server: Server, namespace: str) -> None:
    await server("create", "-n", namespace, "-f", "-", given=msgspec.json.encode(OLD_AND_NEW).decode())
    for kind in (KUSTOMIZATION, OLD_KUSTOMIZATION):
        assert differences(OLD_AND_NEW["spec"], (await server.get(kind, "everything", "-n", namespace))["spec"]) == []
    patch = '{"spec":{"path":"./new"}}'
    await server("patch", KUSTOMIZATION, "everything", "-n", namespace, "--type=merge", "-p", patch)
    after = (await server.get(OLD_KUSTOMIZATION, "everything", "-n", namespace))["spec"]
    assert differences({**OLD_AND_NEW["spec"], "path": "./new"}, after) == []


async def test_a_wrong_field_is_refused_by_the_server(server: Server, namespace: str) -> None:
    wrong = copy.deepcopy(OLD_AND_NEW)
    wrong["spec"] |= {"interval": "soon", "deletionPolicy": "Burn"}
    said = await server.refused("create", "-n", namespace, "-f", "-", given=msgspec.json.encode(wrong).decode())
    assert "spec.interval" in said
    assert "spec.deletionPolicy" in said


async def test_a_flux_status_is_written_and_shown(server: Server, namespace: str) -> None:
    await server("create", "-n", namespace, "-f", "-", given=msgspec.json.encode(OLD_AND_NEW).decode())
    obj = await server.get(KUSTOMIZATION, "everything", "-n", namespace)
    status = AppStatus(
        state=State.READY,
        reason="ReconciliationSucceeded",
        message="",
        observed_generation=1,
        applied=REVISION,
        attempted=REVISION,
        handled_request="now",
        inventory=Inventory.of([InventoryEntry(ObjectRef("apps", "Deployment", "shop", "web"), "v1")]),
    )
    patch = FluxDialect().status_patch(obj, status, NOW)
    assert patch is not None
    await write(server, KUSTOMIZATION, "everything", namespace, patch.subresource, patch.body)
    after = await server.get(KUSTOMIZATION, "everything", "-n", namespace)
    assert FluxDialect().status_patch(after, status, NOW) is None
    assert FluxDialect().stored_inventory(after) == status.inventory
    assert after["metadata"]["generation"] == 1
    table = await server("get", "ks", "everything", "-n", namespace)
    assert table.split("\n")[0].split() == ["NAME", "AGE", "READY", "STATUS"]
    assert f"Applied revision: {REVISION}" in table


async def test_an_argocd_status_is_written_to_the_object_and_a_lost_race_is_refused(
    server: Server, namespace: str
) -> None:
    declared = DOCUMENTED.split("---\n")[2].replace("namespace: argocd", f"namespace: {namespace}")
    await server("create", "-f", "-", given=declared)
    operation = '{"operation":{"initiatedBy":{"username":"jane"},"sync":{"revision":"HEAD"}}}'
    await server("patch", "application", "guestbook", "-n", namespace, "--type=merge", "-p", operation)
    obj = await server.get("application", "guestbook", "-n", namespace)
    web = ObjectRef("apps", "Deployment", "guestbook", "web")
    status = AppStatus(
        state=State.READY,
        reason="ReconciliationSucceeded",
        message="",
        observed_generation=0,
        applied=REVISION,
        synced=True,
        health=Health.HEALTHY,
        inventory=Inventory.of([InventoryEntry(web, "v1")]),
        operation=OperationStatus(
            phase=OperationPhase.SUCCEEDED,
            message="",
            started_at=NOW,
            finished_at=NOW,
            automated=False,
            initiated_by="jane",
            revision=REVISION,
        ),
    )
    patch = ArgoCdDialect().status_patch(obj, status, NOW)
    assert patch is not None
    await write(server, "application", "guestbook", namespace, patch.subresource, patch.body)
    after = await server.get("application", "guestbook", "-n", namespace)
    assert "operation" not in after
    assert after["status"]["operationState"]["operation"]["initiatedBy"] == {"username": "jane"}
    assert ArgoCdDialect().status_patch(after, status, NOW) is None
    assert ArgoCdDialect().requested_digest(after) != ArgoCdDialect().requested_digest(obj)
    assert "Synced" in await server("get", "app", "guestbook", "-n", namespace)
    stale = msgspec.json.encode(patch.body).decode()
    said = await server.refused("patch", "application", "guestbook", "-n", namespace, "--type=merge", "-p", stale)
    assert "Conflict" in said or "modified" in said


async def test_the_default_project_is_accepted(server: Server) -> None:
    await server("apply", "-f", "-", given=msgspec.json.encode(default_project()).decode())
    project = await server.get("appproject", "default", "-n", "argocd")
    assert project["spec"]["sourceRepos"] == ["*"]


async def write(server: Server, kind: str, name: str, namespace: str, subresource: str, body: dict[str, Any]) -> None:
    """As the status writer does: one merge patch."""
    to = [f"--subresource={subresource}"] if subresource else []
    text = msgspec.json.encode(body).decode()
    await asyncio.wait_for(server("patch", kind, name, "-n", namespace, "--type=merge", *to, "-p", text), 30)
