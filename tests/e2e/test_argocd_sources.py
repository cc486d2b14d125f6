"""Applications of charts out of repositories and of several sources, end to end."""

from __future__ import annotations

import asyncio
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.manifests import config
from tests.e2e.stack import Stack, until
from tests.e2e.test_argocd import application, automated, until_status
from tests.peers.registry import Registry
from tests.sources.helm.kit import entry, packed
from tests.support.ocipush import HELM_CONFIG, HELM_CONTENT, Layer, Pusher
from trueup.apps.comparison import ChartWish, CommitsWish
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import read_token
from trueup.model.refs import ObjectRef
from trueup.model.releaserecord import ChartAbout, Maintainer
from trueup.server.api.refusals import Refused
from trueup.server.comparing.asking import Controllers

TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-app}\n"
    "data: {version: {{ .Chart.Version | quote }}, colour: {{ .Values.colour | quote }}}\n"
)


def chart(version: str) -> bytes:
    return packed(
        {
            "app/Chart.yaml": f"apiVersion: v2\nname: app\nversion: {version}\ndescription: of {version}\nhome: https://x\n"
            "maintainers: [{name: Malee, email: malee@example.com}, {name: Somchai}]\n",
            "app/values.yaml": "colour: blue\n",
            "app/templates/app.yaml": TEMPLATE,
        }
    )


def publish(folder: Path, *versions: str) -> None:
    rows = []
    for version in versions:
        data = chart(version)
        (folder / f"app-{version}.tgz").write_bytes(data)
        rows.append({**entry("app", version, data), "urls": [f"app-{version}.tgz"]})
    (folder / "new").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {"app": rows}}))
    (folder / "new").rename(folder / "index.yaml")


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def data(stack: Stack, name: str, namespace: str) -> dict[str, Any]:
    return (stack.get("configmap", name, namespace) or {}).get("data") or {}


def messages(stack: Stack, name: str) -> str:
    """What the Application's conditions say."""
    conditions = stack.status("application", name, "argocd").get("conditions", [])
    return "\n".join(row["message"] for row in conditions)


def test_a_chart_of_a_repository_follows_its_range_of_versions(
    stack: Stack, namespace: str, charts: tuple[Path, str]
) -> None:
    folder, url = charts
    publish(folder, "1.0.0", "2.0.0")
    (folder / "violet.yaml").write_text("colour: violet\n")
    app = application(namespace, url, syncPolicy=automated())
    helm = {"releaseName": "shop", "valueFiles": [f"{url}/violet.yaml"]}
    app["spec"]["source"] = {"repoURL": url, "chart": "app", "targetRevision": "1.x", "helm": helm}
    stack.apply(app)
    status = until_status(stack, namespace, "first version", sync="Synced", phase="Succeeded", revision="1.0.0")
    assert data(stack, "shop-app", namespace) == {"version": "1.0.0", "colour": "violet"}
    assert status["sourceType"] == "Helm"
    assert [row["revision"] for row in status["history"]] == ["1.0.0"]

    publish(folder, "1.0.0", "1.1.0", "2.0.0")
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "next version", sync="Synced", revision="1.1.0")
    until(lambda: data(stack, "shop-app", namespace)["version"] == "1.1.0")


def test_a_chart_in_git_gets_its_dependencies_with_the_credentials_of_their_repository(
    stack: Stack, namespace: str, charts: tuple[Path, str]
) -> None:
    folder, url = charts
    publish(folder, "1.0.0")
    dependency = {"name": "app", "version": "1.x", "repository": f"@{namespace}"}
    metadata = {"apiVersion": "v2", "name": "umbrella", "version": "0.1.0", "dependencies": [dependency]}
    repo = stack.repository(
        namespace, {"umbrella/Chart.yaml": yaml.safe_dump(metadata), "umbrella/values.yaml": "app: {colour: amber}\n"}
    )
    app = application(namespace, repo.url, "umbrella", syncPolicy=automated())
    app["spec"]["source"]["helm"] = {"releaseName": "shop"}
    stack.apply(app)
    until(
        lambda: f"'@{namespace}' of a dependency is not known" in messages(stack, namespace), what="no such repository"
    )
    secret = {"type": "helm", "name": namespace, "url": url}
    stack.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"charts-{namespace}",
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": "repository"},
            },
            "stringData": secret,
        }
    )
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "the dependency", sync="Synced", phase="Succeeded")
    assert data(stack, "shop-app", namespace) == {"version": "1.0.0", "colour": "amber"}

    publish(folder, "1.0.0", "1.1.0", "2.0.0")
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=hard")
    until(lambda: data(stack, "shop-app", namespace)["version"] == "1.1.0", what="the newer dependency")


