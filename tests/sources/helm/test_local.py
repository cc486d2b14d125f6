"""Charts out of Git and the like: versions, values files, and dependencies that are not committed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from msgspec import structs

from tests.sources.helm.kit import ORIGIN, ChartServer, Fetching, basic, chart_files, packed, packed_chart, texts
from trueup.model.errors import InvalidInput, SourceError
from trueup.model.revision import Revision
from trueup.model.source import ArtifactVerification, HelmChartSource, HelmRepositorySource, ReconcileStrategy, pinned
from trueup.render.chartreading import EngineChartReader
from trueup.sources.archive import ArchiveRefused
from trueup.sources.helm.download import ChartNotFound
from trueup.sources.helm.limits import HelmLimits
from trueup.sources.helm.reading import ChartInvalid
from trueup.sources.http import HttpFetcher
from trueup.sources.secrets import SourceSecrets
from trueup.sources.storedfile import StoredFile
from trueup.sources.treesnapshot import TreeSnapshot

CHART = HelmChartSource(chart="./charts/app", origin=ORIGIN, namespace="apps")


async def committed(fetching: Fetching, files: dict[str, str | bytes], number: int = 1, **links: str) -> TreeSnapshot:
    """A commit with these files; `links` by path with `__` for `/`."""
    stored = [StoredFile(path, text.encode() if isinstance(text, str) else text) for path, text in files.items()]
    stored += [StoredFile(path.replace("__", "/"), link=target) for path, target in links.items()]
    revision = Revision("main", "sha1", hashlib.sha1(str(number).encode()).hexdigest())
    return await fetching.store.put(stored, revision, grant="git")


def app(version: str = "1.0.0", at: str = "charts/app", **more: object) -> dict[str, str | bytes]:
    return {f"{at}/{path}": text for path, text in chart_files("app", version, **more).items()}


async def test_the_chart_is_the_folder_and_its_version_the_revision(fetching: Fetching) -> None:
    chart = await fetching.chart_in(await committed(fetching, {**app(), "README.md": "hello"}), CHART)
    assert (str(chart.revision), chart.details.chart) == ("1.0.0", "app")
    assert sorted(texts(chart)) == ["Chart.yaml", "templates/config.yaml", "values.yaml"]


async def test_by_chart_version_only_another_version_is_a_new_chart(fetching: Fetching) -> None:
    chart = await fetching.chart_in(await committed(fetching, app()), CHART)
    changed = await committed(fetching, app(values={"color": "red"}), 2)
    assert await fetching.chart_in(changed, CHART, known=chart) is chart
    raised = await committed(fetching, app("1.0.1", values={"color": "red"}), 3)
    newer = await fetching.chart_in(raised, CHART, known=chart)
    assert str(newer.revision) == "1.0.1"
    assert "red" in texts(newer)["values.yaml"]


async def test_by_revision_every_commit_is_a_new_chart_named_after_it(fetching: Fetching) -> None:
    wanted = structs.replace(CHART, strategy=ReconcileStrategy.REVISION)
    first = await committed(fetching, app(metadata={"version": "1.0.0-rc.1+own"}))
    chart = await fetching.chart_in(first, wanted)
    assert str(chart.revision) == f"1.0.0-rc.1+{first.revision.digest[:12]}"
    assert yaml.safe_load(texts(chart)["Chart.yaml"])["version"] == str(chart.revision)
    second = await committed(fetching, {**app(), "README.md": "x"}, 2)
    newer = await fetching.chart_in(
        second, structs.replace(wanted, values_files=("charts/app/values.yaml",), generation=7), known=chart
    )
    assert str(newer.revision) == f"1.0.0+{second.revision.digest[:12]}.7"


async def test_a_pin_to_a_version_that_the_source_has_no_more_is_told(fetching: Fetching) -> None:
    first = await fetching.chart_in(await committed(fetching, app("1.0.0")), CHART)
    moved = await committed(fetching, app("1.1.0"), 2)
    pinned_at = pinned(CHART, first.revision)
    assert isinstance(pinned_at, HelmChartSource)
    with pytest.raises(SourceError, match=r"1\.1\.0 now, and 1\.0\.0"):
        await fetching.chart_in(moved, pinned_at)


async def test_values_files_are_named_from_the_root_of_the_source(fetching: Fetching) -> None:
    snapshot = await committed(fetching, {**app(), "env/prod.yaml": "color: red\n", "charts/app/own.yaml": "size: 3\n"})
    wanted = structs.replace(CHART, values_files=("charts/app/own.yaml", "/env/prod.yaml"))
    read = await fetching.reader.yaml({"v": (await fetching.chart_in(snapshot, wanted)).read("values.yaml")})
    assert read["v"] == {"size": 3, "color": "red"}
    with pytest.raises(ChartInvalid, match=r"own\.yaml is not there"):
        await fetching.chart_in(snapshot, structs.replace(CHART, values_files=("own.yaml",)))
    with pytest.raises(ChartInvalid, match="is not there"):
        await fetching.chart_in(snapshot, structs.replace(CHART, values_files=("../../etc/passwd",)))


async def test_a_packed_chart_in_git_is_taken_as_it_is(fetching: Fetching) -> None:
    snapshot = await committed(fetching, {"app.tgz": packed_chart("app", "3.0.0")})
    chart = await fetching.chart_in(snapshot, structs.replace(CHART, chart="app.tgz"))
    assert str(chart.revision) == "3.0.0"


async def test_links_inside_the_source_are_followed_and_others_are_not_there(fetching: Fetching) -> None:
    snapshot = await committed(
        fetching,
        {**app(), "shared/notes.txt": "hello"},
        charts__app__files__notes="../../../shared/notes.txt",
        charts__app__files__out="../../../../etc/passwd",
        charts__app__files__abs="/etc/passwd",
        charts__alias="app",
    )
    chart = await fetching.chart_in(snapshot, structs.replace(CHART, chart="charts/alias"))
    assert texts(chart)["files/notes"] == "hello"
    assert "files/out" not in texts(chart)
    assert "files/abs" not in texts(chart)


async def test_folders_linked_in_a_circle_end_with_a_clear_error(fetching: Fetching) -> None:
    snapshot = await committed(fetching, app(), charts__app__again="../app")
    with pytest.raises(ArchiveRefused, match="in a circle"):
        await fetching.chart_in(snapshot, CHART)


async def test_a_chart_that_is_not_there_or_unsigned_by_design_says_so(fetching: Fetching) -> None:
    snapshot = await committed(fetching, {"README.md": "x"})
    with pytest.raises(ChartNotFound, match="charts/app"):
        await fetching.chart_in(snapshot, CHART)
    with pytest.raises(ChartInvalid, match=r"no Chart\.yaml"):
        await fetching.chart_in(snapshot, structs.replace(CHART, chart="."))
    with pytest.raises(SourceError, match="verify"):
        await fetching.chart_in(snapshot, structs.replace(CHART, verify=ArtifactVerification(provider="cosign")))


async def test_a_chart_with_too_many_files_is_refused(tmp_path: Path, reader: EngineChartReader) -> None:
    async with HttpFetcher() as http:
        limits = structs.replace(HelmLimits(), unpacked=structs.replace(HelmLimits().unpacked, entries=3))
        small = Fetching(tmp_path, http, reader, limits=limits)
        snapshot = await committed(small, {**app(), "charts/app/a": "1", "charts/app/b": "2"})
        with pytest.raises(ArchiveRefused, match="3 files"):
            await small.chart_in(snapshot, CHART)


def needs(*dependencies: dict[str, str]) -> dict[str, object]:
    return {"metadata": {"dependencies": list(dependencies)}}


async def test_dependencies_come_from_their_repository_the_newest_in_the_range(
    fetching: Fetching, server: ChartServer
) -> None:
    for version in ("1.0.0", "1.5.0", "2.0.0"):
        server.publish("db", version)
    snapshot = await committed(fetching, app(**needs({"name": "db", "version": "1.x", "repository": server.web.url})))
    chart = await fetching.chart_in(snapshot, CHART)
    assert "charts/db-1.5.0/Chart.yaml" in texts(chart)
    assert server.asked == ["/index.yaml", "/charts/db-1.5.0.tgz"]


@pytest.mark.parametrize("lock", ["Chart.lock", "requirements.lock"])
async def test_the_lock_decides_where_there_is_one(fetching: Fetching, server: ChartServer, lock: str) -> None:
    for version in ("1.0.0", "1.5.0"):
        server.publish("db", version)
    row = {"name": "db", "version": "1.x", "repository": server.web.url}
    files: dict[str, str | bytes] = app(**(needs(row) if lock == "Chart.lock" else {}))
    if lock == "requirements.lock":
        files["charts/app/requirements.yaml"] = yaml.safe_dump({"dependencies": [row]})
    files[f"charts/app/{lock}"] = yaml.safe_dump({"dependencies": [{**row, "version": "1.0.0"}], "digest": "sha256:0"})
    chart = await fetching.chart_in(await committed(fetching, files), CHART)
    assert "charts/db-1.0.0/Chart.yaml" in texts(chart)


async def test_one_chart_may_be_there_twice_under_aliases(fetching: Fetching, server: ChartServer) -> None:
    for version in ("1.0.0", "2.0.0"):
        server.publish("db", version)
    row = {"name": "db", "repository": server.web.url}
    rows = ({**row, "version": "1.0.0", "alias": "old"}, {**row, "version": "2.0.0", "alias": "new"})
    commit = await committed(fetching, app(**needs(*rows)))
    chart = await fetching.chart_in(commit, CHART)
    assert {"charts/db-1.0.0/Chart.yaml", "charts/db-2.0.0/Chart.yaml"} <= set(texts(chart))
    assert server.asked.count("/index.yaml") == 1
    chart.release()
    commit.release()
    assert await fetching.store.collect(), "nothing holds the index any more"
    assert not list(fetching.store._open.directory.glob("refs/trueup/trees/*"))  # type: ignore[union-attr]


async def test_what_is_committed_in_charts_is_left_alone(fetching: Fetching, server: ChartServer) -> None:
    rows = [{"name": name, "version": "*", "repository": server.web.url} for name in ("folder", "packed", "missing")]
    server.publish("missing", "1.0.0")
    files = app(**needs(*rows))
    files |= {f"charts/app/charts/folder/{path}": text for path, text in chart_files("folder", "9.0.0").items()}
    files["charts/app/charts/packed-1.0.0.tgz"] = packed_chart("packed", "1.0.0")
    chart = await fetching.chart_in(await committed(fetching, files), CHART)
    assert server.asked == ["/index.yaml", "/charts/missing-1.0.0.tgz"]
    names = {path.split("/")[1] for path in texts_of_charts(chart)}
    assert names == {"folder", "packed-1.0.0.tgz", "missing-1.0.0"}


def texts_of_charts(chart: TreeSnapshot) -> list[str]:
    return [f"charts/{entry.name}" for entry in chart.listing("charts")]


async def test_local_dependencies_are_taken_from_the_same_source_only(fetching: Fetching) -> None:
    common = {f"common/{path}": text for path, text in chart_files("common", "1.2.0").items()}
    rows = needs({"name": "common", "version": "^1.0.0", "repository": "file://../../common"})
    chart = await fetching.chart_in(await committed(fetching, {**app(**rows), **common}), CHART)
    assert "charts/common-1.2.0/Chart.yaml" in texts(chart)
    outside = needs({"name": "common", "version": "*", "repository": "file://../../../../etc"})
    with pytest.raises(InvalidInput, match="leads out"):
        await fetching.chart_in(await committed(fetching, app(**outside)), CHART)
    other = needs({"name": "common", "version": "2.x", "repository": "file://../../common"})
    with pytest.raises(ChartInvalid, match=r"1\.2\.0, which '2\.x'"):
        await fetching.chart_in(await committed(fetching, {**app(**other), **common}), CHART)


async def test_a_dependency_uses_the_credentials_of_the_repository_of_its_url_in_its_namespace(
    tmp_path: Path, reader: EngineChartReader, server: ChartServer
) -> None:
    server.publish("db", "1.0.0")
    server.credentials = "Basic bWU6c2VjcmV0"
    asked: list[tuple[str, str]] = []

    async def find(namespace: str, url: str) -> tuple[HelmRepositorySource, SourceSecrets] | None:
        asked.append((namespace, url))
        return HelmRepositorySource(url=server.web.url), basic("me", "secret")

    async with HttpFetcher() as http:
        fetching = Fetching(tmp_path, http, reader, find=find)
        row = {"name": "db", "version": "1.0.0", "repository": f"{server.web.url}/"}
        chart = await fetching.chart_in(await committed(fetching, app(**needs(row))), CHART)
    assert "charts/db-1.0.0/Chart.yaml" in texts(chart)
    assert asked == [("apps", f"{server.web.url}/")]


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ({"name": "db", "version": "1"}, ChartNotFound, "names no repository"),
        ({"name": "db", "version": "1", "repository": "@stable"}, InvalidInput, "own Helm configuration"),
        ({"name": "db", "version": "1", "repository": "file://nowhere"}, ChartNotFound, "nothing stands"),
        ({"name": "db", "version": "1", "repository": "ftp://host/charts"}, InvalidInput, "http"),
    ],
)
async def test_a_dependency_that_cannot_be_had_says_which_and_why(
    fetching: Fetching, row: dict[str, str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        await fetching.chart_in(await committed(fetching, app(**needs(row))), CHART)


async def test_a_bomb_of_a_dependency_is_refused(fetching: Fetching, server: ChartServer) -> None:
    server.files["/charts/db-1.0.0.tgz"] = packed({f"db/{n}": b"\0" * 5_000_000 for n in range(30)})
    server.rows["db"] = [{"name": "db", "version": "1.0.0", "apiVersion": "v2", "urls": ["charts/db-1.0.0.tgz"]}]
    server.write_index()
    row = {"name": "db", "version": "1.0.0", "repository": server.web.url}
    with pytest.raises(ArchiveRefused):
        await fetching.chart_in(await committed(fetching, app(**needs(row))), CHART)
