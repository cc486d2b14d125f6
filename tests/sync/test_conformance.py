"""The engine on the embedded Kubernetes and on the real control plane: each case holds on both."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.sync.world import KEY, change_of, config_map, deployment, rules
from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.model.app import SyncRules
from trueup.model.change import Action
from trueup.model.inventory import Inventory
from trueup.model.manifest import Declared, Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.sync.established import PollEstablished
from trueup.sync.execute import Execution, execute
from trueup.sync.facts import Absent, AppliedRecord, Lens, LiveFacts, reduce_live
from trueup.sync.normalise import normalise, resolve_scopes
from trueup.sync.outcomes import Outcome
from trueup.sync.plan import Plan, make_plan
from trueup.sync.preview import preview


class RealWorld:
    """As `World`, with every fact read from the API server."""

    def __init__(self, client: KubeClient, namespace: str, sync_rules: SyncRules) -> None:
        self.client = client
        self.namespace = namespace
        self.rules = sync_rules
        self.applier = ClusterApplier(client, sync_rules.field_manager)
        self.records: dict[ObjectRef, AppliedRecord] = {}
        self.inventory = Inventory()
        self.requests = 0

    async def plan(self, *manifests: Manifest, **options: Any) -> Plan:
        declared = [Declared(placed(manifest, self.namespace)) for manifest in manifests]
        scopes = await resolve_scopes(declared, self.applier)
        desired = normalise(declared, scopes, self.rules, secret_key=KEY).objects
        live: dict[ObjectRef, LiveFacts | Absent] = {}
        lens = Lens.of(self.rules, KEY)
        for entry in {item.entry for item in desired} | set(self.inventory.entries):
            try:
                obj = await self.applier.get(entry.ref, entry.version)
            except Exception:
                continue
            live[entry.ref] = (
                reduce_live(obj, self.records.get(entry.ref), lens, datetime.now(UTC)) if obj else Absent()
            )
        return make_plan(desired, self.records, live, self.inventory, self.rules, **options)

    async def sync(self, *manifests: Manifest, **options: Any) -> Execution:
        return await self.run(await self.plan(*manifests, **options))

    async def run(self, plan: Plan) -> Execution:
        if plan.write_ahead is not None:
            self.inventory = plan.write_ahead

        def remember(outcome: Outcome) -> None:
            if outcome.record is not None:
                self.records[outcome.record.ref] = outcome.record

        poll = PollEstablished(self.applier)

        async def established(crd: Manifest) -> None:
            self.applier.refresh_discovery()
            await poll(crd)
            self.applier.refresh_discovery()

        execution = await execute(
            plan,
            self.applier,
            self.rules,
            in_flight=8,
            secret_key=KEY,
            on_change=remember,
            established=established,
        )
        self.inventory = execution.inventory
        for ref in execution.forgotten:
            self.records.pop(ref, None)
        return execution

    def ref(self, kind: str, name: str, group: str = "") -> ObjectRef:
        return ObjectRef(group, kind, self.namespace, name)

    async def live(self, ref: ObjectRef, version: str = "v1") -> Manifest:
        found = await self.applier.get(ref, version)
        assert found is not None
        return found

    async def write(self, manifest: Manifest, manager: str) -> Manifest:
        """Another client's apply-free write: a create, or an update of the whole object."""
        other = ClusterApplier(self.client, manager)
        return await other.create(placed(manifest, self.namespace))

    async def patch(self, ref: ObjectRef, operations: list[dict[str, Any]], manager: str, version: str = "v1") -> None:
        await ClusterApplier(self.client, manager).patch_json(ref, version, operations)


def placed(manifest: Manifest, namespace: str) -> Manifest:
    manifest = copy.deepcopy(manifest)
    if manifest["metadata"].get("namespace"):
        manifest["metadata"]["namespace"] = namespace
    return manifest


@pytest.fixture(params=["embedded", pytest.param("kube-apiserver", marks=pytest.mark.real)])
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    name = "embedded_cluster" if request.param == "embedded" else "control_plane"
    found = request.getfixturevalue(name).kubeconfig
    assert isinstance(found, Path)
    return found


@pytest.fixture
async def world(kubeconfig: Path, namespace_name: str) -> AsyncIterator[RealWorld]:
    """A world in a namespace of its own."""
    async with KubeClient(load_config(kubeconfig)) as client:
        made = RealWorld(client, namespace_name, rules(default_namespace=namespace_name))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_name}}
        await made.applier.create(namespace)
        yield made
        ref = ObjectRef("", "Namespace", "", namespace_name)
        await made.applier.delete(ref, "v1", uid="", resource_version="", propagation="Background")


