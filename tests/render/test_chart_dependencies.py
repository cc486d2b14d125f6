"""Charts in Git whose dependencies are not vendored: what `helm dependency build` and then `helm template` give.

The repository is served over HTTP; the real helm fetches from the same place.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peers.locate import find_program
from tests.peers.registry import Registry
from tests.render.conftest import Files
from tests.sources.helm.kit import ChartServer, chart_files, chart_server, packed_chart
from tests.support.ocipush import HELM_CONFIG, HELM_CONTENT, Layer, Pusher
from tests.support.snapshots import MemorySnapshot
from trueup.model.errors import BuildFailed, InvalidInput, SourceError, TrueupError
from trueup.model.remote import RemoteNeed
from trueup.model.rendering import HelmOptions, RenderMode, RenderSpec
from trueup.model.source import HelmRepositorySource
from trueup.render.cache import BuildCache
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Rendered, Renderer
from trueup.sources.fetching import SourceFetchers
from trueup.sources.helm.chart import FoundRepository
from trueup.sources.remotecharts import chart_repository
from trueup.sources.secrets import SecretData, SourceSecrets

OPTIONS = HelmOptions(release_name="shop", namespace="prod")
CONFIG = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-own}\n"
    "data: {text: {{ .Values.text | default `none` | quote }}}\n"
)
Locked = Callable[[Files], Files]


class Charts:
    """What a test has: a repository of charts, and what renders from it."""

    def __init__(self, server: ChartServer, fetchers: SourceFetchers, engines: EnginePool, folder: Path) -> None:
        self.server, self.fetchers, self.engines, self.folder = server, fetchers, engines, folder
        self.needed: tuple[RemoteNeed, ...] = ()
        self.secrets = SourceSecrets()
        self.names: dict[str, str] = {}
        self.asked: list[str] = []
        self.cache: BuildCache | None = None

    @property
    def url(self) -> str:
        return self.server.web.url

    async def _find(self, repository: str) -> FoundRepository:
        self.asked.append(repository)
        return chart_repository(repository, self.names), self.secrets

    async def render(self, files: Files, path: str = "app", *, as_before: bool = False) -> Rendered:
        spec = RenderSpec(path=path, mode=RenderMode.ARGOCD, helm=OPTIONS)
        remotes = self.fetchers.remotes.of((), expected=self.needed, as_before=as_before, find=self._find)
        try:
            renderer = Renderer(self.engines, cache=self.cache)
            rendered = await renderer.render(MemorySnapshot(files), spec, remotes=remotes)
            self.needed = rendered.remotes
            return rendered
        finally:
            remotes.release()

    def helm(self, *arguments: str) -> str:
        """The real command in a home of its own."""
        environment = {"HOME": str(self.folder / "home"), "PATH": "/usr/bin:/bin"}
        program = find_program("helm", print)
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def write(self, files: Files) -> None:
        for name, content in files.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            assert isinstance(content, (str, bytes))
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

    async def theirs(self, files: Files) -> list[Any]:
        """What helm makes of them, as documents in a stable order."""
        self.write(files)
        await asyncio.to_thread(self.helm, "repo", "add", "known", self.url, "--force-update")
        await asyncio.to_thread(self.helm, "dependency", "build", "app")
        said = await asyncio.to_thread(self.helm, "template", "shop", "app", "--namespace", "prod")
        return ordered([one for one in yaml.safe_load_all(said) if one])

    async def locked(self, files: Files) -> Files:
        """With the lock that helm writes for them."""
        self.write(files)
        await asyncio.to_thread(self.helm, "repo", "add", "known", self.url, "--force-update")
        await asyncio.to_thread(self.helm, "dependency", "update", "app")
        name = "requirements.lock" if "app/requirements.yaml" in files else "Chart.lock"
        return {**files, f"app/{name}": (self.folder / "app" / name).read_text()}


@pytest.fixture
async def charts(tmp_path: Path, engines: EnginePool) -> AsyncIterator[Charts]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(chart_server())
        fetchers = SourceFetchers(tmp_path / "sources", EngineChartReader(engines), allow_local=True)
        stack.push_async_callback(fetchers.close)
        server.publish("redis", "1.0.0", values={"color": "red"})
        server.publish("redis", "1.1.0", values={"color": "crimson"})
        server.publish("redis", "2.0.0", values={"color": "purple"})
        yield Charts(server, fetchers, engines, tmp_path / "tree")


def app(*dependencies: dict[str, Any], **files: str) -> Files:
    metadata = {"apiVersion": "v2", "name": "app", "version": "0.1.0", "dependencies": list(dependencies)}
    return {"app/Chart.yaml": yaml.safe_dump(metadata), "app/templates/own.yaml": CONFIG, **files}


def ordered(objects: list[Any]) -> list[Any]:
    return sorted(objects, key=lambda one: json.dumps(one, sort_keys=True))


def manifests(rendered: Rendered) -> list[Any]:
    return ordered([one.manifest for one in rendered.objects])


def versions(rendered: Rendered) -> dict[str, str]:
    found = {one.manifest["metadata"]["name"]: one.manifest["data"] for one in rendered.objects}
    return {name: data["version"] for name, data in found.items() if "version" in data}


def local(path: str, name: str, version: str, **more: Any) -> Files:
    return {f"{path}/{file}": text for file, text in chart_files(name, version, **more).items()}


NESTED = packed_chart("inner", "3.0.0", values={"color": "grey"})


@pytest.mark.real
@pytest.mark.parametrize("lock", [False, True], ids=["range", "lock"])
async def test_a_chart_renders_as_after_helm_dependency_build(charts: Charts, lock: bool) -> None:
    charts.server.publish("outer", "1.0.0", files={"charts/inner-3.0.0.tgz": NESTED})
    files = app(
        {"name": "redis", "version": "^1.0.0", "repository": charts.url},
        {"name": "redis", "version": "~2.0", "repository": charts.url, "alias": "cache"},
        {"name": "outer", "version": ">=1", "repository": charts.url + "/"},
        {"name": "outer", "version": "1.0.0", "repository": charts.url, "alias": "spare", "condition": "spare.enabled"},
        {"name": "common", "version": "0.x", "repository": "file://../libs/common"},
        {"name": "bundled", "version": "1.0.0"},
        **{"app/values.yaml": "text: mine\nredis: {color: pink}\ncache: {color: navy}\nspare: {enabled: false}\n"},
        **local("libs/common", "common", "0.3.0"),
        **local("app/charts/bundled", "bundled", "1.0.0"),
        **{"libs/common/.helmignore": "ignored.yaml\n", "libs/common/templates/ignored.yaml": "a: b\n"},
        **{"app/charts/redis-0.9.0.tgz": packed_chart("redis", "0.9.0")},  # type: ignore[dict-item]
    )
    if lock:
        files = await charts.locked(files)
    ours = await charts.render(files)
    assert manifests(ours) == await charts.theirs(files)
    assert versions(ours) == {
        "shop-redis": "1.1.0", "shop-cache": "2.0.0", "shop-outer": "1.0.0", "shop-inner": "3.0.0",
        "shop-common": "0.3.0", "shop-bundled": "1.0.0",
    }  # fmt: skip


@pytest.mark.real
async def test_old_charts_keep_their_dependencies_and_lock_in_files_beside(charts: Charts) -> None:
    wanted = {"dependencies": [{"name": "redis", "version": "1.x", "repository": charts.url}]}
    files: Files = {
        "app/Chart.yaml": "apiVersion: v1\nname: app\nversion: 0.1.0\n",
        "app/requirements.yaml": yaml.safe_dump(wanted),
        "app/templates/own.yaml": CONFIG,
    }
    locked = await charts.locked(files)
    charts.server.publish("redis", "1.2.0")
    assert versions(await charts.render(locked)) == {"shop-redis": "1.1.0"}
    assert manifests(await charts.render(locked)) == await charts.theirs(locked)
    assert versions(await charts.render(files)) == {"shop-redis": "1.2.0"}


@pytest.mark.real
async def test_a_lock_that_is_out_of_step_is_refused_as_helm_refuses_it(charts: Charts) -> None:
    files = await charts.locked(app({"name": "redis", "version": "^1.0.0", "repository": charts.url}))
    files = {**files, **app({"name": "redis", "version": "^2.0.0", "repository": charts.url})}
    with pytest.raises(BuildFailed, match=r"Chart\.lock.*out of sync") as caught:
        await charts.render(files)
    assert str(caught.value.origin) == "app/Chart.lock"
    with pytest.raises(AssertionError, match="out of sync"):
        await charts.theirs(files)
    assert not charts.asked


@pytest.mark.real
async def test_a_repository_may_be_named_as_argo_cd_knows_it(charts: Charts) -> None:
    charts.names = {"known": charts.url}
    files = app({"name": "redis", "version": "^1.0.0", "repository": "@known"})
    locked = await charts.locked(files)
    assert manifests(await charts.render(locked)) == await charts.theirs(locked)
    assert manifests(await charts.render(files)) == await charts.theirs(locked)
    charts.names = {}
    with pytest.raises(InvalidInput, match="'@known' of a dependency is not known"):
        await charts.render(files)


@pytest.mark.real
async def test_a_dependency_may_come_from_a_registry(charts: Charts, registry: Registry) -> None:
    pusher = Pusher(registry.url, "deps/redis")
    for version in ("1.2.3", "1.3.0"):
        chart = Layer(packed_chart("redis", version), HELM_CONTENT)
        await pusher.artifact(version, chart, config_type=HELM_CONFIG)
    files = app({"name": "redis", "version": "~1.2", "repository": f"oci://{registry.host}/deps"})
    assert versions(await charts.render(files)) == {"shop-redis": "1.2.3"}
    (need,) = charts.needed
    assert str(need.revision) == "1.2.3"


async def test_nothing_is_fetched_for_a_chart_that_lacks_nothing(charts: Charts) -> None:
    files = app(
        {"name": "redis", "version": "^1.0.0", "repository": charts.url}, **local("app/charts/redis", "redis", "1.0.5")
    )
    assert versions(await charts.render(files)) == {"shop-redis": "1.0.5"}
    assert charts.server.asked == []
    assert charts.needed == ()


async def test_an_unchanged_dependency_costs_one_conditional_request_and_no_render(
    charts: Charts, tmp_path: Path
) -> None:
    charts.cache = BuildCache(tmp_path / "builds")
    files = app({"name": "redis", "version": "^1.0.0", "repository": charts.url})
    await charts.render(files)
    charts.server.statuses.clear()
    again = await charts.render(files)
    assert again.from_cache
    assert charts.server.statuses == [304]
    charts.server.publish("redis", "1.4.0")
    newer = await charts.render(files)
    assert not newer.from_cache
    assert versions(newer) == {"shop-redis": "1.4.0"}


async def test_what_was_used_last_is_there_again_without_the_network(charts: Charts) -> None:
    files = app({"name": "redis", "version": "^1.0.0", "repository": charts.url})
    await charts.render(files)
    charts.server.publish("redis", "1.4.0")
    charts.server.statuses.clear()
    assert versions(await charts.render(files, as_before=True)) == {"shop-redis": "1.1.0"}
    assert charts.server.statuses == []


async def test_credentials_go_along_and_are_in_no_message(charts: Charts) -> None:
    charts.server.credentials = "Basic Ym90OnNlY3JldA=="
    files = app({"name": "redis", "version": "1.0.0", "repository": charts.url})
    with pytest.raises(SourceError, match=r"the dependency redis 1\.0\.0: .*401"):
        await charts.render(files)
    charts.secrets = SourceSecrets(argo=SecretData("Opaque", {"username": b"bot", "password": b"secret"}))
    assert versions(await charts.render(files)) == {"shop-redis": "1.0.0"}
    charts.secrets = SourceSecrets(argo=SecretData("Opaque", {"username": b"bot", "password": b"wrong-word"}))
    with pytest.raises(SourceError) as caught:
        await charts.render(files)
    assert "wrong-word" not in str(caught.value)


async def test_a_template_of_a_dependency_is_named_where_it_stands(charts: Charts) -> None:
    charts.server.publish(
        "broken", "1.0.0", files={"templates/bad.yaml": "a: {{ required `say it` .Values.nothing }}\n"}
    )
    with pytest.raises(BuildFailed, match="say it") as caught:
        await charts.render(app({"name": "broken", "version": "1.0.0", "repository": charts.url}))
    assert str(caught.value.origin).startswith(f"{charts.url}/broken-1.0.0//templates/bad.yaml:1")
    files = app({"name": "redis", "version": "1.0.0", "repository": charts.url})
    places = {one.manifest["metadata"]["name"]: str(one.origin) for one in (await charts.render(files)).objects}
    assert places["shop-redis"].startswith(f"{charts.url}/redis-1.0.0//templates/config.yaml")


@pytest.mark.parametrize(
    ("dependency", "message"),
    [
        ({"repository": "file://../../outside"}, "outside the repository"),
        ({"repository": "file:///etc"}, "outside the repository"),
        ({"repository": "file://../nothing"}, "expected a file|absent|not"),
        ({"repository": "file://../libs/redis", "version": "9.x"}, "is at version 1.0.0, which '9.x'|which \"9.x\""),
        ({"repository": "ftp://example.org/charts"}, "no chart repository's address"),
        ({"repository": "https:///charts"}, "is not an http or https URL"),
        ({"repository": "@nobody"}, "not known by that name"),
        ({"name": "../redis", "repository": "https://example.org"}, "no name that a chart can have"),
        ({}, "missing in charts/"),
    ],
)
async def test_what_no_dependency_may_be_is_refused_clearly(
    charts: Charts, dependency: dict[str, str], message: str
) -> None:
    files = app({"name": "redis", "version": "1.0.0", **dependency}, **local("libs/redis", "redis", "1.0.0"))
    with pytest.raises(TrueupError, match=message):
        await charts.render(files)


async def test_what_comes_damaged_or_otherwise_than_promised_is_refused_and_tried_again(charts: Charts) -> None:
    files = app({"name": "redis", "version": "1.0.0", "repository": charts.url})
    good = charts.server.files["/charts/redis-1.0.0.tgz"]
    charts.server.files["/charts/redis-1.0.0.tgz"] = packed_chart("redis", "1.0.0", values={"color": "evil"})
    with pytest.raises(SourceError, match="another digest"):
        await charts.render(files)
    charts.server.files["/charts/redis-1.0.0.tgz"] = good
    assert versions(await charts.render(files)) == {"shop-redis": "1.0.0"}


async def test_without_fetching_the_message_says_what_helps(engines: EnginePool, charts: Charts) -> None:
    files = app({"name": "redis", "version": "1.0.0", "repository": charts.url})
    spec = RenderSpec(path="app", mode=RenderMode.ARGOCD, helm=OPTIONS)
    with pytest.raises(BuildFailed, match="missing in charts/ directory: redis") as caught:
        await Renderer(engines).render(MemorySnapshot(files), spec)
    assert "--fetch" in caught.value.hint
    assert charts.server.asked == []


async def test_an_address_of_a_repository_is_looked_up_as_it_stands(charts: Charts) -> None:
    await charts.render(app({"name": "redis", "version": "1.0.0", "repository": charts.url}))
    assert charts.asked == [charts.url]
    assert chart_repository("oci://host/charts", {}).oci
    assert not HelmRepositorySource(url=charts.url).oci