def test_a_plugin_renders_what_it_is_named_for_and_what_it_finds(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"greeter/greeting.txt": "hello"})
    plugin = {
        "name": "greeter-v1",
        "env": [{"name": "MOOD", "value": "good"}],
        "parameters": [{"name": "whom", "string": "world"}],
    }
    app = application(namespace, repo.url, "greeter", syncPolicy=automated())
    app["spec"]["source"]["plugin"] = plugin
    stack.apply(app)
    status = until_status(stack, namespace, "by name", sync="Synced", phase="Succeeded")
    assert data(stack, "greeting", namespace) == {"text": f"hello, world of {namespace}", "mood": "good"}
    assert status["sourceType"] == "Plugin"

    stack.merge("application", namespace, "argocd", {"spec": {"source": {"plugin": None}}})
    until(lambda: data(stack, "greeting", namespace)["text"] == f"hello, all of {namespace}", what="by discovery")
    repo.push({"greeter/greeting.txt": "good evening"})
    until(lambda: data(stack, "greeting", namespace)["text"].startswith("good evening"), what="the next commit")


def test_a_chart_of_a_registry_is_found_by_an_address_without_a_scheme(
    stack: Stack, namespace: str, registry: Registry
) -> None:
    pusher = Pusher(registry.url, f"argo/{namespace}/app")
    asyncio.run(pusher.artifact("1.2.3", Layer(chart("1.2.3"), HELM_CONTENT), config_type=HELM_CONFIG))
    app = application(namespace, "", syncPolicy=automated())
    app["spec"]["source"] = {
        "repoURL": f"{registry.host}/argo/{namespace}",
        "chart": "app",
        "targetRevision": "~1.2.0",
        "helm": {"releaseName": "shop", "parameters": [{"name": "colour", "value": "red"}]},
    }
    stack.apply(app)
    status = until_status(stack, namespace, "chart of a registry", sync="Synced", phase="Succeeded", revision="1.2.3")
    assert data(stack, "shop-app", namespace) == {"version": "1.2.3", "colour": "red"}
    assert status["sync"]["comparedTo"]["source"]["chart"] == "app"
    asyncio.run(pusher.artifact("1.2.4", Layer(chart("1.2.4"), HELM_CONTENT), config_type=HELM_CONFIG))
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "the newer version", sync="Synced", revision="1.2.4")


async def each_source_tells_of_its_own(stack: Stack, namespace: str, revisions: list[str]) -> None:
    """Who made each commit, whichever repository has it, and what the chart says of itself, at older versions too."""
    app = ObjectRef("argoproj.io", "Application", "argocd", namespace)
    async with KubeClient(load_config(stack.kubeconfig)) as client:
        asks = Controllers([f"http://127.0.0.1:{stack.http_port}"], lambda: read_token(client, "trueup-system"))
        found = await asks.commits(CommitsWish(app=app, revisions=tuple(revisions)))
        assert (set(found.items), found.url) == ({revisions[1], revisions[2]}, "")
        for version in ("1.0.0", "0.9.0"):
            about = await asks.chart(ChartWish(app=app, version=version))
            people = (Maintainer(name="Malee", email="malee@example.com"), Maintainer(name="Somchai"))
            assert about == ChartAbout(description=f"of {version}", home="https://x", maintainers=people)
        with pytest.raises(Refused) as caught:
            await asks.chart(ChartWish(app=app, version="1.0.0", source=2))
        assert (caught.value.status, "no chart" in caught.value.message) == (404, True)