async def test_created_unchanged_configured_and_pruned(world: RealWorld) -> None:
    first = await world.sync(config_map(color="blue"), deployment(replicas=0))
    assert {change.action for change in first.report.changes} == {Action.CREATED}

    # The Deployment's controller writes its status meanwhile: still nothing to do.
    await asyncio.sleep(0)
    assert (await world.plan(config_map(color="blue"), deployment(replicas=0))).is_empty

    second = await world.sync(config_map(color="red"), deployment(replicas=0, image="web:2"))
    assert [str(field) for field in change_of(second, "settings").fields] == ['data.color: "blue" -> "red"']
    assert [str(field) for field in change_of(second, "web").fields] == [
        'spec.template.spec.containers[name=web].image: "web:1" -> "web:2"'
    ]

    third = await world.sync(deployment(replicas=0, image="web:2"))
    assert change_of(third, "settings").action is Action.PRUNED
    assert await world.applier.get(world.ref("ConfigMap", "settings"), "v1") is None


async def test_a_requested_sync_of_what_is_so_changes_nothing(world: RealWorld) -> None:
    await world.sync(config_map(color="blue"), deployment(replicas=0))

    execution = await world.sync(config_map(color="blue"), deployment(replicas=0), requested=True)

    assert {change.action for change in execution.report.changes} == {Action.UNCHANGED}


async def test_defaults_of_the_server_are_not_drift(world: RealWorld) -> None:
    rich = deployment(replicas=0)
    pod = rich["spec"]["template"]["spec"]
    pod["securityContext"] = {}
    pod["volumes"] = [{"name": "tmp", "emptyDir": {}}, {"name": "cfg", "configMap": {"name": "settings"}}]
    pod["containers"][0] |= {
        "resources": {},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
        "args": [],
    }
    rich["spec"]["strategy"] = {}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}, {"port": 53, "name": "dns", "protocol": "UDP"}]},
    }
    service["spec"]["ports"][0]["name"] = "http"  # type: ignore[index]
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"password": "hunter2"},
    }
    everything = (rich, service, ingress, secret, {**config_map(color="blue"), "data": {}})

    execution = await world.sync(*everything)

    assert not execution.report.failures
    assert (await world.plan(*everything)).is_empty
    assert {c.action for c in (await world.sync(*everything, requested=True)).report.changes} == {Action.UNCHANGED}


async def test_a_scale_is_drift_and_is_healed(world: RealWorld) -> None:
    await world.sync(deployment(replicas=0))
    web = world.ref("Deployment", "web", "apps")
    await world.patch(web, [{"op": "replace", "path": "/spec/replicas", "value": 2}], "kubectl-scale")

    execution = await world.sync(deployment(replicas=0))

    assert [str(field) for field in change_of(execution, "web").fields] == ["spec.replicas: 2 -> 0"]
    assert (await world.live(web))["spec"]["replicas"] == 0
    managers = {row["manager"] for row in (await world.live(web))["metadata"]["managedFields"]}
    assert "kubectl-scale" not in managers


async def test_what_kubectl_set_and_git_does_not_say_is_removed(world: RealWorld) -> None:
    before = config_map(color="blue", old="thing")
    before["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    await world.write(before, "kubectl-client-side-apply")

    changes = await preview(await world.plan(config_map(color="blue")), world.applier, world.rules, in_flight=2)
    assert 'data.old: "thing" -> (unset)' in [str(field) for field in changes.changes[0].fields]
    await world.sync(config_map(color="blue"))

    live = await world.live(world.ref("ConfigMap", "settings"))
    assert live["data"] == {"color": "blue"}
    assert "annotations" not in live["metadata"]
    assert [row["manager"] for row in live["metadata"]["managedFields"]] == ["kustomize-controller"]
    assert (await world.plan(config_map(color="blue"))).is_empty


async def test_an_object_from_before_server_side_apply_is_taken_over(world: RealWorld) -> None:
    await world.write(config_map(color="blue", old="thing"), "someone")
    ref = world.ref("ConfigMap", "settings")
    await world.patch(ref, [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], "someone")

    await world.sync(config_map(color="blue"))

    assert (await world.live(ref))["data"] == {"color": "blue"}
    assert (await world.plan(config_map(color="blue"))).is_empty


async def test_an_immutable_selector_fails_and_with_force_is_made_anew(world: RealWorld) -> None:
    await world.sync(deployment(replicas=0))
    changed = deployment(replicas=0)
    changed["spec"]["selector"]["matchLabels"]["extra"] = "yes"
    changed["spec"]["template"]["metadata"]["labels"]["extra"] = "yes"

    execution = await world.sync(changed)

    change = change_of(execution, "web")
    assert change.action is Action.FAILED
    assert change.message.startswith("spec.selector cannot be changed in place\n  try:")
    assert not execution.retryable

    world.rules = rules(default_namespace=world.namespace, force=True)
    assert change_of(await world.sync(changed), "web").action is Action.RECREATED
    assert (await world.plan(changed)).is_empty


async def test_a_replaced_object_loses_what_others_added_and_stays_ours(world: RealWorld) -> None:
    world.rules = rules(default_namespace=world.namespace, replace=True)
    await world.sync(deployment(replicas=0))
    ref = ObjectRef("apps", "Deployment", world.namespace, "web")
    await world.patch(ref, [{"op": "add", "path": "/metadata/labels", "value": {"by": "others"}}], "someone")
    uid = (await world.live(ref))["metadata"]["uid"]

    changed = deployment(replicas=0)
    changed["spec"]["minReadySeconds"] = 3
    assert change_of(await world.sync(changed), "web").action is Action.CONFIGURED

    live = await world.live(ref)
    assert live["metadata"]["uid"] == uid
    assert "by" not in live["metadata"].get("labels", {})
    assert (await world.plan(changed)).is_empty

    world.rules = rules(default_namespace=world.namespace, replace=True, force=True)
    assert (await world.plan(changed)).is_empty
    changed["spec"]["minReadySeconds"] = 4
    assert change_of(await world.sync(changed), "web").action is Action.RECREATED
    assert (await world.live(ref))["metadata"]["uid"] != uid


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"replica": 1}, "spec.replica: apps/v1 Deployment has no such field"),
        ({"replicas": "two"}, "spec.replicas: expected numeric"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1"),
    ],
)
async def test_a_wrong_field_is_named(world: RealWorld, spec: dict[str, Any], message: str) -> None:
    bad = deployment(replicas=None)
    bad["spec"] |= spec

    execution = await world.sync(bad, config_map())

    change = change_of(execution, "web")
    assert change.action is Action.FAILED
    assert change.message.startswith(message), change.message
    assert not execution.retryable
    assert change_of(execution, "settings").action is Action.CREATED


