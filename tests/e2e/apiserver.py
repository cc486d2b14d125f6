"""An API server for end-to-end tests, beside a stack's controller: signed in to as the first admin, with an audit log to look into."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from msgspec import Struct

from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Repository, Stack
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import read_token
from trueup.dialects.registry import all_dialects
from trueup.model.rights import Rights
from trueup.records.audit.entry import AuditEntry
from trueup.server.api.listening import Bounds, Listener
from trueup.server.assembly import Server, Serving, serving

BASE = "/api/trueup/v1"


class Diary:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def check(self) -> None:
        return

    def put(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


class Api(Struct):
    """Signed in as the first admin."""

    client: ClientSession
    server: Server
    diary: Diary
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.client.request(method, BASE + path, json=body, headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def until_row(self, app: str, **wanted: Any) -> dict[str, Any]:
        last: dict[str, Any] = {}

        async def holds() -> bool:
            nonlocal last
            status, body = await self.ask("GET", app)
            last = body["row"] if status == 200 else body
            return status == 200 and all(last[name] == value for name, value in wanted.items())

        try:
            async with asyncio.timeout(40):
                while not await holds():  # noqa: ASYNC110 the world is the server's own
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{app} is not {wanted}, but {last}") from None
        return last


@asynccontextmanager
async def api_of(stack: Stack, folder: Path, rights: Rights = Rights.POLICY) -> AsyncIterator[Api]:
    """A server process's insides, beside the controller that the stack runs."""
    diary = Diary()
    async with KubeClient(load_config(stack.kubeconfig)) as client:
        options = Serving(
            client=client,
            dialects=all_dialects(),
            home=folder,
            audit=diary,
            database=f"sqlite:///{stack.database}",
            controllers=(f"http://127.0.0.1:{stack.http_port}",),
            internal_token=lambda: read_token(client, "trueup-system"),
            rights=rights,
        )
        async with serving(options) as server:
            listener = Listener(server.app, Bounds())
            port = await listener.start("127.0.0.1", 0)
            try:
                async with ClientSession(f"http://127.0.0.1:{port}") as http:
                    secret = stack.api.get("secret", "trueup-initial-admin-secret", "argocd")
                    password = base64.b64decode(secret["data"]["password"]).decode()
                    said = {"username": "admin", "password": password}
                    async with http.post("/api/v1/session", json=said) as answer:
                        assert answer.status == 200, await answer.text()
                        token = (await answer.json())["token"]
                    yield Api(http, server, diary, token)
            finally:
                await listener.stop()


@pytest.fixture
def repository(stack: Stack, namespace: str) -> Repository:
    """Of a Kustomization `app` that is applied: a Deployment of two, a ConfigMap and a Secret with a canary in it."""
    files: dict[str, str | bytes | None] = {
        "web.yaml": deployment("web", replicas=2),
        "settings.yaml": config("settings", colour="blue"),
        "token.yaml": manifest("v1", "Secret", "token", stringData={"token": "s3cr3t-canary-value"}),
    }
    repository = stack.repository(namespace, files)
    stack.kustomization(namespace, repository.url, wait=False)
    stack.until_applied(namespace)
    return repository


def colour_of(stack: Stack, namespace: str) -> str:
    live = stack.get("configmap", "settings", namespace)
    return str(live["data"]["colour"]) if live else ""


async def until_async(holds: Any) -> None:
    """Asks in a thread: the server under test has this loop."""
    async with asyncio.timeout(40):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 what is waited for is in the cluster
            await asyncio.sleep(0.05)
