"""Projects, repositories, clusters and webhooks at Argo CD's paths."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from tests.server.api.support import serving
from tests.server.argo.kit import POLICY, NoCluster, NoController, world_of
from trueup.server.access.policy import policy_of
from trueup.server.api.listening import Bounds, Listener
from trueup.server.argo.connections import Connection
from trueup.server.argo.places import cluster, repository
from trueup.server.argo.webhook import Forwarding, headers_on
from trueup.server.argo.whole import operations
from trueup.server.keeping.places import ClusterAnswer
from trueup.server.keeping.secretrows import cluster_row
from trueup.server.world.trees import Trees


def secret(kind: str, **data: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def test_no_credential_is_in_a_repository_or_a_cluster() -> None:
    given = secret("repository", url="https://u:canary@example.com/r", username="u", password="canary", name="r")
    given["data"]["proxy"] = base64.b64encode(b"http://u:canary@proxy:3128").decode()
    row = repository(given, Connection(status="Successful"))
    assert (row["type"], row["name"], row["connectionState"]["status"]) == ("git", "r", "Successful")
    assert row["proxy"].endswith("@proxy:3128")
    assert "canary" not in str(row)
    given = secret("cluster", server="https://10.0.0.1", name="east", config='{"bearerToken": "canary"}')
    row = cluster(
        ClusterAnswer(row=cluster_row(given), apps=2), Connection(status="Failed", message="gone", version="v1.34.1")
    )
    state = {"status": "Failed", "message": "gone", "attemptedAt": None}
    assert (row["server"], row["name"], row["connectionState"], row["serverVersion"]) == (
        "https://10.0.0.1", "east", state, "1.34",
    )  # fmt: skip
    assert row["info"] == {"applicationsCount": 2, "connectionState": state, "serverVersion": "1.34"}
    assert "canary" not in str(row)


async def test_projects_are_listed_to_whom_may_see_them_and_denied_to_others() -> None:
    world = world_of()
    world.projects["shop"]["spec"]["roles"] = [{"name": "ci", "jwtTokens": [{"iat": 1}]}]
    world.projects["shop"]["spec"]["syncWindows"] = [{"kind": "deny", "schedule": "0 0 * * *", "duration": "25h"}]
    async with serving(operations(world, NoCluster(), Trees(), NoController())) as one:
        one.authority.update(policy_of({"policy.csv": POLICY}), {})

        async def ask(path: str, who: str = "ann") -> tuple[int, Any]:
            async with one.client.get("/api/v1/projects" + path, headers={"X-User": who}) as answer:
                return answer.status, await answer.json()

        _, body = await ask("")
        assert [item["metadata"]["name"] for item in body["items"]] == ["shop"]
        status, body = await ask("/shop")
        assert (status, body["spec"]["roles"]) == (200, [{"name": "ci"}])
        assert (await ask("/shop/syncwindows"))[1]["windows"][0]["kind"] == "deny"
        world.projects["shop"]["spec"]["syncWindows"][0]["schedule"] = "0 0 30 2 *"
        assert (await ask("/shop/syncwindows")) == (200, {"windows": []})
        assert (await ask("/bank"))[0] == 403
        assert (await ask("/none"))[0] == 403
        assert (await ask("/none", "boss"))[0] == 404


def test_headers_of_the_connection_and_cookies_are_not_handed_on() -> None:
    given = {"Host": "a", "Cookie": "b", "X-Hub-Signature-256": "sha256=c", "Content-Length": "3"}
    assert headers_on(given) == {"X-Hub-Signature-256": "sha256=c"}


async def test_a_webhook_reaches_the_controller_as_it_was_sent() -> None:
    got: list[tuple[str, bytes]] = []
    ports: set[int] = set()

    async def take(request: web.Request) -> web.Response:
        ports.add(request.transport.get_extra_info("peername")[1] if request.transport else 0)
        got.append((request.headers["X-Hub-Signature-256"], await request.read()))
        return web.json_response({"sources": 1}, status=202)

    controller = web.Application()
    controller.router.add_post("/api/webhook", take)
    listener = Listener(controller, Bounds())
    port = await listener.start("127.0.0.1", 0)
    forwarding = Forwarding((f"http://127.0.0.1:{port}", "http://127.0.0.1:1"))
    try:
        async with serving(operations(world_of(), NoCluster(), Trees(), NoController(), forwarding)) as one:
            headers = {"X-Hub-Signature-256": "sha256=abc"}
            for _ in range(3):
                async with one.client.post("/api/webhook", data=b'{ "ref":1}', headers=headers) as answer:
                    assert (answer.status, await answer.json()) == (202, {"sources": 1})
        assert got == [("sha256=abc", b'{ "ref":1}')] * 3
        assert len(ports) == 1, "one connection carries them all"
    finally:
        await forwarding.close()
        await listener.stop()


async def test_a_webhook_that_no_controller_takes_may_be_sent_again() -> None:
    for urls in ((), ("http://127.0.0.1:1",)):
        forwarding = Forwarding(urls)
        table = operations(world_of(), NoCluster(), Trees(), NoController(), forwarding)
        async with serving(table) as one, one.client.post("/api/webhook", data=b"{}") as answer:
            assert answer.status == 503
        await forwarding.close()


async def test_whoever_may_not_make_a_project_is_denied() -> None:
    project = {"project": {"metadata": {"name": "new"}, "spec": {}}}
    async with serving(operations(world_of(), NoCluster(), Trees(), NoController())) as one:
        async with one.client.post("/api/v1/projects", json=project, headers={"X-User": "ann"}) as answer:
            said = await answer.json()
        assert (answer.status, said["message"]) == (403, "permission denied: projects, create, new, sub: ann")
