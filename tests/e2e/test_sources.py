"""Sources beside Git, end to end: a repository of charts, a chart in Git, and what another controller made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from tests.e2e.stack import Stack, git_repository, kustomization, until
from tests.peers.objectstore import PASSWORD, USER, ObjectStore
from tests.sources.helm.kit import chart_files, entry, packed, packed_chart

GROUP = "source.toolkit.fluxcd.io/v1"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def publish(folder: Path, *versions: str) -> None:
    (folder / "index.yaml.new").write_text(
        yaml.safe_dump({"apiVersion": "v1", "entries": {"app": [_packed(folder, version) for version in versions]}})
    )
    (folder / "index.yaml.new").rename(folder / "index.yaml")


def _packed(folder: Path, version: str) -> dict[str, Any]:
    data = packed_chart("app", version)
    (folder / f"app-{version}.tgz").write_bytes(data)
    return {**entry("app", version, data), "urls": [f"app-{version}.tgz"]}


def resource(kind: str, namespace: str, name: str = "app", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def until_ready(stack: Stack, kind: str, namespace: str, message: str) -> dict[str, Any]:
    until(
        lambda: message in str(stack.condition(kind, "app", namespace).get("message")),
        within=60,
        what=f"{kind}: {message}; it says {stack.condition(kind, 'app', namespace)}",
    )
    return stack.status(kind, "app", namespace)


def test_a_chart_follows_its_repository_and_says_so_in_fluxs_words(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    publish(tmp_path, "1.0.0", "2.0.0-rc.1")
    with served(tmp_path) as url:
        stack.apply(
            resource("HelmRepository", namespace, url=url, interval="10m"),
            resource(
                "HelmChart", namespace, chart="app", version=">=1", interval="10m",
                sourceRef={"kind": "HelmRepository", "name": "app"},
            ),
        )  # fmt: skip
        status = until_ready(stack, "helmchart", namespace, "pulled 'app' chart with version '1.0.0'")
        assert status["artifact"]["revision"] == "1.0.0"
        assert status["observedChartName"] == "app"
        assert stack.condition("helmchart", "app", namespace)["reason"] == "ChartPullSucceeded"
        index = hashlib.sha256((tmp_path / "index.yaml").read_bytes()).hexdigest()
        until_ready(stack, "helmrepository", namespace, f"stored artifact: revision 'sha256:{index}'")

        publish(tmp_path, "1.0.0", "1.1.0")
        stack.annotate("helmrepository", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
        until_ready(stack, "helmchart", namespace, "pulled 'app' chart with version '1.1.0'")

        stack.merge("helmchart", "app", namespace, {"spec": {"version": "3.x"}})
        until_ready(stack, "helmchart", namespace, "no version of the chart app")
        assert stack.condition("helmchart", "app", namespace)["reason"] == "InvalidChartReference"


def test_who_waits_for_a_registry_of_charts_does_not_wait_for_ever(stack: Stack, namespace: str) -> None:
    registry = f"apiVersion: {GROUP}\nkind: HelmRepository\nmetadata: {{name: registry}}\n"
    registry += "spec: {type: oci, url: 'oci://registry.invalid/charts'}\n"
    repo = stack.repository(namespace, {"registry.yaml": registry})
    stack.kustomization(namespace, repo.url, wait=True, timeout="20s")
    stack.until_applied(namespace, within=30)
    assert (stack.get("helmrepository", "registry", namespace) or {}).get("status") == {}


def test_a_chart_in_git_is_packaged_with_its_values_files(stack: Stack, namespace: str) -> None:
    files: dict[str, str | bytes | None] = {
        f"charts/app/{path}": text for path, text in chart_files("app", "1.0.0").items()
    }
    repo = stack.repository(namespace, {**files, "env/prod.yaml": "color: red\n"})
    stack.apply(
        {**git_repository(namespace, repo.url), "metadata": {"name": "app", "namespace": namespace}},
        resource(
            "HelmChart", namespace, chart="./charts/app", interval="10m", reconcileStrategy="Revision",
            sourceRef={"kind": "GitRepository", "name": "app"}, valuesFiles=["env/prod.yaml"],
        ),
    )  # fmt: skip
    status = until_ready(stack, "helmchart", namespace, "packaged 'app' chart with version '1.0.0+")
    assert status["artifact"]["revision"].endswith(".1")
    commit = repo.push({"README.md": "hello\n"})
    until_ready(stack, "helmchart", namespace, f"'1.0.0+{commit[:12]}.1' and merged values files [env/prod.yaml]")


def test_what_another_controller_made_is_applied_and_follows_its_status(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    with served(tmp_path) as url:
        stack.apply(resource("ExternalArtifact", namespace))
        wanted = kustomization(namespace, path="./deploy")
        wanted["spec"]["sourceRef"] = {"kind": "ExternalArtifact", "name": "app"}
        stack.apply(wanted)
        for color in ("blue", "red"):
            offer(stack, namespace, tmp_path, url, color)
            until(
                lambda color=color: (
                    ((stack.get("configmap", "made", namespace) or {}).get("data") or {}).get("color") == color
                ),
                within=60,
                what=f"{color}: {stack.condition('kustomization', 'app', namespace)}",
            )  # type: ignore[misc]


def offer(stack: Stack, namespace: str, folder: Path, url: str, color: str, content: bytes = b"") -> None:
    """What the other controller does: puts the artifact there and tells of it in the status."""
    manifest = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: made, namespace: {namespace}}}\ndata: {{color: {color}}}\n"
    )
    data = content or packed({"deploy/made.yaml": manifest})
    (folder / f"{color}.tar.gz").write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    artifact = {
        "url": f"{url}/{color}.tar.gz", "path": f"{color}.tar.gz", "revision": f"latest@{digest}", "digest": digest,
        "size": len(data), "lastUpdateTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    body = json.dumps({"status": {"artifact": artifact}})
    stack.kubectl(
        "patch", "externalartifact", "app", "-n", namespace, "--subresource=status", "--type=merge", "-p", body
    )


def test_a_bucket_is_applied_and_followed(stack: Stack, namespace: str, object_store: ObjectStore) -> None:
    def declared(color: str) -> dict[str, str | bytes | None]:
        return {
            "deploy/made.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: made}}\ndata: {{color: {color}}}\n"
        }

    object_store.fill(namespace, {**declared("blue"), "README.md": "hello"})
    stack.kubectl(
        "create", "secret", "generic", "keys", "-n", namespace,
        f"--from-literal=accesskey={USER}", f"--from-literal=secretkey={PASSWORD}",
    )  # fmt: skip
    stack.apply(
        resource(
            "Bucket", namespace, bucketName=namespace, endpoint=object_store.host, insecure=True, interval="10m",
            secretRef={"name": "keys"},
        )
    )  # fmt: skip
    wanted = kustomization(namespace, path="./deploy")
    wanted["spec"]["sourceRef"] = {"kind": "Bucket", "name": "app"}
    stack.apply(wanted)
    until(lambda: color_of(stack, namespace) == "blue", within=60, what="blue")
    status = until_ready(stack, "bucket", namespace, "stored artifact: revision 'sha256:")
    assert status["artifact"]["revision"].startswith("sha256:")
    object_store.fill(namespace, declared("red"))
    stack.annotate("bucket", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
    until(lambda: color_of(stack, namespace) == "red", within=60, what="red")


def color_of(stack: Stack, namespace: str) -> str:
    made = stack.get("configmap", "made", namespace) or {}
    return str((made.get("data") or {}).get("color"))


def test_a_release_follows_a_charts_repository(stack: Stack, namespace: str, tmp_path: Path) -> None:
    publish(tmp_path, "1.0.0")
    with served(tmp_path) as url:
        chart = {"chart": "app", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "app"}}
        release = resource("HelmRelease", namespace, interval="10m", chart={"spec": chart})
        release["apiVersion"] = "helm.toolkit.fluxcd.io/v2"
        stack.apply(resource("HelmRepository", namespace, url=url, interval="10m"), release)

        def deployed(version: str) -> bool:
            history = stack.status("helmrelease", "app", namespace).get("history") or [{}]
            return history[0].get("chartVersion") == version and history[0].get("status") == "deployed"

        until(lambda: deployed("1.0.0"), within=60, what="1.0.0")
        publish(tmp_path, "1.0.0", "1.1.0", "2.0.0")
        stack.annotate("helmrepository", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
        until(lambda: deployed("1.1.0"), within=60, what="1.1.0")
