"""From an artifact in a real registry to what runs in the cluster: OCIRepository, Kustomization, status, faults."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.manifests import config
from tests.e2e.stack import Stack, kustomization, until
from tests.e2e.test_argocd import application, automated, until_status
from tests.e2e.test_sources import resource, until_ready
from tests.peers.registry import PASSWORD, USER, Registry, prepared_registry
from tests.sources.helm.kit import packed_chart
from tests.support.ocipush import HELM_CONFIG, HELM_CONTENT, Layer, Pusher, public_pem, tar_gz

LOGIN = f"{USER}:{PASSWORD}"
SOURCE = {"kind": "OCIRepository", "name": "repo"}


@pytest.fixture
def private_registry() -> Iterator[Registry]:
    with prepared_registry(password=True) as registry:
        asyncio.run(registry.start())
        yield registry
        asyncio.run(registry.child.kill())


def oci_repository(namespace: str, url: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "repo", "namespace": namespace},
        "spec": {"interval": "10m", "url": url, **spec},
    }


def secret(namespace: str, name: str, data: dict[str, bytes], type_: str = "Opaque") -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": encoded}


def look(stack: Stack, namespace: str, token: str) -> None:
    stack.annotate("ocirepository", "repo", namespace, f"reconcile.fluxcd.io/requestedAt={token}")


def colour(stack: Stack, namespace: str) -> str:
    return str((stack.get("configmap", "settings", namespace) or {"data": {}})["data"].get("colour"))


def test_an_artifact_becomes_what_runs_and_a_moved_tag_follows(
    stack: Stack, namespace: str, registry: Registry
) -> None:
    pusher = Pusher(registry.url, f"e2e/{namespace}")
    annotations = {
        "org.opencontainers.image.source": "https://git.example/web",
        "org.opencontainers.image.revision": "v1@sha1:0",
    }
    files = {"deploy/settings.yaml": config(), "other/broken.yaml": "{"}
    digest = asyncio.run(pusher.files("stable", files, annotations=annotations))
    stack.apply(
        oci_repository(namespace, f"oci://{registry.host}/e2e/{namespace}", ref={"tag": "stable"}),
        kustomization(namespace, "./deploy", sourceRef=SOURCE),
    )
    status = stack.until_applied(namespace, digest)
    assert status["lastAppliedRevision"] == f"stable@{digest}"
    assert colour(stack, namespace) == "blue"

    source = stack.status("ocirepository", "repo", namespace)
    assert source["artifact"]["revision"] == f"stable@{digest}"
    assert source["artifact"]["metadata"] == annotations
    for kind in ("Ready", "ArtifactInStorage"):
        row = stack.condition("ocirepository", "repo", namespace, kind)
        assert (row["status"], row["reason"]) == ("True", "Succeeded")
        assert row["message"] == f"stored artifact for digest 'stable@{digest}'"
    table = stack.kubectl("get", "ocirepositories.v1beta2.source.toolkit.fluxcd.io", "-n", namespace)
    assert f"oci://{registry.host}/e2e/{namespace}" in table

    moved = asyncio.run(pusher.files("stable", {"deploy/settings.yaml": config(colour="green")}))
    look(stack, namespace, "moved")
    stack.until_applied(namespace, moved)
    assert colour(stack, namespace) == "green"


def test_a_private_artifact_runs_only_when_a_trusted_key_signed_it_and_while_the_registry_is_away(
    stack: Stack, namespace: str, private_registry: Registry
) -> None:
    registry, key = private_registry, ec.generate_private_key(ec.SECP256R1())
    pusher = Pusher(registry.url, "team/web", login=LOGIN)
    digest = asyncio.run(pusher.files("1.0.0", {"settings.yaml": config()}))
    pull = {".dockerconfigjson": registry.docker_config()}
    verify = {"provider": "cosign", "secretRef": {"name": "keys"}}
    stack.apply(
        secret(namespace, "pull", pull, "kubernetes.io/dockerconfigjson"),
        secret(namespace, "keys", {"cosign.pub": public_pem(key)}),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "puller", "namespace": namespace},
            "imagePullSecrets": [{"name": "pull"}],
        },
        oci_repository(
            namespace, f"oci://{registry.host}/team/web",
            ref={"semver": ">=1.0.0"}, serviceAccountName="puller", verify=verify,
        ),
        kustomization(namespace, sourceRef=SOURCE),
    )  # fmt: skip

    def refused() -> bool:
        row = stack.condition("ocirepository", "repo", namespace, "SourceVerified")
        return row.get("status") == "False" and row.get("reason") == "VerificationError"

    until(refused, what="the unsigned artifact is refused")
    assert stack.get("configmap", "settings", namespace) is None

    asyncio.run(pusher.cosign(digest, key))
    look(stack, namespace, "signed")
    assert stack.until_applied(namespace, digest)["lastAppliedRevision"] == f"1.0.0@{digest}"
    row = stack.condition("ocirepository", "repo", namespace, "SourceVerified")
    assert (row["status"], row["message"]) == ("True", f"verified signature of revision 1.0.0@{digest}")

    asyncio.run(registry.child.kill())
    look(stack, namespace, "away")

    def unreachable() -> bool:
        return stack.condition("ocirepository", "repo", namespace, "FetchFailed").get("reason") == "Unreachable"

    until(unreachable, what="the registry that is away is said")
    assert colour(stack, namespace) == "blue"
    stack.restart()  # what was fetched is on the disk, so drift is healed all the same
    stack.kubectl("delete", "configmap", "settings", "-n", namespace)
    until(lambda: colour(stack, namespace) == "blue", what="the object comes back while the registry is away")
    asyncio.run(registry.start())
    newer = asyncio.run(pusher.files("1.1.0", {"settings.yaml": config(colour="green")}))
    asyncio.run(pusher.cosign(newer, key))
    look(stack, namespace, "back")
    stack.until_applied(namespace, newer)
    assert colour(stack, namespace) == "green"


def test_a_bad_artifact_is_named_and_leaves_what_runs_alone(stack: Stack, namespace: str, registry: Registry) -> None:
    pusher = Pusher(registry.url, f"e2e/{namespace}")
    asyncio.run(pusher.files("v1", {"settings.yaml": config()}))
    url = f"oci://{registry.host}/e2e/{namespace}"
    stack.apply(oci_repository(namespace, url, ref={"tag": "v1"}), kustomization(namespace, sourceRef=SOURCE))
    stack.until_applied(namespace)
    asyncio.run(pusher.files("v1", {"../../etc/cron.d/x": "boom"}))
    look(stack, namespace, "bad")

    def refused() -> bool:
        row = stack.condition("ocirepository", "repo", namespace)
        return row.get("reason") == "OCIArtifactLayerOperationFailed" and "'..'" in row.get("message", "")

    until(refused, what="the archive that reaches outside is refused")
    assert colour(stack, namespace) == "blue"
    good = asyncio.run(pusher.files("v1", {"settings.yaml": config(colour="green")}))
    look(stack, namespace, "good")
    stack.until_applied(namespace, good)


def test_a_chart_in_a_registry_follows_its_versions(stack: Stack, namespace: str, registry: Registry) -> None:
    pusher = Pusher(registry.url, f"e2e/{namespace}/app")

    def publish(version: str) -> None:
        layer = Layer(packed_chart("app", version), HELM_CONTENT)
        asyncio.run(pusher.artifact(version, layer, config_type=HELM_CONFIG))

    publish("1.0.0")
    stack.apply(
        resource("HelmRepository", namespace, type="oci", url=f"oci://{registry.host}/e2e/{namespace}", interval="10m"),
        resource(
            "HelmChart", namespace, chart="app", version="1.x", interval="10m",
            sourceRef={"kind": "HelmRepository", "name": "app"},
        ),
    )  # fmt: skip
    status = until_ready(stack, "helmchart", namespace, "pulled 'app' chart with version '1.0.0'")
    assert status["artifact"]["revision"] == "1.0.0"
    publish("1.1.0")
    stack.annotate("helmchart", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
    until_ready(stack, "helmchart", namespace, "pulled 'app' chart with version '1.1.0'")


def test_an_application_takes_its_manifests_from_a_private_artifact(
    stack: Stack, namespace: str, private_registry: Registry
) -> None:
    registry = private_registry
    pusher = Pusher(registry.url, f"argo/{namespace}", login=LOGIN)
    plain = "application/vnd.oci.image.layer.v1.tar+gzip"

    def publish(version: str, colour: str) -> str:
        layer = Layer(tar_gz({"deploy/settings.yaml": config(colour=colour)}), plain)
        return asyncio.run(pusher.artifact(version, layer))

    digest = publish("1.0.0", "blue")
    url = f"oci://{registry.host}/argo/{namespace}"
    login = {"type": b"oci", "url": url.encode(), "username": USER.encode(), "password": PASSWORD.encode()}
    credentials = secret("argocd", f"repo-{namespace}", login)
    credentials["metadata"]["labels"] = {"argocd.argoproj.io/secret-type": "repository"}
    app = application(namespace, url, "deploy", syncPolicy=automated())
    app["spec"]["source"]["targetRevision"] = "1.x"
    stack.apply(credentials, app)
    try:
        until_status(stack, namespace, "the artifact is applied", sync="Synced", revision=digest)
        assert stack.status("application", namespace, "argocd")["history"][0]["revision"] == digest
        assert colour(stack, namespace) == "blue"
        moved = publish("1.1.0", "green")
        stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
        until_status(stack, namespace, "the newer version is applied", sync="Synced", revision=moved)
        assert colour(stack, namespace) == "green"
    finally:
        stack.api.delete("secret", f"repo-{namespace}", "argocd")


def test_a_registry_that_falls_silent_holds_up_nobody_else(stack: Stack, namespace: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and nothing is ever said
        url = f"oci://127.0.0.1:{silent.getsockname()[1]}/team/web"
        stack.apply(
            oci_repository(namespace, url, timeout="1m") | {"metadata": {"name": "silent", "namespace": namespace}}
        )
        repo = stack.repository(namespace, {"settings.yaml": config()})
        stack.kustomization(namespace, repo.url)
        stack.until_applied(namespace)
        stack.until_applied(namespace, repo.push({"settings.yaml": config(colour="green")}))
        assert "artifact" not in stack.status("ocirepository", "silent", namespace)
        stack.apply(
            oci_repository(namespace, url, timeout="1s") | {"metadata": {"name": "other", "namespace": namespace}}
        )

        def given_up() -> bool:
            row = stack.condition("ocirepository", "other", namespace, "FetchFailed")
            return row.get("reason") == "Timeout" and "1 s" in row.get("message", "")

        until(given_up, what="the silent registry is given up")
