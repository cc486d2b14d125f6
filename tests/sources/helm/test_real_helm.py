"""Against the real helm: its packages, signatures and indexes are read, and its choice of versions is ours."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from tests.peers.locate import find_program
from tests.sources.helm.kit import ChartServer, Fetching, basic, chart_files, packed_chart, texts
from tests.sources.helm.test_local import CHART, committed
from tests.sources.signatures.signkit import Gpg
from trueup.model.source import HelmChartSource, HelmRepositorySource
from trueup.sources.helm.download import ChartNotFound
from trueup.sources.secrets import NONE, SecretData, SourceSecrets
from trueup.sources.signatures import SignatureInvalid

pytestmark = pytest.mark.real

VERSIONS = ("0.1.0", "0.9.9", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.2.3", "1.10.0", "2.0.0-alpha.1", "2.0.0-beta", "3.0.0")
RANGES = (
    "", "1.2.3", "1.2", "1", "^1.2", "~1.2.0", ">=1.0.0-0 <1.0.1", "*", ">1.2 <3", "1.2.x", "0.x || 2.x", "2.0.0-alpha.1",
    ">=2.0.0-0 <3", "^2.0.0-0", "1.0.0 - 1.9", "!=3.0.0", "<1.0.0", "v1.2.3", "=1.10", "~1", ">=3.0.1",
)  # fmt: skip


class Helm:
    """The real command in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.program = find_program("helm", print)
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    folder = tmp_path / "helm"
    folder.mkdir()
    return Helm(folder)


def write_chart(folder: Path, name: str, version: str, **more: object) -> Path:
    for path, text in chart_files(name, version, **more).items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(text)
    return folder / name


def publish(helm: Helm, server: ChartServer, *files: str) -> None:
    """`helm repo index`, and everything into the served folder."""
    helm("repo", "index", ".")
    for name in ("index.yaml", *files):
        server.files[f"/{name}"] = (helm.folder / name).read_bytes()


async def test_every_range_means_the_version_that_helm_chooses(
    fetching: Fetching, server: ChartServer, helm: Helm
) -> None:
    for version in VERSIONS:
        (helm.folder / f"app-{version}.tgz").write_bytes(packed_chart("app", version))
    publish(helm, server, *(f"app-{version}.tgz" for version in VERSIONS))
    repository = HelmRepositorySource(url=server.web.url)
    index = await fetching.repositories.fetch(repository, basic("", ""))
    for wanted in RANGES:
        try:
            said = await asyncio.to_thread(helm, "show", "chart", "app", "--repo", server.web.url, "--version", wanted)
            theirs = next(line.split()[1] for line in said.splitlines() if line.startswith("version:"))
        except AssertionError:
            theirs = ""
        try:
            source = HelmChartSource(chart="app", origin=repository, version=wanted)
            ours = str((await fetching.chart(repository, source, index=index)).revision)
        except ChartNotFound:
            ours = ""
        assert ours == theirs, wanted


@pytest.fixture
def gpg() -> Iterator[Gpg]:
    gpg = Gpg()
    yield gpg
    gpg.close()


def trusting(*keys: bytes) -> SourceSecrets:
    return SourceSecrets(trust=SecretData("Opaque", {f"{number}.asc": key for number, key in enumerate(keys)}))


async def test_what_helm_signed_is_verified_and_nothing_else(
    fetching: Fetching, server: ChartServer, helm: Helm, gpg: Gpg
) -> None:
    await asyncio.to_thread(gpg.key, "robot")
    await asyncio.to_thread(gpg.key, "other")
    (helm.folder / "ring.gpg").write_bytes(gpg.run("--export-secret-keys", "robot"))
    write_chart(helm.folder, "app", "1.0.0")
    await asyncio.to_thread(helm, "package", "app", "--sign", "--key", "robot", "--keyring", "ring.gpg")
    publish(helm, server, "app-1.0.0.tgz", "app-1.0.0.tgz.prov")
    public, other = gpg.public("robot"), gpg.public("other")
    repository = HelmRepositorySource(url=server.web.url)
    source = HelmChartSource(chart="app", origin=repository, provenance=True)

    chart = await fetching.chart(repository, source, own=trusting(public))
    assert "templates/config.yaml" in texts(chart)
    assert "app-1.0.0.tgz" in chart.details.verified

    with pytest.raises(SignatureInvalid, match="none of the 1 trusted keys"):
        await fetching.chart(repository, source, own=trusting(other))
    with pytest.raises(SignatureInvalid):
        await fetching.chart(repository, source)

    signed = server.files["/app-1.0.0.tgz.prov"]
    server.files["/app-1.0.0.tgz.prov"] = signed.replace(b"version: 1.0.0", b"version: 1.0.1")
    with pytest.raises(SignatureInvalid):
        await fetching.chart(repository, source, own=structs.replace(trusting(public), auth=NONE))
    del server.files["/app-1.0.0.tgz.prov"]
    with pytest.raises(SignatureInvalid, match="must be signed"):
        await fetching.chart(repository, source, own=trusting(public))

    server.files["/app-1.0.0.tgz.prov"] = signed
    server.publish("app", "1.0.0", values={"color": "other"})  # another archive and its index, the old provenance
    server.files["/charts/app-1.0.0.tgz.prov"] = signed
    with pytest.raises(SignatureInvalid, match="digest"):
        await fetching.chart(repository, source, own=trusting(public))


async def test_dependencies_are_those_that_helm_builds(fetching: Fetching, server: ChartServer, helm: Helm) -> None:
    for name, version in (("db", "1.0.0"), ("db", "1.4.0"), ("cache", "2.0.0")):
        (helm.folder / f"{name}-{version}.tgz").write_bytes(packed_chart(name, version))
    publish(helm, server, "db-1.0.0.tgz", "db-1.4.0.tgz", "cache-2.0.0.tgz")
    write_chart(helm.folder, "common", "3.1.0")
    rows = [
        {"name": "db", "version": "1.x", "repository": server.web.url},
        {"name": "cache", "version": "^2.0.0", "repository": server.web.url, "alias": "sessions"},
        {"name": "common", "version": "3.x", "repository": "file://../common"},
    ]
    write_chart(helm.folder, "app", "1.0.0", metadata={"dependencies": rows})
    files = {
        str(path.relative_to(helm.folder)): path.read_bytes()
        for folder in ("app", "common")
        for path in (helm.folder / folder).rglob("*")
        if path.is_file()
    }
    ours = await fetching.chart_in(await committed(fetching, files), structs.replace(CHART, chart="app"))
    await asyncio.to_thread(helm, "dependency", "update", "app")
    theirs = {path.name.removesuffix(".tgz") for path in (helm.folder / "app" / "charts").iterdir()}
    assert {entry.name for entry in ours.listing("charts")} == theirs
