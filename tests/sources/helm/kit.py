"""Charts and repositories made by the tests, and the fetchers put together as the product does."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from tests.sources.webserver import WebServer, web_server
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.model.source import GitReference, GitSource, HelmChartSource, HelmRepositorySource, Source
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitcommand import Git
from trueup.sources.helm.chart import FindHelmRepository, HelmChartFetcher, knows_none
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.pulling import ChartPuller
from trueup.sources.helm.reading import ChartReader
from trueup.sources.helm.registry import ChartRegistry
from trueup.sources.helm.repository import HelmRepositoryFetcher
from trueup.sources.http import HttpFetcher
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS, Granted, SecretData, SourceSecrets
from trueup.sources.treediff import leaves
from trueup.sources.treesnapshot import TreeSnapshot

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-{{ .Chart.Name }}}
data: {color: {{ .Values.color | default "none" | quote }}, version: {{ .Chart.Version | quote }}}
"""


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A .tar.gz of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            header = tarfile.TarInfo(path)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return out.getvalue()


def chart_files(name: str, version: str, **more: Any) -> dict[str, str]:
    """The files of a small chart; `values` and `metadata` may be given, other files as `path=text`."""
    metadata = {"apiVersion": "v2", "name": name, "version": version, **more.pop("metadata", {})}
    values = more.pop("values", {"color": "blue"})
    files = {
        "Chart.yaml": yaml.safe_dump(metadata),
        "values.yaml": yaml.safe_dump(values),
        "templates/config.yaml": TEMPLATE,
    }
    return {**files, **more.pop("files", {})}


def packed_chart(name: str, version: str, **more: Any) -> bytes:
    return packed({f"{name}/{path}": text for path, text in chart_files(name, version, **more).items()})


def entry(name: str, version: str, data: bytes | None = None, **more: Any) -> dict[str, Any]:
    """A row of an index."""
    digest = {"digest": hashlib.sha256(data).hexdigest()} if data is not None else {}
    row = {"apiVersion": "v2", "name": name, "version": version, "urls": [f"charts/{name}-{version}.tgz"], **digest}
    return {**row, **more}


@dataclass
class ChartServer:
    """A repository over HTTP. `files` by path; answers carry ETags, and conditional requests are honoured."""

    web: WebServer = field(default_factory=lambda: WebServer(""))
    files: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, list[Any]] = field(default_factory=dict)
    credentials: str = ""
    """What the Authorization header must be; empty: nothing is asked for."""
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Of the answers, in order."""

    def publish(self, name: str, version: str, *, row: Mapping[str, Any] | None = None, **more: Any) -> bytes:
        data = packed_chart(name, version, **more)
        self.files[f"/charts/{name}-{version}.tgz"] = data
        self.rows.setdefault(name, []).append({**entry(name, version, data), **(row or {})})
        self.write_index()
        return data

    def write_index(self) -> None:
        index = {"apiVersion": "v1", "entries": self.rows}
        self.files["/index.yaml"] = yaml.safe_dump(index).encode()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [one.path for one in self.web.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = self._answer(request)
        self.statuses.append(response.status)
        return response

    def _answer(self, request: web.Request) -> web.StreamResponse:
        if (target := self.redirects.get(request.path)) is not None:
            raise web.HTTPFound(target)
        if self.credentials and request.headers.get("Authorization") != self.credentials:
            return web.Response(status=401)
        data = self.files.get(request.path)
        if data is None:
            return web.Response(status=404)
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=data, headers={"ETag": etag})


@asynccontextmanager
async def chart_server() -> AsyncIterator[ChartServer]:
    server = ChartServer()
    async with web_server(server.answer) as found:
        server.web = found
        yield server


class Fetching:
    """The fetchers of charts over one store."""

    def __init__(
        self,
        root: Path,
        http: HttpFetcher,
        reader: ChartReader,
        *,
        registry: ChartRegistry | None = None,
        find: FindHelmRepository = knows_none,
        limits: HelmLimits = DEFAULT_LIMITS,
    ) -> None:
        self.root, self.http, self.reader = root, http, reader
        self.store = ContentStore(root / "content", Git(allow_local=False))
        granted = Granted(b"k" * 32)
        self.repositories = HelmRepositoryFetcher(self.store, http, reader, granted, limits=limits)
        puller = ChartPuller(http, reader, registry, limits=limits)
        self.charts = HelmChartFetcher(self.store, self.repositories, puller, reader, granted, find=find, limits=limits)

    async def chart(
        self,
        repository: HelmRepositorySource,
        chart: HelmChartSource | None = None,
        *,
        secrets: SourceSecrets = NO_SECRETS,
        own: SourceSecrets = NO_SECRETS,
        index: TreeSnapshot | None = None,
        known: TreeSnapshot | None = None,
    ) -> TreeSnapshot:
        """The chart `app` of a repository, unless another is named; the index is fetched first."""
        if index is None and not repository.oci:
            index = await self.repositories.fetch(repository, secrets)
        source = chart or HelmChartSource(chart="app", origin=repository)
        parent = Parent(key=repository, source=repository, secrets=secrets, snapshot=index)
        return await self.charts.fetch(source, own, [parent], known=known)

    async def chart_in(
        self,
        snapshot: TreeSnapshot,
        chart: HelmChartSource,
        *,
        origin: Source | None = None,
        known: TreeSnapshot | None = None,
    ) -> TreeSnapshot:
        """A chart in another source's snapshot."""
        parent = Parent(key=ORIGIN, source=origin or GIT, secrets=NO_SECRETS, snapshot=snapshot)
        return await self.charts.fetch(chart, NO_SECRETS, [parent], known=known)


ORIGIN = ObjectRef("source.toolkit.fluxcd.io", "GitRepository", "apps", "charts")
GIT = GitSource(url="https://example.org/charts.git", reference=GitReference(branch="main"))


def basic(user: str, password: str) -> SourceSecrets:
    data = {"username": user.encode(), "password": password.encode()}
    return SourceSecrets(auth=SecretData("Opaque", data))


def texts(snapshot: Snapshot) -> dict[str, str]:
    return {path: snapshot.read(path).decode() for path, _ in leaves(snapshot)}  # type: ignore[arg-type]
