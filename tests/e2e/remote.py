"""A second cluster for end-to-end tests, reached through a gate that a test can shut."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.e2e.api import Api


class Gate:
    """Passes connections on to a server, from a thread of its own; shut, it takes none and cuts those that there are."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 443)
        self._loop = asyncio.new_event_loop()
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def shut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def close(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> None:
        self._listening = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
        self._open -= {writer, back}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


class Remote:
    """`kubeconfig` is the administrator's, with files as data and the gate as its server."""

    def __init__(self, kubeconfig: Path) -> None:
        self.path = kubeconfig
        self.api = Api(kubeconfig)
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.gate = Gate(cluster["server"])
        for row, name in ((cluster, "certificate-authority"), (user, "client-certificate"), (user, "client-key")):
            if path := row.pop(name, None):
                content = (kubeconfig.parent / path).read_bytes()
                row[f"{name}-data"] = base64.b64encode(content).decode()
        self.server = cluster["server"]
        self.gated = f"https://127.0.0.1:{self.gate.port}"
        cluster["server"] = self.gated
        self.cluster: dict[str, Any] = cluster
        self.user: dict[str, Any] = user

    def kubeconfig(self, **user: Any) -> str:
        """As a file's text; with these words about the user, where there are any."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "there", "cluster": self.cluster}],
                "users": [{"name": "me", "user": user or self.user}],
                "contexts": [{"name": "there", "context": {"cluster": "there", "user": "me"}}],
                "current-context": "there",
            }
        )

    def token(self, namespace: str, account: str) -> str:
        """Of a ServiceAccount that is made for it and may do everything."""
        self.make(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
        self.may_do_everything(namespace, account)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        code, answer = self.api.request("POST", path, {"spec": {}})
        assert code == 201, answer
        return str(answer["status"]["token"])

    def may_do_everything(self, namespace: str, account: str) -> None:
        self.make(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            {
                "metadata": {"name": f"{namespace}-{account}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            },
        )

    def make(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        code, answer = self.api.request("POST", path, obj)
        assert code in (201, 409), answer
        return dict(answer)

    def close(self) -> None:
        self.gate.close()
        self.api.close()


@contextlib.contextmanager
def remote_namespace(remote: Remote, name: str) -> Iterator[str]:
    remote.make("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    remote.api.delete("namespace", name)
