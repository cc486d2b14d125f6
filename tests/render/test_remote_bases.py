"""Kustomizations that name other repositories and URLs, rendered as the real kustomize renders them.

The repositories are served by a real Git server, the files by a real HTTP server; kustomize itself fetches from the same.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from tests.peers.build import ensure
from tests.peers.pins import KUSTOMIZE
from tests.render.conftest import Files
from tests.sources.gitkit import Work, server_process
from tests.sources.webserver import WebServer, web_server
from tests.support.snapshots import MemorySnapshot
from trueup.model.errors import BuildFailed, RefNotFound, SourceError, TrueupError
from trueup.model.remote import RemoteNeed
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.model.source import GitReference, GitSource
from trueup.render.cache import BuildCache
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Rendered, Renderer
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.remotebases import Owner, RemoteBases
from trueup.sources.secrets import SecretData, SourceSecrets

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}}}\ndata: {{value: {1}}}\n"
BASE: dict[str, str | bytes | None] = {
    "base/kustomization.yaml": "namePrefix: base-\nresources: [a.yaml, ../shared]\n",
    "base/a.yaml": MAP.format("a", "one"),
    "shared/kustomization.yaml": "resources: [s.yaml]\nconfigMapGenerator:\n- {name: gen, files: [f.txt]}\n",
    "shared/s.yaml": MAP.format("s", "shared"),
    "shared/f.txt": "some text\n",
    "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -part\n",
    "gen/kustomization.yaml": "resources: [g.yaml]\n",
    "gen/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: made}\nliterals: [a=b]\n",
    "label/kustomization.yaml": "resources: [l.yaml]\n",
    "label/l.yaml": (
        "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {from: afar}\n"
        "fieldSpecs: [{path: metadata/labels, create: true}]\n"
    ),
    "unread/other.yaml": MAP.format("unread", "x"),
}


class GitServer:
    """One process for all tests of the module; each has repositories of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        command = [sys.executable, "-m", "trueup.embedded.gitserver", "--root", str(root), "--token", "w"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().removeprefix("listening ").rstrip("/")

    def create(self) -> str:
        name = f"team/{uuid.uuid4().hex[:12]}.git"
        (self.root / "team").mkdir(exist_ok=True)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.root / name], check=True)
        return name


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("served"))
    yield server
    server.process.terminate()
    server.process.wait()


class Remotes:
    """What a test has: a repository to name, files to name, and the shell that fetches them."""

    def __init__(self, served: GitServer, web: WebServer, work: Work, bases: RemoteBases, engines: EnginePool) -> None:
        self.served, self.web, self.work, self.bases, self.engines = served, web, work, bases, engines
        self.name = served.create()
        self.cache: BuildCache | None = None
        self.needed: tuple[RemoteNeed, ...] = ()
        self.own: tuple[GitSource, ...] = ()
        self.secrets = SourceSecrets()

    @property
    def url(self) -> str:
        return f"{self.served.url}/{self.name}"

    def push(self, files: dict[str, str | bytes | None], *, tag: str = "") -> None:
        self.work.commit(files)
        if tag:
            self.work.git("tag", tag)
        self.work.git("push", "-q", "--tags", self.url.replace("://", "://any:w@"), "main")

    async def render(self, files: Files, path: str = "app", *, as_before: bool = False) -> Rendered:
        spec = RenderSpec(path=path, mode=RenderMode.ARGOCD)
        owners = [Owner(one, self.secrets) for one in self.own]
        remotes = self.bases.of(owners, expected=self.needed, as_before=as_before)
        try:
            rendered = await Renderer(self.engines, cache=self.cache).render(
                MemorySnapshot(files), spec, remotes=remotes
            )
            self.needed = rendered.remotes
            return rendered
        finally:
            remotes.release()


FILES = {
    "/all.yaml": MAP.format("file", "web"),
    "/patch.yaml": MAP.format("a", "patched"),
    "/x.txt": "text of the web\n",
    "/config.yaml": "commonLabels: [{path: data/labelled, create: true, kind: ConfigMap}]\n",
    "/crd.json": "{}",
    "/replace.yaml": (
        "source: {kind: ConfigMap, name: local, fieldPath: data.value}\n"
        "targets: [{select: {kind: ConfigMap, name: base-a}, fieldPaths: [data.value]}]\n"
    ),
}


