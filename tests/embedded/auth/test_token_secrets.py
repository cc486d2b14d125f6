"""Tokens that stand in Secrets: filled, worth something while Secret and account are there, gone with the account.

The same is asked of the real server, which has a controller for it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.auth.edge import stranger

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
PATIENCE = 20.0


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    name = "embedded_cluster" if request.param == "embedded" else "control_plane"
    kubeconfig: Path = request.getfixturevalue(name).kubeconfig
    async with Server(kubeconfig) as server:
        yield server


async def until(server: Server, path: str, wanted: int, key: str = "") -> Any:
    """The answer, as soon as it has the status and, in its data, the key."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status, answer = await server.send("GET", path)
            if status == wanted and (not key or key in (answer.get("data") or {})):
                return answer
            await asyncio.sleep(0.05)


async def test_a_token_secret_is_filled_and_goes_with_its_account(server: Server, namespace_name: str) -> None:
    home = f"/api/v1/namespaces/{namespace_name}"
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
    await server.send("POST", f"{home}/serviceaccounts", {"metadata": {"name": "robot"}})
    annotations = {"kubernetes.io/service-account.name": "robot"}
    secret = {"metadata": {"name": "robot", "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    assert (await server.send("POST", f"{home}/secrets", secret))[0] == 201
    made = await until(server, f"{home}/secrets/robot", 200, "token")
    assert set(made["data"]) == {"ca.crt", "namespace", "token"}
    assert base64.b64decode(made["data"]["namespace"]).decode() == namespace_name
    assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"]
    headers = {"Authorization": f"Bearer {base64.b64decode(made['data']['token']).decode()}"}
    async with stranger(server) as nobody:
        async with nobody.post(server.url + WHO, json={}, headers=headers) as response:
            info = (await response.json())["status"]["userInfo"]
        assert info["username"] == f"system:serviceaccount:{namespace_name}:robot"
        assert f"system:serviceaccounts:{namespace_name}" in info["groups"]
        await server.send("DELETE", f"{home}/serviceaccounts/robot")
        await until(server, f"{home}/secrets/robot", 404)
        status = 0
        async with asyncio.timeout(PATIENCE):
            while status != 401:  # the real server believes a token that it has seen for ten seconds more
                async with nobody.post(server.url + WHO, json={}, headers=headers) as response:
                    status = response.status
                await asyncio.sleep(0.2)


async def test_who_may_not_impersonate_is_refused(server: Server, namespace_name: str) -> None:
    home = f"/api/v1/namespaces/{namespace_name}"
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
    await server.send("POST", f"{home}/serviceaccounts", {"metadata": {"name": "robot"}})
    _, answer = await server.send("POST", f"{home}/serviceaccounts/robot/token", {"spec": {"expirationSeconds": 600}})
    headers = {"Authorization": f"Bearer {answer['status']['token']}"}
    robot = f"system:serviceaccount:{namespace_name}:robot"
    async with stranger(server) as nobody:
        for name in ("jane", f"{robot}2", "system:admin"):
            asked = headers | {"Impersonate-User": name}
            async with nobody.get(f"{server.url}{home}/pods", headers=asked) as response:
                answer = await response.json()
            assert (response.status, answer["reason"]) == (403, "Forbidden")
            assert f'User "{robot}" cannot impersonate' in answer["message"]
