"""Discovery: what is read from either kind of document, what people type, and when the server is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.scripted import Script, aggregated, client_for, hang_up, json, status, until
from trueup.cluster.catalog import Catalog
from trueup.cluster.client import KubeClient
from trueup.cluster.discovery import Discovery
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import InvalidInput


def resource(group: str, version: str, plural: str, kind: str, *short: str) -> Resource:
    return Resource(group=group, version=version, plural=plural, kind=kind, namespaced=True, short_names=short)


CATALOG = Catalog.of(
    [
        resource("", "v1", "events", "Event", "ev"),
        resource("", "v1", "pods", "Pod", "po"),
        resource("apps", "v1", "deployments", "Deployment", "deploy"),
        resource("events.k8s.io", "v1", "events", "Event", "ev"),
        resource("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization", "ks"),
        resource("kustomize.toolkit.fluxcd.io", "v1beta2", "kustomizations", "Kustomization", "ks"),
        resource("other.example.com", "v1", "ks", "K"),
        resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("po", "pods (v1)"),
        ("Pod", "pods (v1)"),
        ("deploy", "deployments.apps (v1)"),
        ("deployments.apps", "deployments.apps (v1)"),
        ("deployment.v1.apps", "deployments.apps (v1)"),
        ("event", "events (v1)"),
        ("events.events.k8s.io", "events.events.k8s.io (v1)"),
        ("ev.events", "events.events.k8s.io (v1)"),
        ("kustomization.kustomize.toolkit.fluxcd.io", "kustomizations.kustomize.toolkit.fluxcd.io (v1)"),
        (
            "kustomization.v1beta2.kustomize.toolkit.fluxcd.io",
            "kustomizations.kustomize.toolkit.fluxcd.io (v1beta2)",
        ),
        # A plural wins over somebody's short name.
        ("ks", "ks.other.example.com (v1)"),
        ("podmetrics", "pods.metrics.k8s.io (v1beta1)"),
    ],
)
def test_what_people_type_is_read_as_kubectl_reads_it(text: str, expected: str) -> None:
    assert str(CATALOG.resolve(text)) == expected


@pytest.mark.parametrize(
    ("text", "hint"), [("deplyoment", "did you mean deployment"), ("zzz", "see `kubectl api-resources`")]
)
def test_what_nobody_serves_names_near_words(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=f"nothing called '{text}'") as caught:
        CATALOG.resolve(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (
            ("kustomize.toolkit.fluxcd.io", "v2", "Kustomization"),
            "it serves Kustomization of kustomize.toolkit.fluxcd.io in v1, v1beta2",
            "write apiVersion: kustomize.toolkit.fluxcd.io/v1",
        ),
        (("", "v1", "Deployment"), "it serves a Deployment in apps/v1", "write apiVersion: apps/v1"),
        (("apps", "v1", "Deploymnt"), "the group has Deployment", "did you mean Deployment?"),
        (("x.example", "v1", "Foo"), "nor anything else of x.example", "install its CustomResourceDefinition first"),
    ],
)
def test_a_kind_that_is_not_served_names_what_is(wanted: tuple[str, str, str], message: str, hint: str) -> None:
    error = CATALOG.missing(*wanted)
    assert message in error.message
    assert hint in error.hint


def test_an_empty_version_means_the_preferred_one() -> None:
    found = CATALOG.find("kustomize.toolkit.fluxcd.io", "", "Kustomization")
    assert found is not None
    assert found.version == "v1"


# asking the server

WIDGETS = [("v1", "example.com", [("widgets", "Widget", True, ["wdg"])])]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(script: Script, clock: Clock) -> AsyncIterator[KubeClient]:
    async with client_for(script, retry=RetryPolicy(attempts=1)) as made:
        made.discovery = Discovery(made, clock=clock)
        yield made


def rounds(script: Script) -> int:
    return len(script.asked_for("GET /apis"))


async def test_many_who_ask_at_once_share_one_look(script: Script, client: KubeClient) -> None:
    await asyncio.gather(*(client.discovery.resource("apps", "v1", "Deployment") for _ in range(20)))
    assert rounds(script) == 1


async def test_a_miss_looks_again_but_not_more_often_than_every_few_seconds(
    script: Script, client: KubeClient, clock: Clock
) -> None:
    async def missed() -> bool:
        try:
            await client.discovery.resource("example.com", "v1", "Widget")
        except KindNotServed:
            return True
        return False

    assert await missed()
    assert await missed()
    assert rounds(script) == 1
    clock.now = 5.0
    assert await missed()
    assert await missed()
    assert rounds(script) == 2
    script.on("GET /apis", json(aggregated(WIDGETS)))
    assert await missed()
    clock.now = 10.0
    assert not await missed()


async def test_after_a_crd_changed_the_next_miss_looks_at_once(script: Script, client: KubeClient) -> None:
    await client.discovery.catalog()
    script.on("GET /apis", json(aggregated(WIDGETS)))
    client.discovery.invalidate()
    assert (await client.discovery.resource("example.com", "v1", "Widget")).plural == "widgets"
    assert rounds(script) == 2


async def test_a_look_that_began_before_the_change_is_not_trusted(script: Script, client: KubeClient) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(request: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await json(aggregated([]))(request)

    script.on("GET /apis", slowly, json(aggregated(WIDGETS)))
    looking = asyncio.create_task(client.discovery.resource("example.com", "v1", "Widget"))
    await begun.wait()
    client.discovery.invalidate()
    go_on.set()
    assert (await looking).plural == "widgets"


async def test_listeners_hear_of_new_catalogs_only(script: Script, client: KubeClient) -> None:
    heard: list[int] = []
    client.discovery.subscribe(lambda catalog: heard.append(len(catalog.resources)))
    await client.discovery.refresh()
    await client.discovery.refresh()
    script.on("GET /apis", json(aggregated(WIDGETS)))
    await client.discovery.refresh()
    assert heard == [3, 3]


async def test_a_look_that_fails_is_an_error_and_the_next_one_tries_again(script: Script, client: KubeClient) -> None:
    script.on("GET /apis", status(503, "ServiceUnavailable"), hang_up, json(aggregated(WIDGETS)))
    with pytest.raises(ApiError):
        await client.discovery.catalog()
    script.replies["GET /apis"].pop(0)
    assert await client.discovery.resource("example.com", "v1", "Widget")


async def test_who_is_cancelled_while_looking_does_not_take_the_others_along(
    script: Script, client: KubeClient
) -> None:
    go_on = asyncio.Event()

    async def slowly(request: Any) -> Any:
        await go_on.wait()
        return await json(aggregated(WIDGETS))(request)

    script.on("GET /apis", slowly)
    first = asyncio.create_task(client.discovery.catalog())
    second = asyncio.create_task(client.discovery.catalog())
    await until(lambda: rounds(script) == 1)
    first.cancel()
    go_on.set()
    assert (await second).find("example.com", "v1", "Widget")


async def test_a_stale_group_keeps_what_was_known_of_it(script: Script, client: KubeClient) -> None:
    script.on("GET /apis", json(aggregated(WIDGETS)))
    await client.discovery.refresh()
    stale = aggregated(WIDGETS)
    stale["items"][0]["versions"][0] |= {"freshness": "Stale", "resources": []}
    script.on("GET /apis", json(stale))
    await client.discovery.refresh()
    assert await client.discovery.resource("example.com", "v1", "Widget")


async def test_servers_without_aggregated_discovery_are_read_the_old_way(script: Script, client: KubeClient) -> None:
    script.on("GET /api", json({"kind": "APIVersions", "versions": ["v1"]}))
    script.on(
        "GET /api/v1",
        json(
            {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [
                    {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"], "shortNames": ["po"]},
                    {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
                ],
            }
        ),
    )
    versions = [{"version": "v1beta1"}, {"version": "v1"}]
    groups = [
        {"name": "example.com", "versions": versions, "preferredVersion": {"version": "v1"}},
        {"name": "broken.example.com", "versions": [{"version": "v1"}]},
    ]
    script.on("GET /apis", json({"kind": "APIGroupList", "groups": groups}))
    for version in ("v1", "v1beta1"):
        rows = [{"name": "widgets", "kind": "Widget", "namespaced": False, "verbs": ["get"]}]
        script.on(
            f"GET /apis/example.com/{version}", json({"groupVersion": f"example.com/{version}", "resources": rows})
        )
    script.on("GET /apis/broken.example.com/v1", status(503, "ServiceUnavailable"))
    pods = await client.discovery.resource("", "v1", "Pod")
    assert (pods.subresources, pods.short_names) == (("log",), ("po",))
    assert (await client.discovery.resource("example.com", "", "Widget")).version == "v1"
    assert not (await client.discovery.resource("example.com", "v1beta1", "Widget")).namespaced
