"""What people do with objects that live in another cluster: as with those here, and never with what is called so here."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.e2e.apiserver import BASE, Api, api_of, until_async
from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.remote import Remote
from tests.e2e.stack import Stack
from tests.e2e.test_argocd import application, automated
from tests.e2e.test_argocd_api import ask
from tests.e2e.test_sites import (
    THERE,
    data_of,
    embedded_remote,
    kubeconfig_secret,
    real_remote,
    registered,
    remote,
    there,
)

__all__ = ["embedded_remote", "real_remote", "registered", "remote", "there"]

CANARY = "s3cr3t-canary-value"


async def pod_of(api: Api, app: str) -> dict[str, Any]:
    """The row of a pod in its tree, once it is there."""
    async with asyncio.timeout(40):
        while True:
            nodes = (await api.get(f"{app}/tree"))["nodes"]
            for node in nodes:
                if node["kind"] == "Pod":
                    return dict(node)
            await asyncio.sleep(0.1)


def event_about(namespace: str, pod: str, message: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.1", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod},
        "reason": "Told",
        "message": message,
        "type": "Normal",
        "lastTimestamp": "2026-03-01T12:00:00Z",
    }


async def lines_of(api: Api, path: str) -> list[dict[str, Any]]:
    """Of a stream of logs, until lines have come or it has ended."""
    headers = {"Authorization": f"Bearer {api.token}"}
    async with api.client.get(BASE + path, headers=headers) as stream, asyncio.timeout(40):
        assert stream.status == 200, await stream.text()
        while True:
            line = await stream.content.readline()
            if line.startswith(b"data: "):
                return list(json.loads(line[6:]).get("lines", ()))


async def test_objects_there_are_looked_at_and_changed_as_those_here(
    stack: Stack, namespace: str, remote: Remote, there: str, tmp_path: Path
) -> None:
    files: dict[str, str | bytes | None] = {
        "web.yaml": deployment("web", replicas=1),
        "settings.yaml": config("settings", colour="blue"),
        "token.yaml": manifest("v1", "Secret", "token", stringData={"token": CANARY}),
    }
    repo = stack.repository(namespace, files)
    here = {"name": "settings", "namespace": namespace}
    stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": here, "data": {"colour": "of others"}})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, wait=True, **THERE)
    await asyncio.to_thread(stack.until_applied, namespace)
    app = f"/apps/Kustomization/{namespace}/app"
    settings = f"{app}/object?kind=ConfigMap&namespace={there}&name=settings"
    web = f"group=apps&kind=Deployment&namespace={there}&name=web"
    async with api_of(stack, tmp_path) as api:
        pod = await pod_of(api, app)
        name = pod["name"]
        seen = await api.get(settings)
        assert seen["manifest"]["data"] == {"colour": "blue"}
        assert CANARY not in json.dumps(await api.get(f"{app}/object?kind=Secret&namespace={there}&name=token"))

        # what git leaves open is changed by a patch, when nobody was faster, and not by a dry run
        patch = {"data": {"more": "1"}}
        assert (await api.ask("PATCH", settings + "&dryRun=true", patch))[1]["manifest"]["data"]["more"] == "1"
        assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}
        stale = {"If-Match": '"1"', "Authorization": f"Bearer {api.token}"}
        async with api.client.patch(BASE + settings, json=patch, headers=stale) as answer:
            assert answer.status == 412, await answer.text()
        assert (await api.ask("PATCH", settings, patch))[0] == 200
        assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue", "more": "1"}
        entry = api.diary.entries[-1]
        assert (entry.action, entry.result, entry.target) == (
            "objects.patch",
            "succeeded",
            f"ConfigMap/{there}/settings",
        )
        assert '"more":"1"' in entry.after

        # Events and logs
        remote.make(f"/api/v1/namespaces/{there}/events", event_about(there, name, "from there"))
        stack.apply(event_about(namespace, name, "from here"))
        told = (await api.get(f"{app}/events?kind=Pod&namespace={there}&name={name}"))["items"]
        assert "from there" in {one["message"] for one in told}
        told = (await api.get(f"{app}/tree/kubernetes-events"))["items"]
        messages = {one["message"] for one in told}
        assert "from there" in messages
        assert "from here" not in messages
        assert any(one["ref"]["kind"] == "Kustomization" for one in told)
        lines = await lines_of(api, f"{app}/logs?{web}&follow=true")
        assert {line["pod"] for line in lines} <= {
            name,
            *(one["metadata"]["name"] for one in remote.api.list("pod", there)),
        }
        assert lines

        # what is deleted is the one that was looked at
        place = f"{app}/object?kind=Pod&namespace={there}&name={name}"
        assert (await api.ask("DELETE", place + "&uid=another"))[0] == 412
        assert (await api.ask("DELETE", place + f"&uid={pod['uid']}&force=true"))[0] == 202
        await until_async(lambda: remote.api.get("pod", name, there) is None)

        status, done = await api.ask(
            "POST", f"{app}/object/actions?{web}", {"action": "scale", "parameters": {"replicas": "2"}}
        )
        assert (status, done.get("message")) == (202, "scale: done"), done

        # what is not the App's is not there
        remote.make(f"/api/v1/namespaces/{there}/configmaps", {"metadata": {"name": "of-others"}, "data": {"a": "b"}})
        foreign = f"{app}/object?kind=ConfigMap&namespace={there}&name=of-others"
        for method, body in (("GET", None), ("PATCH", {"data": {}}), ("DELETE", None)):
            status, problem = await api.ask(method, foreign, body)
            assert (status, problem["reason"]) == (404, "NotFound"), method
        assert remote.api.get("configmap", "of-others", there)

        remote.gate.shut()
        try:
            for method, path, body in (
                ("GET", settings, None),
                ("DELETE", settings, None),
                ("GET", f"{app}/logs?{web}", None),
            ):
                status, problem = await api.ask(method, path, body)
                assert (status, problem["reason"]) == (503, "ClusterUnreachable"), problem
            told = await api.get(f"{app}/tree/kubernetes-events")
            assert any("does not answer" in note for note in told["notes"])
        finally:
            remote.gate.open()
        stack.kubectl("delete", "secret", "there", "-n", namespace)
        stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
        await asyncio.to_thread(stack.until_failed, namespace, "is not there")
        status, problem = await api.ask("GET", settings)
        assert (status, problem["reason"]) == (503, "ClusterNotFound"), problem
    assert data_of(stack.get("configmap", "settings", namespace)) == {"colour": "of others"}
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=again")
    await asyncio.to_thread(stack.until_applied, namespace)


async def test_argo_cds_clients_do_all_of_it_at_a_registered_cluster(
    stack: Stack, namespace: str, remote: Remote, there: str, registered: str, tmp_path: Path
) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment("web", replicas=1), "settings.yaml": config("settings")})
    wanted = application(namespace, repo.url, syncPolicy=automated())
    wanted["spec"]["destination"] = {"name": registered, "namespace": there}
    stack.apply(wanted)
    app = f"/applications/{namespace}"
    web = f"group=apps&kind=Deployment&namespace={there}&resourceName=web&version=v1"
    async with api_of(stack, tmp_path) as api:
        pod = await pod_of(api, f"/apps/Application/argocd/{namespace}")
        name = pod["name"]
        live = json.loads((await ask(api, "GET", f"{app}/resource?{web}"))["manifest"])
        assert live["metadata"]["namespace"] == there
        actions = (await ask(api, "GET", f"{app}/resource/actions?{web}"))["actions"]
        assert "restart" in [one["name"] for one in actions]
        patch = json.dumps({"metadata": {"labels": {"by": "hand"}}})
        changed = await ask(api, "POST", f"{app}/resource?{web}&patchType=application/merge-patch%2Bjson", patch)
        assert json.loads(changed["manifest"])["metadata"]["labels"]["by"] == "hand"

        remote.make(f"/api/v1/namespaces/{there}/events", event_about(there, name, "from there"))
        where = f"resourceNamespace={there}&resourceName={name}&resourceUID={pod['uid']}"
        items = (await ask(api, "GET", f"{app}/events?{where}"))["items"]
        assert "from there" in [one["message"] for one in items]
        headers = {"Authorization": f"Bearer {api.token}"}
        for path in (f"{app}/logs?{web}", f"{app}/pods/{name}/logs?namespace={there}"):
            async with api.client.get(f"/api/v1{path}", headers=headers) as answer:
                text = await answer.text()
                assert answer.status == 200, text
            assert json.loads(text.splitlines()[-1])["result"]["last"] is True
        at_pod = f"kind=Pod&namespace={there}&resourceName={name}&version=v1"
        await ask(api, "DELETE", f"{app}/resource?{at_pod}&force=true")
        await until_async(lambda: remote.api.get("pod", name, there) is None)
        await ask(api, "POST", f"{app}/resource/actions?{web}", "restart")
        live = remote.api.get("deployment", "web", there) or {}
        assert "kubectl.kubernetes.io/restartedAt" in live["spec"]["template"]["metadata"]["annotations"]
    stack.kubectl("delete", "application", namespace, "-n", "argocd")
