"""A registered repository or cluster is tested by what it answers: a real Git server, a real Helm repository, a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.controllers.test_credentials import secret
from tests.embedded.fixtures import embedded_cluster
from tests.sources.gitkit import Work, git
from tests.sources.helm.kit import chart_server
from tests.sources.webserver import web_server
from trueup.apps.probe import Probe, ProbeWish
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.probing import NotRegistered, Probing
from trueup.controllers.values import ValueStore
from trueup.embedded.gitserver import GitServer, Guard, Right, User
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.sources.fetching import SourceFetchers

__all__ = ["embedded_cluster"]


class Registered:
    """Probes what its Secrets register."""

    def __init__(self, fetchers: SourceFetchers, home: KubeClient) -> None:
        self.objects: dict[ObjectRef, dict[str, Any]] = {}
        values = ValueStore(self._read)
        credentials = SourceCredentials(values, lambda: list(self.objects.values()))
        self.probing = Probing(self._read, fetchers, credentials, home, "argocd", seconds=10.0)

    async def _read(self, ref: ObjectRef) -> Manifest | None:
        return self.objects.get(ref)

    async def probe(self, kind: str, **data: str) -> Probe:
        made = secret("one", kind, **data)
        self.objects[ref_of(made)] = made
        return await self.probing.probe(ProbeWish(secret="one"))


@pytest.fixture
async def registered(tmp_path: Path, embedded_cluster: Any) -> AsyncIterator[Registered]:
    async with EnginePool(workers=1) as engines, KubeClient(load_config(embedded_cluster.kubeconfig)) as home:
        fetchers = SourceFetchers(tmp_path / "state", EngineChartReader(engines), allow_local=True)
        yield Registered(fetchers, home)
        await fetchers.close()


async def test_a_git_repository_shows_its_branches_to_its_own_credentials_alone(
    registered: Registered, tmp_path: Path
) -> None:
    work = Work(tmp_path / "work")
    work.commit({"a": "1"})
    work.git("tag", "v1")
    git("clone", "-q", "--bare", work.path, tmp_path / "served/apps.git")
    users = (User(name="ann", secret="canary-pw", right=Right(read=True)),)
    server = GitServer(tmp_path / "served", guard=Guard(Right(), users))
    await server.start()
    try:
        url = server.url("apps")
        found = await registered.probe("repository", url=url, username="ann", password="canary-pw")
        assert found == Probe(reachable=True, default_branch="main", branches=("main",), tags=("v1",))
        wrong = await registered.probe("repository", url=url, username="ann", password="canary-no")
        assert (wrong.reachable, wrong.reason) == (False, "AuthenticationFailed")
        assert "canary" not in str(wrong)
        template = secret("all", "repo-creds", url=url.rpartition("/")[0], username="ann", password="canary-pw")
        registered.objects[ref_of(template)] = template
        assert (await registered.probe("repository", url=url)).reachable
        gone = await registered.probe("repository", url=url.replace("apps", "gone"), username="x", password="y")
        assert (gone.reachable, bool(gone.message)) == (False, True)
    finally:
        await server.stop()


async def test_a_helm_repository_shows_its_charts_and_a_registry_says_that_it_has_no_list(
    registered: Registered,
) -> None:
    async with chart_server() as server:
        for version in ("1.0.0", "1.2.0"):
            server.publish("app", version)
        found = await registered.probe("repository", url=server.web.url, type="helm", name="shop")
    assert (found.reachable, sorted(found.charts["app"])) == (True, ["1.0.0", "1.2.0"])
    none = await registered.probe("repository", url="registry.example.com/charts", type="helm", name="shop")
    assert (none.reachable, "no list" in none.message) == (False, True)


async def test_a_cluster_says_its_version_and_whatever_else_answers_is_none(
    registered: Registered, embedded_cluster: Any
) -> None:
    config = load_config(embedded_cluster.kubeconfig)
    who = await config.credentials.current()
    tls = {"caData": config.tls.ca, "certData": who.certificate, "keyData": who.key}
    said: dict[str, Any] = {
        "tlsClientConfig": {key: base64.b64encode(value).decode() for key, value in tls.items()},
        "bearerToken": who.authorization.removeprefix("Bearer "),
    }
    found = await registered.probe("cluster", server=config.server, name="staging", config=json.dumps(said))
    assert (found.reachable, found.version[:2]) == (True, "v1"), found
    said |= {"bearerToken": "canary", "tlsClientConfig": {"caData": said["tlsClientConfig"]["caData"]}}
    refused = await registered.probe("cluster", server=config.server, name="staging", config=json.dumps(said))
    assert (refused.reachable, "canary" in str(refused)) == (False, False)
    home = await registered.probe("cluster", server="https://kubernetes.default.svc", name="in-cluster")
    assert (home.reachable, home.version) == (True, found.version)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="canary of an inner service")

    async with web_server(page) as server:
        other = await registered.probe("cluster", server=server.url, name="page", config="{}")
    assert (other.reachable, "canary" in str(other)) == (False, False)


async def test_a_template_and_what_is_not_registered_cannot_be_tested(registered: Registered) -> None:
    template = await registered.probe("repo-creds", url="https://git.example.com")
    assert (template.reachable, "many URLs" in template.message) == (False, True)
    with pytest.raises(NotRegistered):
        await registered.probing.probe(ProbeWish(secret="other"))
    with pytest.raises(NotRegistered):
        await registered.probe("anything", url="https://git.example.com")
