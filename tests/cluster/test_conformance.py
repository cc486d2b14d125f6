"""The client against API servers that nobody scripted: the embedded one and the real one. Where they differ, the real one is right."""

# ruff: noqa: ASYNC110  (conditions of a server have no event of their own)
from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections import Counter
from typing import Any

import pytest

from tests.cluster.backends import config_map
from tests.cluster.scripted import until
from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.departure import Departure, departure_of
from trueup.cluster.liveview import Informer
from trueup.controllers.adapters import AccountTokens
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest, labels_of, name_of, resource_version_of, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.sync.applier import Applier, Scope


def crd(group: str, kind: str = "Widget") -> Manifest:
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": ["wdg"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                        }
                    },
                }
            ],
        },
    }


# discovery


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cm", "configmaps"),
        ("deploy", "deployments.apps"),
        ("Deployment", "deployments.apps"),
        ("deployments.v1.apps", "deployments.apps"),
        ("events", "events"),
        ("lease", "leases.coordination.k8s.io"),
        ("ing.networking", "ingresses.networking.k8s.io"),
    ],
)
async def test_kinds_are_found_by_what_people_type(client: KubeClient, text: str, expected: str) -> None:
    assert (await client.discovery.resolve(text)).name == expected


async def test_discovery_costs_two_requests(client: KubeClient, requests: Counter[Any]) -> None:
    for _ in range(3):
        await client.discovery.resource("apps", "v1", "Deployment")
    assert sum(requests.values()) == 2


async def test_a_version_that_is_not_served_names_those_that_are(client: KubeClient) -> None:
    with pytest.raises(KindNotServed, match=r"it serves Deployment of apps in v1") as caught:
        await client.discovery.resource("apps", "v1beta1", "Deployment")
    assert caught.value.hint == "write apiVersion: apps/v1"


async def test_scopes_and_subresources_are_known(client: KubeClient) -> None:
    deployment = await client.discovery.resource("apps", "v1", "Deployment")
    assert deployment.namespaced
    assert {"status", "scale"} <= set(deployment.subresources)
    assert deployment.is_watchable
    assert not (await client.discovery.resource("", "v1", "Namespace")).namespaced


# requests