async def serve(request: web.Request) -> web.StreamResponse:
    if request.path not in FILES:
        return web.Response(status=404)
    return web.Response(text=FILES[request.path], headers={"ETag": '"1"'})


@pytest.fixture
async def remotes(tmp_path: Path, engines: EnginePool, git_server: GitServer) -> AsyncIterator[Remotes]:
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(web_server(serve))
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
        http = await stack.enter_async_context(HttpFetcher())
        store = ContentStore(tmp_path / "content", mirrors.git)
        bases = RemoteBases(mirrors, GitFetcher(mirrors, GitHubTokens(http)), store, allow_local=True)
        stack.push_async_callback(bases.close)
        remotes = Remotes(git_server, web, Work(tmp_path / "work"), bases, engines)
        remotes.push(BASE, tag="v1")
        yield remotes


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return ensure(KUSTOMIZE) / "kustomize"


@pytest.fixture
def real(kustomize: Path, tmp_path: Path) -> Callable[[Files], list[object]]:
    """What the real kustomize makes of the files, fetching by itself; documents in a stable order."""

    def run(files: Files) -> list[object]:
        for name, content in files.items():
            place = tmp_path / "real" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            assert isinstance(content, str)
            place.write_text(content)
        done = subprocess.run(
            [kustomize, "build", "--load-restrictor", "LoadRestrictionsNone", tmp_path / "real" / "app"],
            capture_output=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"},
        )
        assert done.returncode == 0, done.stderr.decode()
        return ordered(list(yaml.safe_load_all(done.stdout)))

    return run


def ordered(objects: list[object]) -> list[object]:
    return sorted(objects, key=str)


def manifests(rendered: Rendered) -> list[object]:
    return ordered([one.manifest for one in rendered.objects])


def names(rendered: Rendered) -> list[str]:
    return sorted(one.manifest["metadata"]["name"] for one in rendered.objects)


def app(kustomization: str, **files: str) -> dict[str, str]:
    return {"app/kustomization.yaml": kustomization, **{f"app/{name}.yaml": text for name, text in files.items()}}


@pytest.mark.real
@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: ['{git}//base?ref=v1']\n",
        "resources:\n- {git}//base?ref=main\nnamespace: web\nimages: [{{name: x, newTag: '1'}}]\n",
        "resources: ['git::{git}//shared']\nnamePrefix: my-\n",
        "resources: ['{git}/base?version=v1&timeout=60&submodules=false']\n",
        "resources: ['{git}//base?ref={commit}']\n",
        "resources: ['{web}/all.yaml']\n",
        "resources: ['{git}//base?ref=v1', '{web}/all.yaml', local.yaml]\ncomponents: ['{git}//part?ref=v1']\n",
        "resources: ['{git}//base?ref=v1']\npatches:\n- path: '{web}/patch.yaml'\n  target: {{name: a}}\n",
        "configMapGenerator:\n- name: gen\n  files: ['x.txt={web}/x.txt']\n",
        "resources: [local.yaml]\ngenerators: ['{git}//gen?ref=v1']\ntransformers: ['{git}//label?ref=v1']\n",
        "resources: [local.yaml, '{git}//base?ref=v1']\nreplacements:\n- path: '{web}/replace.yaml'\n",
        "buildMetadata: [originAnnotations]\nresources: ['{git}//base?ref=v1', local.yaml]\n",
        "resources: [local.yaml]\ncommonLabels: {{a: b}}\nconfigurations: ['{web}/config.yaml']\ncrds: ['{web}/crd.json']\n",
    ],
)
async def test_the_result_is_that_of_the_real_kustomize(
    remotes: Remotes, real: Callable[[Files], list[object]], kustomization: str
) -> None:
    commit = remotes.work.git("rev-parse", "HEAD")
    text = kustomization.format(git=remotes.url, web=remotes.web.url, commit=commit)
    files = app(text, local=MAP.format("local", "here"))
    expected = await asyncio.to_thread(real, files)
    assert manifests(await remotes.render(files)) == expected


async def test_a_remote_base_may_name_further_ones_and_files_beside_it(remotes: Remotes) -> None:
    nested = Work(remotes.work.path.parent / "nested")
    nested.commit({"kustomization.yaml": f"namePrefix: nested-\nresources: ['{remotes.url}//base?ref=v1']\n"})
    url = f"{remotes.served.url}/{remotes.served.create()}"
    nested.git("push", "-q", url.replace("://", "://any:w@"), "main")
    rendered = await remotes.render(app(f"resources: ['{url}?ref=main']\n"))
    assert sum(name.startswith("nested-base-") for name in names(rendered)) == 3