async def test_a_namespace_that_is_not_there_is_named(world: RealWorld) -> None:
    lost = config_map()
    lost["metadata"]["namespace"] = "nowhere"
    declared = [Declared(lost)]
    scopes = await resolve_scopes(declared, world.applier)
    desired = normalise(declared, scopes, world.rules, secret_key=KEY).objects
    plan = make_plan(desired, {}, {}, Inventory(), world.rules)

    execution = await world.run(plan)

    assert "the namespace nowhere does not exist" in execution.report.failures[0].message
    assert execution.retryable


async def test_a_definition_and_its_objects_come_in_one_sync(world: RealWorld) -> None:
    group = f"{world.namespace}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "size": {"type": "integer", "default": 3},
                                        "color": {"type": "string"},
                                    },
                                }
                            },
                        }
                    },
                }
            ],
        },
    }
    widget = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "shop"},
        "spec": {"color": "blue"},
    }

    execution = await world.sync(widget, definition)

    assert {change.action for change in execution.report.changes} == {Action.CREATED}
    assert (await world.plan(widget, definition)).is_empty
    assert change_of(await world.sync(definition), "w").action is Action.PRUNED
    assert change_of(await world.sync(), f"widgets.{group}").action is Action.PRUNED


async def test_a_kind_that_is_not_there_is_waited_for(world: RealWorld) -> None:
    widget = {"apiVersion": "nobody.example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}

    execution = await world.sync(widget)

    assert [str(kind) for kind in execution.waiting_for] == ["Widget.nobody.example.com"]


async def test_an_object_that_changed_since_it_was_judged_is_judged_again(world: RealWorld) -> None:
    await world.sync(config_map("old"), config_map("kept"))
    plan = await world.plan(config_map("kept"))
    ref = world.ref("ConfigMap", "old")
    await world.patch(ref, [{"op": "remove", "path": "/metadata/labels/kustomize.toolkit.fluxcd.io~1name"}], "someone")

    execution = await world.run(plan)

    assert change_of(execution, "old").reason == "NotOurs"
    assert ref_of(await world.live(ref)) == ref


async def test_rights_that_are_missing_are_named(world: RealWorld, kubeconfig: Path) -> None:
    config = structs.replace(load_config(kubeconfig), impersonate_user="alice")
    async with KubeClient(config) as client:
        poor = RealWorld(client, world.namespace, world.rules)
        declared = [Declared(placed(config_map(), world.namespace))]
        scopes = await resolve_scopes(declared, world.applier)
        desired = normalise(declared, scopes, world.rules, secret_key=KEY).objects

        execution = await poor.run(make_plan(desired, {}, {}, Inventory(), world.rules))

    message = execution.report.failures[0].message
    assert message.startswith(
        f"the user alice may not patch configmaps in the namespace {world.namespace}\n  try: bind"
    )


async def test_an_autoscaler_that_has_scaled_keeps_its_replicas(world: RealWorld) -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 3,
        },
    }
    await world.sync(deployment(replicas=2), scaler)
    web = world.ref("Deployment", "web", "apps")
    await world.patch(web, [{"op": "replace", "path": "/spec/replicas", "value": 3}], "autoscaler")

    assert not [send for send in (await world.plan(deployment(replicas=2), scaler)).sends if send.ref == web]
    await world.sync(deployment(replicas=2, image="web:2"), scaler)

    live = await world.live(web)
    assert live["spec"]["replicas"] in (1, 2, 3)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    own = next(row for row in live["metadata"]["managedFields"] if row["manager"] == world.rules.field_manager)
    assert "f:replicas" not in own["fieldsV1"]["f:spec"]
