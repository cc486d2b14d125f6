"""Links filled in by the engine: conditions, wrong ones beside right ones, endless ones, and what may not leave."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from tests.server.argo.kit import application
from trueup.model.errors import EngineFailed
from trueup.render.engine.build import GOTEMPLATE
from trueup.render.engine.pool import EnginePool
from trueup.server.keeping.secretrows import cluster_row
from trueup.server.linking.declared import Link, Of
from trueup.server.linking.filling import AWAY_SECONDS, Links
from trueup.server.linking.values import cluster_values, values_of

WEB = application("web", labels={"team": "blue"})
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "shop"},
    "data": {"token": base64.b64encode(b"canary").decode()},
    "stringData": {"plain": "canary"},
}
CLUSTER = {
    "metadata": {
        "name": "c",
        "labels": {"argocd.argoproj.io/secret-type": "cluster", "env": "prod"},
        "annotations": {"region": "eu", "kubectl.kubernetes.io/last-applied-configuration": "canary"},
    },
    "data": {
        key: base64.b64encode(value.encode()).decode()
        for key, value in {"name": "far", "server": "https://far", "config": '{"bearerToken":"canary"}'}.items()
    },
}
PROJECT = {
    "metadata": {"name": "shop", "labels": {"env": "prod"}},
    "spec": {"sourceRepos": ["r"], "roles": [{"name": "ci", "jwtTokens": [{"iat": 1, "id": "canary"}]}]},
    "status": {"jwtTokensByRole": {"ci": {"items": [{"id": "canary"}]}}},
}


class Set:
    """Settings that a test may change, and a clock that it moves."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.now = 1000.0
        self.links = Links(lambda: self.data, clock=lambda: self.now, seconds=0.5)

    async def filled(
        self, *links: Mapping[str, Any], of: Of = Of.APPLICATION, whole: bool = False, **values: Any
    ) -> tuple[Link, ...]:
        self.data = {of: yaml.safe_dump(list(links))}
        return await self.links.filled(of, values_of(**({"app": WEB} | values)), "web", whole=whole)


@pytest.fixture
async def settings() -> AsyncIterator[Set]:
    held = Set()
    async with held.links:
        yield held


async def test_links_are_filled_in_and_conditions_decide(settings: Set) -> None:
    found = await settings.filled(
        {
            "url": "https://logs/?ns={{.application.spec.destination.namespace}}&t={{.app.metadata.labels.team | upper}}",
            "title": "Logs of {{.app.metadata.name}}",
            "description": "{{ nothing }}",
            "icon.class": "fa-book",
        },
        {"url": "https://no", "title": "no", "if": 'application.spec.project == "other"'},
        {"url": "{{.managedByURL}}/x", "title": "here", "if": 'app.spec.project == "shop"'},
        server_url="https://trueup.example.com",
    )
    assert found == (
        Link(title="Logs of web", url="https://logs/?ns=shop&t=BLUE", description="{{ nothing }}", icon="fa-book"),
        Link(title="here", url="https://trueup.example.com/x"),
    )


async def test_a_wrong_link_is_told_to_the_log_once_and_hinders_no_other(settings: Set) -> None:
    wrong: list[Mapping[str, Any]] = [
        {"url": "https://x/{{", "title": "unfinished"},
        {"url": "https://x/{{ .app.metadata.name.more }}", "title": "too deep"},
        {"url": "https://x", "title": "no condition", "if": "1 +"},
        {"url": "https://x", "title": "no answer", "if": "app.metadata.name"},
        {"url": "javascript:alert('{{.app.metadata.name}}')", "title": "script"},
        {"url": "{{ env `PATH` }}", "title": "environment"},
    ]
    with structlog.testing.capture_logs() as said:
        for _ in range(2):
            assert await settings.filled(*wrong, {"url": "https://sound", "title": "sound"}) == (
                Link(title="sound", url="https://sound"),
            )
    assert [one["title"] for one in said] == [one["title"] for one in wrong]
    assert all(one["about"] == "web" and one["key"] == "application.links" and one["error"] for one in said)