async def test_what_was_read_of_a_remote_is_an_input_and_what_was_not_is_none(remotes: Remotes, tmp_path: Path) -> None:
    remotes.cache = BuildCache(tmp_path / "cache")
    files = app(f"resources: ['{remotes.url}//base?ref=main']\n")
    first = await remotes.render(files)
    assert [need.text for need in first.remotes] == [f"{remotes.url}//base?ref=main"]
    remotes.push({"unread/other.yaml": MAP.format("unread", "y")})
    assert (await remotes.render(files)).from_cache, "the branch moved, and nothing that was read did"
    remotes.push({"base/a.yaml": MAP.format("a", "two")})
    moved = await remotes.render(files)
    assert (moved.from_cache, names(moved)) == (False, names(first))
    assert manifests(moved) != manifests(first)


async def test_a_remote_that_did_not_move_costs_one_look_and_no_fetch(remotes: Remotes) -> None:
    files = app(f"resources: ['{remotes.url}//base?ref=v1', '{remotes.web.url}/all.yaml']\n")
    await remotes.render(files)
    started = remotes.bases._mirrors.git.started
    await remotes.render(files)
    assert remotes.bases._mirrors.git.started - started == 1
    assert [one.path for one in remotes.web.asked] == ["/all.yaml"] * 2


async def test_what_was_used_last_is_there_again_after_a_restart_without_the_remote(
    remotes: Remotes, tmp_path: Path
) -> None:
    files = app(f"resources: ['{remotes.url}//base?ref=main', '{remotes.web.url}/all.yaml']\n")
    first = await remotes.render(files)
    assert [need.revision is not None for need in first.remotes] == [True, True]
    remotes.push({"base/a.yaml": MAP.format("a", "two")})
    assert manifests(await remotes.render(files, as_before=True)) == manifests(first)

    (remotes.served.root / remotes.name).rename(tmp_path / "away")
    seen = len(remotes.web.asked)
    mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
    store = ContentStore(tmp_path / "content", mirrors.git)
    async with HttpFetcher() as http:
        remotes.bases = RemoteBases(mirrors, GitFetcher(mirrors, GitHubTokens(http)), store, allow_local=True)
        remotes.needed = first.remotes
        assert manifests(await remotes.render(files, as_before=True)) == manifests(first)
    assert len(remotes.web.asked) == seen
    with pytest.raises(SourceError):
        await remotes.render(files)


async def test_a_local_file_is_taken_before_a_repository_of_that_name(remotes: Remotes) -> None:
    files = {
        "app/kustomization.yaml": "resources: ['user@host:a.yaml']\n",
        "app/user@host:a.yaml": MAP.format("a", "x"),
    }
    assert names(await remotes.render(files)) == ["a"]


@pytest.mark.parametrize(
    ("entry", "files"),
    [
        ("../../app/secret.yaml", {}),
        ("../../../app/secret.yaml", {}),
        ("link.yaml", {"evil/link.yaml": "../../../../app/secret.yaml"}),
        ("link.yaml", {"evil/link.yaml": "/etc/passwd"}),
        ("/etc/passwd", {}),
    ],
)
async def test_a_remote_base_cannot_leave_its_repository(remotes: Remotes, entry: str, files: dict[str, str]) -> None:
    for name, target in files.items():
        (remotes.work.path / name).parent.mkdir(parents=True, exist_ok=True)
        (remotes.work.path / name).symlink_to(target)
    remotes.push({"evil/kustomization.yaml": f"resources: ['{entry}']\n"})
    own = app(f"resources: ['{remotes.url}//evil?ref=main']\n", secret=MAP.format("secret", "mine"))
    with pytest.raises(BuildFailed, match=r"outside the repository|does not exist|absolute") as caught:
        await remotes.render(own)
    assert ".snapshot-" not in str(caught.value)


