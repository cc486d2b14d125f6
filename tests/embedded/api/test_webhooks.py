"""Admission webhooks are called as the real server calls them: what they deny, change and warn of counts."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from trueup.embedded.auth.certificates import Authority

Reply = Callable[[dict[str, Any]], dict[str, Any]]
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"


class Hook:
    """A webhook server whose answer a test sets."""

    def __init__(self, url: str, bundle: str) -> None:
        self.url = url
        self.bundle = bundle
        self.reply: Reply = lambda request: {"allowed": True}
        self.requests: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        self.requests.append(asked)
        answer = {"uid": asked["uid"], **self.reply(asked)}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncIterator[Hook]:
    authority = Authority.in_folder(tmp_path)
    pair = authority.server(["127.0.0.1"])
    (tmp_path / "pair.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    app = web.Application()
    runner = web.AppRunner(app)
    hook = Hook("", base64.b64encode(authority.certificate).decode())
    app.router.add_post("/", hook.handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    hook.url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
    yield hook
    await runner.cleanup()


class Cluster:
    """A namespace with webhooks that see only it."""

    def __init__(self, server: Server, namespace: str, hook: Hook) -> None:
        self.server = server
        self.namespace = namespace
        self.maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self._hook = hook

    async def configure(self, kind: str, **more: Any) -> None:
        webhook = {
            "name": "judge.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 2,
            "clientConfig": {"url": self._hook.url, "caBundle": self._hook.bundle},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        } | more
        body = {"metadata": {"name": f"{kind.lower()}-{self.namespace}"}, "webhooks": [webhook]}
        status, answer = await self.server.send("POST", f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations", body)
        assert status == 201, answer

    async def create(self, name: str, query: str = "", **data: str) -> tuple[int, Any]:
        return await self.server.send("POST", self.maps + query, {"metadata": {"name": name}, "data": data})


@pytest.fixture
async def cluster(bare_embedded_cluster: EmbeddedCluster, namespace_name: str, hook: Hook) -> AsyncIterator[Cluster]:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        yield Cluster(server, namespace_name, hook)
        for kind in ("validating", "mutating"):
            await server.send("DELETE", f"{CONFIGURATIONS}/{kind}webhookconfigurations/{kind}-{namespace_name}")


async def test_a_denial_is_the_requests_answer(cluster: Cluster, hook: Hook) -> None:
    await cluster.configure("Validating")
    hook.reply = lambda request: {"allowed": False, "status": {"code": 403, "message": "not on a Friday"}}
    status, answer = await cluster.create("a")
    assert status == 403
    assert answer["message"] == 'admission webhook "judge.example.com" denied the request: not on a Friday'
    assert (await cluster.server.send("GET", f"{cluster.maps}/a"))[0] == 404


async def test_a_webhook_sees_the_object_before_and_after(cluster: Cluster, hook: Hook) -> None:
    await cluster.configure("Validating")
    await cluster.create("a", colour="green")
    media = "application/merge-patch+json"
    await cluster.server.send("PATCH", f"{cluster.maps}/a", {"data": {"colour": "red"}}, content_type=media)
    await cluster.server.send("DELETE", f"{cluster.maps}/a")
    created, updated, deleted = hook.requests
    assert [each["operation"] for each in hook.requests] == ["CREATE", "UPDATE", "DELETE"]
    assert (created["oldObject"], created["object"]["data"]) == (None, {"colour": "green"})
    assert (updated["oldObject"]["data"], updated["object"]["data"]) == ({"colour": "green"}, {"colour": "red"})
    assert (deleted["oldObject"]["data"], deleted["object"]) == ({"colour": "red"}, None)
    assert created["userInfo"]["username"] == "trueup-admin"
    assert created["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}


async def test_a_mutating_webhook_changes_what_is_stored(cluster: Cluster, hook: Hook) -> None:
    await cluster.configure("Mutating")
    patch = base64.b64encode(json.dumps([{"op": "add", "path": "/data/added", "value": "x"}]).encode()).decode()
    hook.reply = lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": patch, "warnings": ["changed"]}
    status, answer = await cluster.create("a", colour="green")
    assert (status, answer["data"]) == (201, {"colour": "green", "added": "x"})
    assert "f:added" not in json.dumps(answer["metadata"]["managedFields"])


async def test_a_webhook_that_fails_is_judged_by_its_failure_policy(cluster: Cluster, hook: Hook) -> None:
    dead = {"url": "https://127.0.0.1:1/", "caBundle": hook.bundle}
    await cluster.configure("Validating", clientConfig=dead)
    status, answer = await cluster.create("a")
    assert (status, answer["reason"]) == (500, "InternalError")
    assert 'failed calling webhook "judge.example.com"' in answer["message"]
    path = f"{CONFIGURATIONS}/validatingwebhookconfigurations/validating-{cluster.namespace}"
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    await cluster.server.send("PATCH", path, patch, content_type="application/json-patch+json")
    assert (await cluster.create("a"))[0] == 201


async def test_only_what_the_rules_and_selectors_name_is_sent(cluster: Cluster, hook: Hook) -> None:
    await cluster.configure("Validating", objectSelector={"matchLabels": {"judged": "yes"}})
    await cluster.create("a")
    secrets = f"/api/v1/namespaces/{cluster.namespace}/secrets"
    await cluster.server.send("POST", secrets, {"metadata": {"name": "s", "labels": {"judged": "yes"}}})
    assert hook.requests == []
    await cluster.server.send("POST", cluster.maps, {"metadata": {"name": "b", "labels": {"judged": "yes"}}})
    assert [each["name"] for each in hook.requests] == ["b"]


async def test_a_webhook_with_side_effects_refuses_a_dry_run(cluster: Cluster, hook: Hook) -> None:
    await cluster.configure("Validating", sideEffects="None")
    assert (await cluster.create("a", "?dryRun=All"))[0] == 201
    assert hook.requests[0]["dryRun"] is True