def test_several_sources_are_one_application_and_can_be_rolled_back_together(
    stack: Stack, namespace: str, charts: tuple[Path, str]
) -> None:
    folder, url = charts
    publish(folder, "0.9.0", "1.0.0")
    values = stack.repository(f"{namespace}-values", {"env/prod.yaml": "colour: green\n"})
    extra = stack.repository(f"{namespace}-extra", {"extra/settings.yaml": config("extra", colour="red")})
    app = application(namespace, url, syncPolicy=automated())
    del app["spec"]["source"]
    app["spec"]["sources"] = [
        {
            "repoURL": url,
            "chart": "app",
            "targetRevision": "1.0.0",
            "helm": {"releaseName": "shop", "valueFiles": ["$values/env/prod.yaml"]},
        },
        {"repoURL": values.url, "targetRevision": "main", "ref": "values"},
        {"repoURL": extra.url, "targetRevision": "main", "path": "extra"},
    ]
    stack.apply(app)
    status = until_status(stack, namespace, "all sources", sync="Synced", phase="Succeeded")
    assert data(stack, "shop-app", namespace)["colour"] == "green"
    assert data(stack, "extra", namespace)["colour"] == "red"
    first = ["1.0.0", values.git("rev-parse", "HEAD"), extra.git("rev-parse", "HEAD")]
    assert status["sync"]["revisions"] == first
    assert "revision" not in status["sync"]
    assert status["sourceTypes"] == ["Helm", "Directory"]
    assert status["operationState"]["syncResult"]["revisions"] == first
    assert len(status["operationState"]["syncResult"]["sources"]) == 3
    assert [row["revisions"] for row in status["history"]] == [first]
    asyncio.run(each_source_tells_of_its_own(stack, namespace, first))

    values.push({"env/prod.yaml": "colour: yellow\n"})
    until(lambda: data(stack, "shop-app", namespace)["colour"] == "yellow", within=60)
    second = [first[0], values.git("rev-parse", "HEAD"), first[2]]
    status = until(
        lambda: (
            found
            if (found := stack.status("application", namespace, "argocd"))["sync"].get("revisions") == second
            else {}
        )
    )

    # A pin on what ran before, as `trueup rollback` writes it: automated sync goes there, and follows Git again without it.
    program = [sys.executable, "-m", "trueup.cli.main", "rollback", namespace, "-n", "argocd", "--timeout", "60s"]
    environment = {**os.environ, "KUBECONFIG": str(stack.kubeconfig)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert data(stack, "shop-app", namespace)["colour"] == "green"
    assert stack.status("application", namespace, "argocd")["sync"]["revisions"] == first
    subprocess.run([*program, "--off"], env=environment, capture_output=True, timeout=60, check=True)
    until(lambda: data(stack, "shop-app", namespace)["colour"] == "yellow", within=60, what="the pin is off")
    history = until(  # the objects are live before the status tells of them
        lambda: (
            found
            if (found := stack.status("application", namespace, "argocd")["history"])[-1]["revisions"] == second
            else []
        )
    )
    rows = len(history)

    # What `argocd app rollback` writes, once automated sync is off.
    stack.merge("application", namespace, "argocd", {"spec": {"syncPolicy": None}})
    operation = {
        "sync": {"revisions": first, "sources": app["spec"]["sources"]},
        "initiatedBy": {"username": "somchai"},
    }
    stack.merge("application", namespace, "argocd", {"operation": operation})
    until(lambda: data(stack, "shop-app", namespace)["colour"] == "green", within=60)
    until(lambda: len(stack.status("application", namespace, "argocd")["history"]) == rows + 1)
    assert stack.status("application", namespace, "argocd")["history"][-1]["revisions"] == first