async def test_credentials_go_only_to_the_host_that_they_are_for(remotes: Remotes, tmp_path: Path) -> None:
    secrets = SourceSecrets(auth=SecretData("Opaque", {"username": b"bot", "password": b"hunter2"}))
    async with server_process(
        tmp_path / "private", "--create", "team/base", "--private", "--reader", "bot:hunter2", "--token", "w"
    ) as private:
        remotes.work.git("push", "-q", f"{private.url}/team/base.git".replace("://", "://any:w@"), "main")
        files = app(f"resources: ['{private.url}/team/base.git//base?ref=main']\n")
        remotes.secrets = secrets
        elsewhere = GitSource(url="https://git.example.com/team/fleet.git", reference=GitReference(branch="main"))
        there = GitSource(url=f"{private.url}/team/fleet.git", reference=GitReference(branch="main"))
        remotes.own = (elsewhere, there)
        assert len(names(await remotes.render(files))) == 3
        remotes.own = (elsewhere,)
        with pytest.raises(SourceError) as caught:
            await remotes.render(files)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value.origin) == "app/kustomization.yaml:1"


@pytest.mark.parametrize(
    ("entry", "error", "says"),
    [
        ("{git}//base?ref=v9", RefNotFound, "'v9' does not exist"),
        ("{git}//missing?ref=v1", BuildFailed, "no directory 'missing'"),
        ("{web}/none.yaml", SourceError, "gives no file"),
        ("{git}//base/a.yaml?ref=v1", BuildFailed, "no directory 'base/a.yaml'"),
    ],
)
async def test_what_cannot_be_fetched_is_said_with_the_line_that_names_it(
    remotes: Remotes, entry: str, error: type[Exception], says: str
) -> None:
    text = entry.format(git=remotes.url, web=remotes.web.url)
    with pytest.raises(error, match=says) as caught:
        await remotes.render(app(f"namePrefix: x-\nresources:\n- {text}\n"))
    assert str(getattr(caught.value, "origin", None)) == "app/kustomization.yaml:3"


async def test_a_password_that_stands_in_an_address_is_shown_nowhere(remotes: Remotes) -> None:
    url = remotes.url.replace("://", "://bot:hunter2@")
    good = await remotes.render(app(f"resources: ['{url}//base?ref=v1']\n"))
    assert "hunter2" not in str([one.origin for one in good.objects])
    for entry in (
        f"{url}//base?ref=v9",
        f"{url}//missing?ref=v1",
        f"{remotes.web.url}/none.yaml".replace("://", "://a:hunter2@"),
    ):
        with pytest.raises(TrueupError) as caught:
            await remotes.render(app(f"resources: ['{entry}']\n"))
        assert "hunter2" not in str(caught.value)
    with pytest.raises(BuildFailed, match="not fetched here") as refused:
        await Renderer(remotes.engines).render(
            MemorySnapshot(app(f"resources: ['{url}//base']\n")), RenderSpec(path="app", mode=RenderMode.ARGOCD)
        )
    assert "hunter2" not in str(refused.value)


async def test_a_place_in_a_remote_is_named_by_its_repository(remotes: Remotes) -> None:
    remotes.push({"bad/kustomization.yaml": "resources: [b.yaml]\n", "bad/b.yaml": "kind: ConfigMap\nmetadata: [\n"})
    good = await remotes.render(app(f"resources: ['{remotes.url}//base?ref=v1']\n"))
    places = {str(one.origin) for one in good.objects}
    assert f"{remotes.url}//base/a.yaml?ref=v1:1" in places
    with pytest.raises(BuildFailed) as caught:
        await remotes.render(app(f"resources: ['{remotes.url}//bad?ref=main']\n"))
    assert str(caught.value.origin).startswith(f"{remotes.url}//bad/b.yaml?ref=main")


async def test_remotes_that_name_each_other_end(remotes: Remotes) -> None:
    remotes.push({"loop/kustomization.yaml": f"resources: ['{remotes.url}//loop?ref=main']\n"})
    with pytest.raises(BuildFailed, match="cycle"):
        await remotes.render(app(f"resources: ['{remotes.url}//loop?ref=main']\n"))


async def test_unused_remotes_are_given_up_and_collected(remotes: Remotes) -> None:
    await remotes.render(app(f"resources: ['{remotes.url}//base?ref=v1']\n"))
    mirror = next(iter(remotes.bases._mirrors._mirrors.values()))
    await remotes.bases._mirrors.collect()
    assert mirror.held()
    remotes.bases.forget(unused=timedelta(seconds=-1))
    assert not mirror.held()
