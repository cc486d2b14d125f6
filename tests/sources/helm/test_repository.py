"""Charts out of a repository over HTTP: which version, how many requests, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from msgspec import structs

from tests.peers.certs import Authority
from tests.sources.helm.kit import ChartServer, Fetching, basic, entry, packed, packed_chart, texts
from tests.sources.webserver import web_server
from trueup.model.errors import AuthenticationFailed, EngineFailed, InvalidInput, SourceError
from trueup.model.source import ArtifactVerification, HelmChartSource, HelmRepositorySource
from trueup.render.chartreading import EngineChartReader
from trueup.sources.archive import ArchiveRefused
from trueup.sources.giterrors import CertificateUntrusted
from trueup.sources.helm.download import ChartNotFound
from trueup.sources.helm.limits import HelmLimits
from trueup.sources.helm.pulling import DigestMismatch
from trueup.sources.helm.reading import ChartInvalid
from trueup.sources.http import AddressRefused, DownloadTooLarge, FetchTimeout, HttpFetcher
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets


def repository(server: ChartServer, **more: object) -> HelmRepositorySource:
    return HelmRepositorySource(url=server.web.url, **more)  # type: ignore[arg-type]


async def test_the_newest_stable_version_is_fetched_and_unpacked_with_chart_yaml_at_the_root(
    fetching: Fetching, server: ChartServer
) -> None:
    for version in ("1.2.0", "1.10.0", "2.0.0-rc.1"):
        server.publish("app", version)
    chart = await fetching.chart(repository(server))
    assert str(chart.revision) == "1.10.0"
    assert chart.details.chart == "app"
    assert sorted(texts(chart)) == ["Chart.yaml", "templates/config.yaml", "values.yaml"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", "1.10.0"), ("*", "1.10.0"), ("1.2.x", "1.2.9"), ("^1.2", "1.10.0"), ("~1.2.3", "1.2.9"), (">=2.0.0-0", "2.0.0-rc.1"),
        ("1.2.9", "1.2.9"), ("2.0.0-rc.1", "2.0.0-rc.1"), ("<1.10", "1.2.9"), ("1.2.9 - 1.9", "1.2.9"), ("v1.2.9", "1.2.9"),
    ],
)  # fmt: skip
async def test_a_range_means_what_it_means_to_helm(
    fetching: Fetching, server: ChartServer, wanted: str, found: str
) -> None:
    for version in ("1.2.3", "2.0.0-rc.1", "1.10.0", "1.2.9"):
        server.publish("app", version)
    source = repository(server)
    chart = await fetching.chart(source, HelmChartSource(chart="app", origin=source, version=wanted))
    assert str(chart.revision) == found


async def test_of_versions_that_differ_in_build_metadata_the_one_created_last_counts(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0+a", row={"created": "2024-01-02T00:00:00Z"})
    server.publish("app", "1.0.0+c", row={"created": "2024-01-03T00:00:00.5Z"})
    server.publish("app", "1.0.0+b", row={"created": "2024-01-03T00:00:00Z"})
    assert str((await fetching.chart(repository(server))).revision) == "1.0.0+c"


async def test_an_unchanged_index_costs_one_conditional_request_and_an_unchanged_chart_none(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    index = await fetching.repositories.fetch(source, basic("", ""))
    chart = await fetching.chart(source, index=index)
    server.web.asked.clear()
    again = await fetching.repositories.fetch(source, basic("", ""), known=index)
    assert again is index
    assert await fetching.chart(source, index=again, known=chart) is chart
    assert server.asked == ["/index.yaml"]


async def test_news_of_one_chart_are_no_news_for_another(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    index = await fetching.repositories.fetch(source, basic("", ""))
    chart = await fetching.chart(source, index=index)
    server.publish("other", "1.0.0")
    newer = await fetching.repositories.fetch(source, basic("", ""), known=index)
    assert newer.revision != index.revision
    assert newer.entry("charts/app.json") == index.entry("charts/app.json")
    server.web.asked.clear()
    assert await fetching.chart(source, index=newer, known=chart) is chart
    assert server.asked == []


async def test_an_index_that_comes_again_under_another_etag_is_no_news(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    index = await fetching.repositories.fetch(source, basic("", ""))
    fetching.repositories._newer[index.tree_id] = structs.replace(
        fetching.repositories._newer.get(index.tree_id) or await fetching.repositories._remembered(index), etag='"old"'
    )
    assert await fetching.repositories.fetch(source, basic("", ""), known=index) is index
    answered = await fetching.repositories._remembered(index)
    assert answered.etag != '"old"'


async def test_a_chart_is_opened_again_without_the_network(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    wanted = HelmChartSource(chart="app", origin=source)
    chart = await fetching.chart(source, wanted)
    server.web.asked.clear()
    again = await fetching.charts.reopen(wanted, basic("", ""), chart.revision)
    assert again is None, "other Secrets are not shown what these have fetched"
    again = await fetching.charts.reopen(
        wanted, structs.replace(basic("", ""), auth=type(basic("", "").auth)("", {})), chart.revision
    )
    assert again is not None
    assert (again.id, again.details) == (chart.id, chart.details)
    assert server.asked == []


async def test_entries_that_make_no_sense_are_left_out_as_helm_does(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    server.rows["app"] += [
        None,
        {"version": "9.9.9"},
        {**entry("app", "9.9"), "version": "not a version"},
        {"name": "app"},
    ]
    server.write_index()
    assert str((await fetching.chart(repository(server))).revision) == "1.0.0"


@pytest.mark.parametrize(
    ("index", "says"),
    [
        (b"", "empty"), (b"entries: {}\n", "no API version"), (b"\0\1\2", "index"), (b"<html>hello</html>", "cannot unmarshal"),
        (b"apiVersion: v1\nentries: [", "line"), (b'{"apiVersion": "v1", "entries": 3}', "cannot unmarshal"),
    ],
)  # fmt: skip
async def test_what_is_no_index_is_refused_with_the_reason(
    fetching: Fetching, server: ChartServer, index: bytes, says: str
) -> None:
    server.files["/index.yaml"] = index
    with pytest.raises(ChartInvalid, match=says):
        await fetching.chart(repository(server))


async def test_a_json_index_is_read_too(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    digest = hashlib.sha256(server.files["/charts/app-1.0.0.tgz"]).hexdigest()
    server.files["/index.yaml"] = (
        b'{"apiVersion":"v1","entries":{"app":[{"apiVersion":"v2","name":"app","version":"1.0.0","digest":"sha256:%s",'
        b'"urls":["charts/app-1.0.0.tgz"]}]}}' % digest.encode()
    )
    assert str((await fetching.chart(repository(server))).revision) == "1.0.0"


async def test_relative_and_absolute_urls_keep_a_repositorys_query(fetching: Fetching, server: ChartServer) -> None:
    data = packed_chart("app", "1.0.0")
    server.files["/stable/charts/app-1.0.0.tgz"] = data
    server.rows["app"] = [entry("app", "1.0.0", data)]
    server.write_index()
    server.files["/stable/index.yaml"] = server.files.pop("/index.yaml")
    await fetching.chart(HelmRepositorySource(url=f"{server.web.url}/stable/?token=1"))
    assert server.asked == ["/stable/index.yaml?token=1", "/stable/charts/app-1.0.0.tgz?token=1"]


async def test_credentials_go_to_the_repository_and_to_other_hosts_only_when_passed(
    fetching: Fetching, server: ChartServer
) -> None:
    server.credentials = "Basic bWU6c2VjcmV0"
    other = ChartServer()
    async with web_server(other.answer) as elsewhere:
        data = packed_chart("app", "1.0.0")
        other.files["/app.tgz"] = data
        server.rows["app"] = [entry("app", "1.0.0", data, urls=[f"{elsewhere.url}/app.tgz"])]
        server.write_index()
        await fetching.chart(repository(server), secrets=basic("me", "secret"))
        await fetching.chart(repository(server, pass_credentials=True), secrets=basic("me", "secret"))
        assert [one.authorization for one in elsewhere.asked] == ["", "Basic bWU6c2VjcmV0"]
    assert {one.authorization for one in server.web.asked} == {"Basic bWU6c2VjcmV0"}


async def test_a_redirect_elsewhere_is_followed_without_credentials_and_not_to_the_metadata_service(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    other = ChartServer(files={"/app.tgz": server.files["/charts/app-1.0.0.tgz"]})
    async with web_server(other.answer) as elsewhere:
        server.redirects["/charts/app-1.0.0.tgz"] = f"{elsewhere.url}/app.tgz"
        await fetching.chart(repository(server), secrets=basic("me", "secret"))
        assert [one.authorization for one in elsewhere.asked] == [""]
    server.redirects["/charts/app-1.0.0.tgz"] = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(AddressRefused):
        await fetching.chart(repository(server), secrets=basic("me", "secret"))


async def test_credentials_that_ran_out_are_told_and_new_ones_work(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    server.credentials = "Basic bWU6bmV3"
    with pytest.raises(AuthenticationFailed, match="401") as refused:
        await fetching.chart(repository(server), secrets=basic("me", "old"))
    assert "old" not in str(refused.value)
    assert str((await fetching.chart(repository(server), secrets=basic("me", "new"))).revision) == "1.0.0"


async def test_half_of_basic_authentication_names_the_missing_key(fetching: Fetching, server: ChartServer) -> None:
    with pytest.raises(InvalidInput, match="password"):
        await fetching.chart(repository(server), secrets=basic("me", ""))


async def test_a_chart_with_another_digest_than_the_index_says_is_refused(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    server.files["/charts/app-1.0.0.tgz"] = packed_chart("app", "1.0.0", values={"color": "red"})
    with pytest.raises(DigestMismatch, match=r"app-1\.0\.0\.tgz"):
        await fetching.chart(repository(server))


async def test_a_chart_that_was_published_anew_under_its_version_is_fetched_anew(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    chart = await fetching.chart(source)
    server.rows.clear()
    server.publish("app", "1.0.0", values={"color": "red"})
    newer = await fetching.chart(source, known=chart)
    assert newer.revision == chart.revision
    assert "red" in texts(newer)["values.yaml"]


async def test_what_is_missing_is_named_with_what_there_is(fetching: Fetching, server: ChartServer) -> None:
    server.publish("application", "1.0.0")
    source = repository(server)
    with pytest.raises(ChartNotFound, match="application"):
        await fetching.chart(source)
    with pytest.raises(ChartNotFound, match=r"there are 1\.0\.0"):
        await fetching.chart(source, HelmChartSource(chart="application", origin=source, version="2.x"))
    with pytest.raises(InvalidInput, match="not a version range"):
        await fetching.chart(source, HelmChartSource(chart="application", origin=source, version="what?"))
    with pytest.raises(ChartNotFound, match="404"):
        await fetching.chart(HelmRepositorySource(url=f"{server.web.url}/nowhere"))


async def test_an_index_beyond_the_limit_is_given_up_while_it_comes(
    tmp_path: Path, reader: EngineChartReader, server: ChartServer
) -> None:
    server.files["/index.yaml"] = b"#" * 300_000
    async with HttpFetcher() as http:
        small = Fetching(tmp_path, http, reader, limits=HelmLimits(index=100_000))
        with pytest.raises(DownloadTooLarge):
            await small.chart(repository(server))


async def test_an_index_that_blows_up_while_it_is_read_ends_the_reader_and_nothing_else(
    fetching: Fetching, server: ChartServer
) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    server.files["/index.yaml"] = f"apiVersion: v1\na0: &a0 x\n{levels}".encode()
    with pytest.raises((ChartInvalid, EngineFailed)):
        await fetching.chart(repository(server))
    server.publish("app", "1.0.0")
    assert str((await fetching.chart(repository(server))).revision) == "1.0.0"


@pytest.mark.parametrize(
    "files",
    [
        {"app/../../evil": "x", "app/Chart.yaml": "name: app"},
        {"/etc/evil": "x"},
        {"app/Chart.yaml": "name: app", "app/big": b"\0" * 6_000_000},
    ],
)
async def test_a_hostile_chart_is_refused_and_the_known_one_stays(
    fetching: Fetching, server: ChartServer, files: dict[str, str | bytes]
) -> None:
    server.files["/charts/app-1.0.0.tgz"] = packed(files)
    server.rows["app"] = [entry("app", "1.0.0")]
    server.write_index()
    with pytest.raises(ArchiveRefused):
        await fetching.chart(repository(server))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packed({"Chart.yaml": "name: app"}), "outside"),
        (packed({"app/values.yaml": "a: 1"}), "no Chart.yaml"),
        (packed({"app/Chart.yaml": "version: 1.0.0"}), "name"),
        (packed({"app/Chart.yaml": "name: ["}), "line"),
    ],
)
async def test_what_is_no_chart_says_why(fetching: Fetching, server: ChartServer, data: bytes, says: str) -> None:
    server.files["/charts/app-1.0.0.tgz"] = data
    server.rows["app"] = [entry("app", "1.0.0")]
    server.write_index()
    with pytest.raises(ChartInvalid, match=says):
        await fetching.chart(repository(server))


async def test_a_repository_that_stalls_is_given_up_after_its_timeout(fetching: Fetching) -> None:
    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async with web_server(stall) as server:
        source = HelmRepositorySource(url=server.url, timeout=timedelta(milliseconds=100))
        with pytest.raises(FetchTimeout):
            await fetching.chart(source)


async def test_values_files_become_the_charts_values_and_the_generation_a_part_of_its_version(
    fetching: Fetching, server: ChartServer
) -> None:
    files = {"prod.yaml": "color: red\nnested: {a: 1}\n", "more.yaml": "nested: {b: 2}\n"}
    server.publish("app", "1.0.0", files=files, values={"color": "blue", "kept": False})
    source = repository(server)
    wanted = HelmChartSource(chart="app", origin=source, values_files=("prod.yaml", "./more.yaml"), generation=3)
    chart = await fetching.chart(source, wanted)
    assert str(chart.revision) == "1.0.0+3"
    read = await fetching.reader.yaml({path: chart.read(path) for path in ("values.yaml", "Chart.yaml")})
    assert read["values.yaml"] == {"color": "red", "nested": {"a": 1, "b": 2}}
    assert read["Chart.yaml"]["version"] == "1.0.0+3"


async def test_a_missing_values_file_is_an_error_unless_it_may_be_missing(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    wanted = HelmChartSource(chart="app", origin=source, values_files=("values.yaml", "prod.yaml"))
    with pytest.raises(ChartInvalid, match=r"prod\.yaml"):
        await fetching.chart(source, wanted)
    chart = await fetching.chart(source, structs.replace(wanted, ignore_missing_values_files=True))
    assert "blue" in texts(chart)["values.yaml"]


async def test_a_spec_that_changed_makes_the_chart_anew_though_its_version_stays(
    fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0", files={"prod.yaml": "color: red\n"})
    source = repository(server)
    before = await fetching.chart(source)
    wanted = HelmChartSource(chart="app", origin=source, values_files=("prod.yaml",))
    after = await fetching.chart(source, wanted, known=before)
    assert (before.revision, before.id != after.id) == (after.revision, True)
    assert await fetching.chart(source, wanted, known=after) is after


async def test_a_cosign_signature_of_a_chart_over_http_cannot_be(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    wanted = HelmChartSource(chart="app", origin=source, verify=ArtifactVerification(provider="cosign"))
    with pytest.raises(InvalidInput, match="cosign"):
        await fetching.chart(source, wanted)


async def test_an_entry_without_urls_is_told(fetching: Fetching, server: ChartServer) -> None:
    server.rows["app"] = [entry("app", "1.0.0", urls=[])]
    server.write_index()
    with pytest.raises(SourceError, match="no URL"):
        await fetching.chart(repository(server))


async def test_what_one_address_answered_is_not_sent_to_another(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    index = await fetching.repositories.fetch(repository(server), NO_SECRETS)
    conditions: list[str] = []

    async def unchanged(request: web.Request) -> web.StreamResponse:
        conditions.append(request.headers.get("If-None-Match", ""))
        if conditions[-1]:
            return web.Response(status=304)
        return web.Response(text="apiVersion: v1\nentries: {}\n")

    async with web_server(unchanged) as other:
        moved = await fetching.repositories.fetch(HelmRepositorySource(url=other.url), NO_SECRETS, known=index)
    assert conditions == [""]
    assert moved.id != index.id


async def test_a_private_authority_and_a_client_certificate_are_shown_to_the_repository_alone(
    tmp_path: Path, fetching: Fetching
) -> None:
    authority = Authority()
    pair = authority.client("robot")
    certificates = {"ca.crt": authority.keys.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
    secrets = SourceSecrets(certificates=SecretData("kubernetes.io/tls", certificates))
    inside = ChartServer()
    async with (
        web_server(inside.answer, authority=authority, folder=tmp_path, clients=True) as web_inside,
        web_server(inside.answer, authority=authority, folder=tmp_path, clients=True) as web_outside,
    ):
        inside.publish("app", "1.0.0")
        inside.rows["app"][0]["urls"] = [f"{web_outside.url}/charts/app-1.0.0.tgz"]
        inside.write_index()
        source = HelmRepositorySource(url=web_inside.url)
        with pytest.raises(CertificateUntrusted):
            await fetching.chart(source)
        assert str((await fetching.chart(source, secrets=secrets)).revision) == "1.0.0"
    assert [one.certificate for one in web_inside.asked] == [True]
    assert [one.certificate for one in web_outside.asked] == [False]


async def test_after_a_restart_too_an_unchanged_index_is_not_downloaded(
    tmp_path: Path, fetching: Fetching, server: ChartServer
) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    revision = (await fetching.repositories.fetch(source, NO_SECRETS)).revision
    again = Fetching(tmp_path, fetching.http, fetching.reader)
    known = await again.repositories.reopen(source, NO_SECRETS, revision)
    assert known is not None
    assert await again.repositories.fetch(source, NO_SECRETS, known=known) is known
    assert server.statuses == [200, 304]


async def test_a_young_answer_is_used_again_and_an_old_one_is_not(fetching: Fetching, server: ChartServer) -> None:
    server.publish("app", "1.0.0")
    source = repository(server)
    known = await fetching.repositories.fetch(source, NO_SECRETS)
    again = await fetching.repositories.fetch(source, NO_SECRETS, known=known, max_age=timedelta(minutes=5))
    assert (again, len(server.asked)) == (known, 1)
    assert await fetching.repositories.fetch(source, NO_SECRETS, known=known) is known
    assert len(server.asked) == 2
