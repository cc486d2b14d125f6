"""Paths that are no resources, odd paths and methods, and who may see them: answers compared with the real server's.

The real answers are in `pages-recorded.json`; `UPDATE_GOLDEN=1` with the `real` test writes them anew. What servers cannot
share (the program that serves, the whole list of its metrics and start hooks) is looked at by tests of its own.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.auth.edge import ask, stranger
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

RECORDED = Path(__file__).parent / "pages-recorded.json"
MAPS = "/api/v1/namespaces/default/configmaps"
HEALTH = ("/healthz", "/livez", "/readyz")
ANYBODY = [
    *(("GET", path) for path in ("/", "/metrics", "/api", "/apis/apps/v1", "/api/v1/pods", "/openapi/v2", "/nowhere")),
    *(("GET", path) for path in (*HEALTH, "/readyz?exclude=nothing", "/healthz/ping", "/readyz/nothing")),
    *((method, "/healthz") for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")),
    ("POST", "/version"),
]
ADMINISTRATOR = [
    *(("GET", f"{root}/{check}") for root in HEALTH for check in ("ping", "log", "etcd", "nothing")),
    *(("GET", f"/readyz/{check}") for check in ("etcd-readiness", "informer-sync", "shutdown")),
    *(
        ("GET", path)
        for path in ("/livez/poststarthook/rbac/bootstrap-roles", "/livez?exclude=etcd", "/livez/etcd?verbose")
    ),
    *((method, "/version") for method in ("POST", "DELETE", "PUT")),
    *(("POST", path) for path in ("/api", "/apis/apps/v1", "/nowhere", "/healthz", f"{MAPS}/x")),
    *(("GET", path) for path in ("/version/x", "/nowhere", "/logs", "/debug/pprof", "/apis/nothing", "/openapi/v4")),
    *(("GET", path) for path in ("/api/", "/apis/apps/", "/apis/apps/v1/", "/apis/apps/v9", "/api/v2")),
    *(("GET", path) for path in ("/api/v1/nothing", "/apis/apps/v1/nothing", f"{MAPS}/a/b/c/d", f"{MAPS}/a%20b")),
    *(("GET", path) for path in (f"{MAPS}/%2e%2e%2f", f"{MAPS}/a%25b", f"{MAPS}/...", f"{MAPS}/{'x' * 5000}")),
    *(("GET", path) for path in ("/api/v1/namespaces/Default_/configmaps", "/apis/%F0%9F%92%A5/v1/x")),
    *((method, "/api/v1/namespaces") for method in ("OPTIONS", "TRACE")),
    *((method, MAPS) for method in ("PUT", "PATCH")),
    ("HEAD", "/api/v1/namespaces/default"),
    ("HEAD", "/api/v1/namespaces/none"),
]
CREDENTIALS = ("Bearer garbage", "Bearer a.b.c", "Bearer ", "Bearer", "Basic dTpw", "Nonsense x", "bearer garbage")


async def answers_of(server: Server) -> dict[str, Any]:
    assert server.session is not None
    async with stranger(server) as nobody:
        found = {f"anybody: {method} {path}": await ask(server, nobody, method, path) for method, path in ANYBODY}
        for method, path in ADMINISTRATOR:
            found[f"administrator: {method} {path}"] = await ask(server, server.session, method, path)
        for sent in CREDENTIALS:
            for path in ("/readyz", "/api/v1/pods"):
                headers = {"Authorization": sent}
                found[f"{sent!r}: {path}"] = await ask(server, nobody, "GET", path, headers=headers)
        found["a certificate and a bad token"] = await ask(
            server, server.session, "GET", "/readyz", headers={"Authorization": "Bearer garbage"}
        )
    return found


async def test_pages_are_answered_as_by_the_real_server(bare_embedded_cluster: EmbeddedCluster) -> None:
    recorded = json.loads(RECORDED.read_text())
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        said = await answers_of(server)
    assert said.keys() == recorded.keys()
    for title, answer in said.items():
        assert answer == recorded[title], title


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = await answers_of(server)
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said


@pytest.mark.real
async def test_every_check_and_every_field_of_the_version_is_one_that_the_real_server_has(
    bare_control_plane: ControlPlane, bare_embedded_cluster: EmbeddedCluster
) -> None:
    async with Server(bare_control_plane.kubeconfig) as real, Server(bare_embedded_cluster.kubeconfig) as ours:
        for root in HEALTH:
            wanted = (await real.send("GET", f"{root}?verbose"))[1].splitlines()
            lines = (await ours.send("GET", f"{root}?verbose"))[1].splitlines()
            assert [line for line in wanted if line in set(lines)] == lines
        assert (await real.send("GET", "/version"))[1].keys() == (await ours.send("GET", "/version"))[1].keys()


async def test_verbose_health_names_every_check_and_what_is_left_out(bare_embedded_cluster: EmbeddedCluster) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        status, text = await server.send("GET", "/readyz?verbose&exclude=etcd&exclude=nonsense")
    assert status == 200
    lines = text.splitlines()
    assert lines[:3] == ["[+]ping ok", "[+]log ok", "[+]etcd excluded: ok"]
    assert 'warn: some health checks cannot be excluded: no matches for "nonsense"' in lines
    assert lines[-1] == "readyz check passed"


async def test_metrics_count_requests_by_verb_resource_and_code(
    bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        path = f"/apis/batch/v1/namespaces/{namespace_name}/cronjobs"
        await server.send("GET", path)
        await server.send("GET", f"{path}/none")
        await server.send("DELETE", path)
        status, text = await server.send("GET", "/metrics")
    assert status == 200
    for verb, code, scope in (
        ("LIST", 200, "namespace"),
        ("GET", 404, "resource"),
        ("DELETECOLLECTION", 200, "namespace"),
    ):
        labels = (
            f'code="{code}",component="apiserver",dry_run="",group="batch",resource="cronjobs",scope="{scope}",'
            f'subresource="",verb="{verb}",version="v1"'
        )
        assert f"apiserver_request_total{{{labels}}} " in text
    assert 'apiserver_current_inflight_requests{request_kind="readOnly"} ' in text