async def test_an_object_lives_from_apply_to_delete(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    made = await client.apply(config_map(namespace, "x", a="1"), manager="us")
    assert made["metadata"]["managedFields"][0]["manager"] == "us"
    again = await client.apply(config_map(namespace, "x", a="1"), manager="us")
    assert resource_version_of(again) == resource_version_of(made)
    changed = await client.apply(config_map(namespace, "x", a="2"), manager="us")
    assert int(resource_version_of(changed)) > int(resource_version_of(made))
    assert await client.get(maps, "x", namespace) == changed
    assert await client.delete(maps, "x", namespace, uid=uid_of(made)) is not None
    assert await client.get(maps, "x", namespace) is None
    assert await client.delete(maps, "x", namespace, uid=uid_of(made)) is None


async def test_a_dry_run_changes_nothing(client: KubeClient, namespace: str) -> None:
    answer = await client.apply(config_map(namespace, "x", a="1"), manager="us", dry_run=True)
    assert answer["data"] == {"a": "1"}
    assert await client.get(await client.discovery.resolve("cm"), "x", namespace) is None


async def test_without_force_a_conflict_names_the_field_and_its_manager(client: KubeClient, namespace: str) -> None:
    await client.apply(config_map(namespace, "x", a="1"), manager="them")
    with pytest.raises(ApiError) as caught:
        await client.apply(config_map(namespace, "x", a="2"), manager="us", force=False)
    assert caught.value.is_conflict
    assert [(cause.reason, cause.field) for cause in caught.value.causes] == [("FieldManagerConflict", ".data.a")]
    assert "them" in caught.value.causes[0].message


async def test_patches_of_both_kinds(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    await client.create(config_map(namespace, "x", a="1", b="1"))
    merged = await client.merge_patch(maps, "x", namespace, {"data": {"a": None, "c": "1"}})
    assert merged["data"] == {"b": "1", "c": "1"}
    patched = await client.json_patch(
        maps,
        "x",
        namespace,
        [{"op": "test", "path": "/data/b", "value": "1"}, {"op": "remove", "path": "/data/b"}],
    )
    assert patched["data"] == {"c": "1"}
    with pytest.raises(ApiError) as caught:
        await client.json_patch(maps, "x", namespace, [{"op": "test", "path": "/data/c", "value": "9"}])
    assert caught.value.code == 422


async def test_what_exists_cannot_be_created_and_what_changed_cannot_be_replaced(
    client: KubeClient, namespace: str
) -> None:
    made = await client.create(config_map(namespace, "x", a="1"))
    with pytest.raises(ApiError) as caught:
        await client.create(config_map(namespace, "x", a="1"))
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")
    await client.apply(config_map(namespace, "x", a="2"), manager="us")
    with pytest.raises(ApiError) as caught:
        await client.replace(made)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")


async def test_a_delete_whose_precondition_does_not_hold_is_a_conflict(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    made = await client.create(config_map(namespace, "x"))
    for uid, version in ((str(uuid.uuid4()), ""), (uid_of(made), "1")):
        with pytest.raises(ApiError) as caught:
            await client.delete(maps, "x", namespace, uid=uid, resource_version=version)
        assert caught.value.code == 409
    assert await client.get(maps, "x", namespace) is not None


async def test_an_object_held_by_a_finalizer_is_answered_by_its_delete(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    held = config_map(namespace, "x")
    held["metadata"]["finalizers"] = ["example.com/held"]
    made = await client.create(held)
    answer = await client.delete(maps, "x", namespace, uid=uid_of(made))
    assert answer is not None
    assert answer["metadata"]["deletionTimestamp"]
    await client.merge_patch(maps, "x", namespace, {"metadata": {"finalizers": None}})
    assert await client.get(maps, "x", namespace) is None


async def test_a_namespace_that_does_not_exist_is_named(client: KubeClient) -> None:
    with pytest.raises(ApiError, match=r'namespaces "nowhere" not found') as caught:
        await client.apply(config_map("nowhere", "x"), manager="us")
    assert caught.value.is_not_found


async def test_lists_come_in_pages_and_by_selector(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    await asyncio.gather(*(client.create(config_map(namespace, f"x{number}")) for number in range(23)))
    found = await client.list_all(maps, namespace, label_selector="made-by=conformance", limit=5)
    assert len({name_of(item) for item in found}) == 23
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}
    one = await client.list_all(maps, namespace, field_selector="metadata.name=x7")
    assert [name_of(item) for item in one] == ["x7"]


async def test_a_watch_from_a_list_misses_nothing(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    page = await client.list_page(maps, namespace)
    made = await client.create(config_map(namespace, "x", a="1"))
    await client.apply(config_map(namespace, "x", a="2"), manager="us")
    await client.delete(maps, "x", namespace, uid=uid_of(made))
    seen = []
    async for event in client.watch(maps, namespace, resource_version=page.resource_version, timeout_seconds=5):
        if name_of(event.object) == "x":
            seen.append(event.type)
        if event.type == "DELETED":
            break
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


async def test_impersonation_acts_with_the_rights_of_the_other(client: KubeClient, namespace: str) -> None:
    tenant = client.impersonate(f"system:serviceaccount:{namespace}:deployer")
    with pytest.raises(ApiError) as caught:
        await tenant.apply(config_map(namespace, "x"), manager="us")
    assert caught.value.is_forbidden
    assert f"system:serviceaccount:{namespace}:deployer" in caught.value.message
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "deployers", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        # By a group that the server gives the account, though we send none.
        "subjects": [
            {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Group",
                "name": f"system:serviceaccounts:{namespace}",
            }
        ],
    }
    await client.create(role)
    await until_applied(tenant, config_map(namespace, "x"))


async def until_applied(client: KubeClient, manifest: Manifest) -> None:
    """RBAC reaches the authorizer's cache a moment after it is written."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.apply(manifest, manager="us")
                return
            except ApiError as error:
                if not error.is_forbidden:
                    raise
                await asyncio.sleep(0.02)


async def test_events_can_be_created(client: KubeClient, namespace: str) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "x.1", "namespace": namespace},
        "involvedObject": {"kind": "ConfigMap", "namespace": namespace, "name": "x"},
        "reason": "Applied",
        "message": "m",
        "type": "Normal",
    }
    await client.create_event(event)
    assert await client.get(await client.discovery.resource("", "v1", "Event"), "x.1", namespace) is not None


# the live view


class Told:
    def __init__(self) -> None:
        self.changes: list[tuple[str, bool, bool]] = []
        self.gone: list[str] = []

    def change(self, ref: ObjectRef, before: Any, after: Any, _raw: Any) -> None:
        self.changes.append((ref.name, before is not None, after is not None))

    def left(self, resource: Any, _refs: Any) -> None:
        self.gone.append(resource.name)


async def test_the_live_view_follows_a_namespace(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    async with Informer(client) as view:
        told = Told()
        await view.track(maps, {namespace}, label_selector="made-by=conformance")
        view.subscribe(told.change)
        made = await client.create(config_map(namespace, "x", a="1"))
        ref = ObjectRef("", "ConfigMap", namespace, "x")
        await until(lambda: view.get(ref) is not None)
        await client.apply(config_map(namespace, "x", a="2"), manager="us")
        await until(lambda: (view.get(ref) or {}).get("data") == {"a": "2"})
        await client.delete(maps, "x", namespace, uid=uid_of(made))
        await until(lambda: view.get(ref) is None)
    assert told.changes == [("x", False, True), ("x", True, True), ("x", True, False)]


async def test_our_own_writes_are_not_told_back(client: KubeClient, namespace: str) -> None:
    maps = await client.discovery.resolve("cm")
    async with Informer(client) as view:
        await view.track(maps, {namespace})
        told: list[Any] = []
        ours = ClusterApplier(client, "us", on_answer=view.observe)
        theirs = ClusterApplier(client, "them")
        await theirs.apply(config_map(namespace, "x", a="1"))
        ref = ObjectRef("", "ConfigMap", namespace, "x")
        await until(lambda: view.get(ref) is not None)
        view.subscribe(lambda ref, before, after, raw: told.append(raw["data"]) if ref.name == "x" else None)
        await ours.apply(config_map(namespace, "x", a="2"))
        assert (view.get(ref) or {})["data"] == {"a": "2"}
        await theirs.apply(config_map(namespace, "x", a="3"))
        await until(lambda: {"a": "3"} in told)
    # The event may overtake our own answer; it is never told after it.
    assert told in ([{"a": "3"}], [{"a": "2"}, {"a": "3"}])


async def test_a_kind_whose_crd_comes_is_served_and_whose_crd_goes_is_gone(client: KubeClient, namespace: str) -> None:
    group = f"{namespace}.example.com"
    definition = crd(group)
    crds = await client.discovery.resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    with pytest.raises(KindNotServed):
        await client.discovery.resource(group, "v1", "Widget")
    made = await client.create(definition)
    try:
        widgets = await served(client, group)
        async with Informer(client) as view:
            told = Told()
            view.subscribe(told.change, told.left)
            await view.track(widgets)
            widget = {
                "apiVersion": f"{group}/v1",
                "kind": "Widget",
                "metadata": {"name": "w", "namespace": namespace, "finalizers": ["example.com/held"]},
                "spec": {"size": 1},
            }
            await client.apply(widget, manager="us")
            await until(lambda: ("w", False, True) in told.changes)
            assert await departure_of(client, widgets, namespace) is Departure.ALONE
            await client.delete(crds, name_of(definition), uid=uid_of(made))
            async with asyncio.timeout(20):
                # The finalizer holds the object; by the time it is being deleted, its CRD is seen to go.
                while "deletionTimestamp" not in (await client.get(widgets, "w", namespace) or {}).get("metadata", {}):
                    await asyncio.sleep(0.05)
            assert await departure_of(client, widgets, namespace) is Departure.WITH_KIND
            await client.merge_patch(widgets, "w", namespace, {"metadata": {"finalizers": None}})
            await until(lambda: told.gone == [f"widgets.{group}"], within=40)
        async with asyncio.timeout(20):
            while True:
                await client.discovery.refresh()
                if GroupKind(group, "Widget") not in (await client.discovery.catalog()).by_kind:
                    break
                await asyncio.sleep(0.05)
    finally:
        await client.delete(crds, name_of(definition))


async def served(client: KubeClient, group: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            client.discovery.invalidate()
            try:
                return await client.discovery.resource(group, "v1", "Widget")
            except KindNotServed:
                await asyncio.sleep(0.05)


async def test_an_object_that_goes_with_its_namespace_is_seen_to(client: KubeClient) -> None:
    name = f"client-{uuid.uuid4().hex[:10]}"
    spaces = await client.discovery.resolve("ns")
    maps = await client.discovery.resolve("cm")
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    held = config_map(name, "x")
    held["metadata"]["finalizers"] = ["example.com/held"]
    await client.create(held)
    assert await departure_of(client, maps, name) is Departure.ALONE
    await client.delete(spaces, name)
    assert await departure_of(client, maps, name) is Departure.WITH_NAMESPACE
    await client.merge_patch(maps, "x", name, {"metadata": {"finalizers": None}})


# the engine's applier


async def test_the_applier_is_what_the_engine_asks_for(client: KubeClient, namespace: str) -> None:
    applier: Applier = ClusterApplier(client, "us")
    assert await applier.scope("", "v1", "ConfigMap") is Scope.NAMESPACED
    assert await applier.scope("", "v1", "Namespace") is Scope.CLUSTER
    with pytest.raises(KindNotServed):
        await applier.scope("nothing.example.com", "v1", "Nothing")
    ref = ObjectRef("", "ConfigMap", namespace, "x")
    made = await applier.apply(config_map(namespace, "x", a="1"))
    assert labels_of(await applier.get(ref, "v1") or {}) == {"made-by": "conformance"}
    patched = await applier.patch_json(ref, "v1", [{"op": "add", "path": "/data/b", "value": "2"}])
    assert patched["data"] == {"a": "1", "b": "2"}
    options = {"uid": uid_of(made), "resource_version": "", "propagation": "Background"}
    assert await applier.delete(ref, "v1", **options)
    assert not await applier.delete(ref, "v1", **options)
    assert await applier.get(ref, "v1") is None


# tokens


async def test_a_service_accounts_token_is_given_for_an_audience(client: KubeClient, namespace: str) -> None:
    account = ObjectRef("", "ServiceAccount", namespace, "puller")
    tokens = AccountTokens(client)
    with pytest.raises(AuthenticationFailed, match="gives no token of"):
        await tokens(account, "sts.amazonaws.com")
    await client.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller", "namespace": namespace}}
    )
    token = await tokens(account, "sts.amazonaws.com")
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:puller"
