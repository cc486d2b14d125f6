"""The API servers that the client is tried against: the embedded one and the real one; each test has a namespace of its own."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.model.manifest import Manifest

BACKENDS = ["embedded_cluster", pytest.param("control_plane", marks=pytest.mark.real)]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def requests() -> Counter[tuple[str, str, int]]:
    return Counter()


@pytest.fixture
async def client(backend: Any, requests: Counter[tuple[str, str, int]]) -> AsyncIterator[KubeClient]:
    def on_request(verb: str, resource: str, code: int, _seconds: float) -> None:
        requests[verb, resource, code] += 1

    async with KubeClient(load_config(Path(backend.kubeconfig)), on_request=on_request) as made:
        yield made


@pytest.fixture
async def namespace(client: KubeClient) -> AsyncIterator[str]:
    name = f"client-{uuid.uuid4().hex[:10]}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await client.delete(await client.discovery.resolve("ns"), name)


def config_map(namespace: str, name: str, **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"made-by": "conformance"}},
        "data": data,
    }
