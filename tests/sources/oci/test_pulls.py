"""Artifacts in the real registry become Snapshots: the reference that is meant, the layer that is content, and nothing twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tests.peers.locate import find_program
from tests.peers.registry import Registry, running_registry
from tests.sources.oci.kit import Kit, contents, oci
from tests.support.ocipush import (
    HELM_CONFIG,
    HELM_CONTENT,
    HELM_PROVENANCE,
    Layer,
    Pusher,
    digest_of,
    manifest_of,
    tar_gz,
)
from trueup.model.errors import InvalidInput, RefNotFound, SourceError
from trueup.model.source import HelmRepositorySource, LayerOperation, LayerSelector
from trueup.sources.archive import ArchiveDamaged
from trueup.sources.oci.charts import OciCharts
from trueup.sources.oci.manifest import ManifestUnusable
from trueup.sources.secrets import NO_SECRETS

pytestmark = pytest.mark.real

FILES = {"deploy/web.yaml": "replicas: 1\n", "README.md": "hello\n"}


def at(registry: Registry, name: str) -> tuple[str, Pusher]:
    return f"oci://{registry.host}/{name}", Pusher(registry.url, name)


async def test_a_tag_is_pulled_with_its_annotations(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "tags/web")
    annotations = {
        "org.opencontainers.image.source": "https://git.example/web",
        "org.opencontainers.image.revision": "v1",
    }
    digest = await pusher.files("v1", FILES, annotations=annotations)

    snapshot = await kit.fetch(oci(url, tag="v1"))

    assert str(snapshot.revision) == f"v1@{digest}"
    assert contents(snapshot) == FILES
    assert snapshot.details.metadata == annotations
    assert snapshot.details.digest == digest_of(tar_gz(FILES))


async def test_nothing_named_means_latest(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "latest/web")
    digest = await pusher.files("latest", FILES)
    assert str((await kit.fetch(oci(url))).revision) == f"latest@{digest}"


async def test_a_digest_wins_over_a_range_and_a_range_over_a_tag(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "precedence/web")
    one = await pusher.files("1.0.0", {"a": "1"})
    two = await pusher.files("2.0.0", {"a": "2"})
    by_digest = await kit.fetch(oci(url, tag="2.0.0", semver="2.x", digest=one))
    by_range = await kit.fetch(oci(url, tag="1.0.0", semver=">=1.0.0"))
    assert (str(by_digest.revision), contents(by_digest)) == (one, {"a": "1"})
    assert (str(by_range.revision), contents(by_range)) == (f"2.0.0@{two}", {"a": "2"})


async def test_a_range_looks_at_whole_versions_that_pass_the_filter(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "ranges/web")
    for tag in ("1.0.0", "1.1.0", "1.2.0-rc.1", "1.3", "latest", "v1.1.5"):
        await pusher.files(tag, {"version": tag})
    chosen = {
        (">=1.0.0", ""): "v1.1.5",
        (">=1.0.0-0", ""): "1.2.0-rc.1",
        (">=1.0.0-0", r"^[0-9.]+$"): "1.1.0",
        ("1.0.x", ""): "1.0.0",
    }
    for (semver, pattern), tag in chosen.items():
        found = await kit.fetch(oci(url, semver=semver, semver_filter=pattern))
        assert contents(found) == {"version": tag}
    with pytest.raises(RefNotFound, match=r"no tag for the range '>=9'; there are .*1\.1\.0"):
        await kit.fetch(oci(url, semver=">=9"))
    with pytest.raises(InvalidInput, match="semverFilter"):
        await kit.fetch(oci(url, semver=">=1.0.0", semver_filter="("))


async def test_tags_come_page_by_page(kit: Kit, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    url, pusher = at(registry, "pages/web")
    body = manifest_of([Layer(tar_gz(FILES))])
    await pusher.files("0.0.1", FILES)
    for number in range(2, 12):
        await pusher.manifest(body, f"0.0.{number}")
    monkeypatch.setattr("trueup.sources.oci.client._TAGS_PER_PAGE", 3)
    assert str((await kit.fetch(oci(url, semver="0.0.x"))).revision).startswith("0.0.11@")


async def test_what_did_not_move_is_asked_for_and_not_pulled_again(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "still/web")
    await pusher.files("v1", FILES)
    source = oci(url, tag="v1")
    first = await kit.fetch(source)
    assert await kit.fetch(source, known=first) is first

    moved = await pusher.files("v1", {"a": "moved"})
    second = await kit.fetch(source, known=first)
    assert (str(second.revision), contents(second)) == (f"v1@{moved}", {"a": "moved"})


async def test_an_answer_of_before_is_used_for_as_long_as_is_said(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "age/web")
    await pusher.files("v1", {"a": "1"})
    first = await kit.fetch(oci(url, tag="v1"))
    await pusher.files("v1", {"a": "2"})
    kit.clock += 30
    assert await kit.fetch(oci(url, tag="v1"), known=first, max_age=timedelta(seconds=60)) is first
    assert contents(await kit.fetch(oci(url, tag="v1"), known=first, max_age=timedelta(seconds=10))) == {"a": "2"}


async def test_a_digest_that_is_here_needs_no_registry(kit: Kit) -> None:
    async with running_registry() as registry:
        url, pusher = at(registry, "pinned/web")
        digest = await pusher.files("v1", FILES)
        first = await kit.fetch(oci(url, digest=digest))
    again = await kit.fetch(oci(url, digest=digest), known=first)
    assert again is first
    reopened = await kit.fetcher.reopen(oci(url, digest=digest), NO_SECRETS, first.revision)
    assert reopened is not None
    assert contents(reopened) == FILES


async def test_another_choice_of_layer_is_another_snapshot_of_the_same_revision(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "layers/web")
    await pusher.artifact(
        "v1",
        Layer(tar_gz({"a": "first"}), "application/x.one+gzip"),
        Layer(tar_gz({"a": "second"}), "application/x.two+gzip"),
    )
    first = await kit.fetch(oci(url, tag="v1"))
    second = await kit.fetch(oci(url, tag="v1", layer=LayerSelector(media_type="application/x.two+gzip")), known=first)
    assert (contents(first), contents(second)) == ({"a": "first"}, {"a": "second"})
    assert first.revision == second.revision
    with pytest.raises(ManifestUnusable, match="no layer of the type 'none'") as refusal:
        await kit.fetch(oci(url, tag="v1", layer=LayerSelector(media_type="none")))
    assert "application/x.one+gzip, application/x.two+gzip" in str(refusal.value)


async def test_a_copied_layer_that_is_no_archive_is_one_file(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "copies/web")
    named = Layer(b"kind: ConfigMap\n", "application/yaml", {"org.opencontainers.image.title": "app/cm.yaml"})
    hostile = Layer(b"x\n", "application/yaml", {"org.opencontainers.image.title": "../../etc/passwd"})
    await pusher.artifact("named", named)
    await pusher.artifact("hostile", hostile)
    await pusher.files("archive", FILES)
    copy = LayerSelector(operation=LayerOperation.COPY)
    assert contents(await kit.fetch(oci(url, tag="named", layer=copy))) == {"app/cm.yaml": "kind: ConfigMap\n"}
    assert contents(await kit.fetch(oci(url, tag="hostile", layer=copy))) == {digest_of(b"x\n")[7:]: "x\n"}
    assert contents(await kit.fetch(oci(url, tag="archive", layer=copy))) == FILES
    with pytest.raises(ArchiveDamaged, match="cannot be unpacked"):
        await kit.fetch(oci(url, tag="named"))


async def test_of_an_index_the_manifest_for_linux_amd64_is_taken_and_the_index_is_the_revision(
    kit: Kit, registry: Registry
) -> None:
    url, pusher = at(registry, "index/web")
    rows = []
    for platform in ("linux/arm64", "linux/amd64"):
        digest = await pusher.files(platform.replace("/", "-"), {"platform": platform})
        rows.append((digest, 1, platform))
    index = await pusher.index(
        "v1", [(digest, len(manifest_of([Layer(tar_gz({"platform": p}))])), p) for digest, _, p in rows]
    )
    snapshot = await kit.fetch(oci(url, tag="v1"))
    assert (str(snapshot.revision), contents(snapshot)) == (f"v1@{index}", {"platform": "linux/amd64"})

    await pusher.index(
        "arm", [(rows[0][0], len(manifest_of([Layer(tar_gz({"platform": "linux/arm64"}))])), "linux/arm64")]
    )
    with pytest.raises(ManifestUnusable, match=r"no.*linux/amd64 \(it has linux/arm64\)|without a manifest"):
        await kit.fetch(oci(url, tag="arm"))


async def test_what_is_not_there_is_named(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "missing/web")
    await pusher.files("v1", FILES)
    with pytest.raises(RefNotFound, match=r"missing/web:v2 is not there"):
        await kit.fetch(oci(url, tag="v2"))
    with pytest.raises(RefNotFound, match="is not there"):
        await kit.fetch(oci(url, digest="sha256:" + "0" * 64))
    with pytest.raises(SourceError, match=r"nowhere"):
        await kit.fetch(oci(f"oci://{registry.host}/nowhere", tag="v1"))
    empty = manifest_of([])
    await pusher.manifest(empty, "empty")
    with pytest.raises(ManifestUnusable, match="no layers"):
        await kit.fetch(oci(url, tag="empty"))


async def test_argo_takes_a_tag_a_digest_or_a_range(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "argo/web")
    only = LayerSelector(only=("application/vnd.oci.image.layer.v1.tar+gzip", HELM_CONTENT))
    plain = "application/vnd.oci.image.layer.v1.tar+gzip"
    digests = {
        tag: await pusher.artifact(tag, Layer(tar_gz({"v": tag}), plain), Layer(b"sig", "application/x.attestation"))
        for tag in ("1.0.0", "1.1.0_build.5", "2.0.0", "stable")
    }
    for expression, tag in {
        "1.x": "1.1.0_build.5",
        "stable": "stable",
        ">=1": "2.0.0",
        digests["1.0.0"]: "1.0.0",
    }.items():
        snapshot = await kit.fetch(oci(url, expression=expression, layer=only))
        assert (str(snapshot.revision), contents(snapshot)) == (digests[tag], {"v": tag})
    await pusher.files("flux", FILES)
    with pytest.raises(ManifestUnusable, match=r"flux\.content") as refusal:
        await kit.fetch(oci(url, expression="flux", layer=only))
    assert plain in str(refusal.value)
    await pusher.artifact("two", Layer(tar_gz({"a": "1"}), plain), Layer(tar_gz({"a": "2"}), plain))
    with pytest.raises(ManifestUnusable, match="2 layers with content"):
        await kit.fetch(oci(url, expression="two", layer=only))
    await pusher.artifact("chart", Layer(tar_gz({"web/Chart.yaml": "name: web", "web/templates/x": ""}), HELM_CONTENT))
    chart = await kit.fetch(oci(url, expression="chart", layer=only))
    assert contents(chart) == {"Chart.yaml": "name: web", "templates/x": ""}


async def test_charts_come_with_their_provenance(kit: Kit, registry: Registry) -> None:
    url, pusher = at(registry, "charts/web")
    chart, proof = tar_gz({"web/Chart.yaml": "name: web"}), b"-----BEGIN PGP SIGNED MESSAGE-----"
    layers = (Layer(proof, HELM_PROVENANCE), Layer(chart, HELM_CONTENT))
    digest = await pusher.artifact("1.0.0_x", *layers, config=b'{"name":"web"}', config_type=HELM_CONFIG)
    await pusher.files("9.9.9", FILES)
    charts, source = OciCharts(kit.client), HelmRepositorySource(url=f"oci://{registry.host}/charts", oci=True)
    assert await charts.tags(url, source, NO_SECRETS) == ("1.0.0_x", "9.9.9")
    for tag in ("1.0.0_x", digest):
        pulled = await charts.pull(url, tag, source, NO_SECRETS, limit=1_000_000)
        assert (pulled.chart, pulled.provenance, pulled.digest) == (chart, proof, digest)
    with pytest.raises(ManifestUnusable, match="is no Helm chart"):
        await charts.pull(url, "9.9.9", source, NO_SECRETS, limit=1_000_000)
    with pytest.raises(SourceError, match="larger than 10 bytes"):
        await charts.pull(url, digest, source, NO_SECRETS, limit=10)


async def test_what_helm_itself_pushed_is_pulled_byte_for_byte(kit: Kit, registry: Registry, tmp_path: Path) -> None:
    chart = tmp_path / "web"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.2.3+build.4\n")
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def helm(*arguments: str) -> None:
        command = [str(find_program("helm", print)), *arguments]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    await asyncio.to_thread(helm, "package", "web")
    await asyncio.to_thread(helm, "push", "web-1.2.3+build.4.tgz", f"oci://{registry.host}/helm", "--plain-http")
    charts, source = OciCharts(kit.client), HelmRepositorySource(url=f"oci://{registry.host}/helm", oci=True)
    url = f"oci://{registry.host}/helm/web"
    assert await charts.tags(url, source, NO_SECRETS) == ("1.2.3_build.4",)
    pulled = await charts.pull(url, "1.2.3_build.4", source, NO_SECRETS, limit=1_000_000)
    assert pulled.chart == (tmp_path / "web-1.2.3+build.4.tgz").read_bytes()