async def test_an_endless_link_costs_a_moment_and_then_nothing_for_a_while(settings: Set) -> None:
    endless = {"url": "{{ range 100000000000 }}{{ end }}", "title": "endless"}
    sound = {"url": "https://sound", "title": "sound"}
    settings.links._declared(Of.APPLICATION)
    with structlog.testing.capture_logs() as said:
        assert [one.title for one in await settings.filled(endless, sound)] == ["sound"]
        assert [one.title for one in await settings.filled(endless, sound)] == ["sound"]
    assert ["took longer" in one["error"] for one in said] == [True]
    assert len(settings.links._away) == 1
    settings.now += AWAY_SECONDS + 1
    assert all(until < settings.now for until in settings.links._away.values())


async def test_a_template_meets_nothing_secret(settings: Set) -> None:
    everything = "https://x/{{ toJson . }}"
    row = cluster_row(CLUSTER)
    (found,) = await settings.filled(
        {"url": everything, "title": "t"},
        of=Of.RESOURCE,
        resource=SECRET,
        cluster=cluster_values(row, CLUSTER["metadata"]["annotations"]),
        project=PROJECT,
    )
    assert "canary" not in found.url
    assert base64.b64encode(b"canary").decode() not in found.url
    for kept in ('"region":"eu"', '"env":"prod"', '"server":"https://far"', '"kind":"Secret"', '"sourceRepos":["r"]'):
        assert kept in found.url


async def test_of_a_template_that_fits_by_half_nothing_is_shown_where_that_is_asked(settings: Set) -> None:
    half = {"url": "https://x/{{ .app.spec.targetNamespace }}", "title": "t"}
    assert [one.url for one in await settings.filled(half)] == ["https://x/<no value>"]
    assert await settings.filled(half, whole=True) == ()


async def test_an_app_that_another_server_manages_says_so_unless_it_is_no_address(settings: Set) -> None:
    link = {"url": "{{.managedByURL}}", "title": "t"}
    for said, leads in (("https://other.example.com", "https://other.example.com"), ("javascript:x", "https://us")):
        app = {**WEB, "metadata": {**WEB["metadata"], "annotations": {"argocd.argoproj.io/managed-by-url": said}}}
        assert [one.url for one in await settings.filled(link, app=app, server_url="https://us")] == [leads]


async def test_what_cannot_be_read_is_told_to_the_log_and_shows_no_links(settings: Set) -> None:
    settings.data = {Of.PROJECT: "x: y"}
    with structlog.testing.capture_logs() as said:
        assert not settings.links.declares(Of.PROJECT)
        assert await settings.links.filled(Of.PROJECT, {}, "shop") == ()
    assert [one["key"] for one in said] == ["project.links"]


async def test_without_the_engine_there_are_no_links_and_the_log_says_why_once_a_minute(tmp_path: Path) -> None:
    engines = EnginePool(workers=1, binary=tmp_path / "none", engine=GOTEMPLATE)
    declared = {Of.PROJECT: "- {url: https://x, title: t}"}
    async with Links(lambda: declared, engines, lambda: 0.0) as links:
        with structlog.testing.capture_logs() as said:
            assert [await links.filled(Of.PROJECT, {}, "shop") for _ in range(2)] == [(), ()]
        assert [one["log_level"] for one in said] == ["error"]
        with pytest.raises(EngineFailed):
            await links.wrong(declared[Of.PROJECT])


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"url": "https://{{.x}}", "title": "t", "if": "a.b == 1"}, ""),
        ({"url": "https://{{.x", "title": "t"}, "link 1: 'https://{{.x' cannot be filled in: unclosed action"),
        ({"url": "https://x", "title": "t", "if": "a =="}, "link 1: if: 'a ==' cannot be judged: unexpected token EOF"),
    ],
)
async def test_templates_are_tried_before_they_are_written(settings: Set, link: dict[str, str], said: str) -> None:
    assert (await settings.links.wrong(yaml.safe_dump([link])))[: len(said) or None] == said
