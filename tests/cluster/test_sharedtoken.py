"""The token by which our own processes know each other."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import SECRET, SHORTEST, ensure_token, read_token
from trueup.model.manifest import Manifest


@pytest.fixture
async def client(embedded_cluster: Any) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(Path(embedded_cluster.kubeconfig))) as made:
        yield made


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    name = f"token-{uuid.uuid4().hex[:10]}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def secret(namespace: str, data: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": namespace}, "data": data}


async def test_it_is_made_once_and_of_several_makers_all_have_the_same(client: KubeClient, namespace: str) -> None:
    assert await read_token(client, namespace) == ""
    tokens = await asyncio.gather(*(ensure_token(client, namespace) for _ in range(5)))
    assert len(set(tokens)) == 1
    assert len(tokens[0]) >= SHORTEST
    assert await read_token(client, namespace) == tokens[0]


async def test_one_that_a_person_wrote_is_taken_and_one_that_is_too_short_is_none(
    client: KubeClient, namespace: str
) -> None:
    chosen = "a-token-that-somebody-chose-by-themselves"
    short = await client.create(secret(namespace, {"token": base64.b64encode(b"short").decode()}))
    assert await ensure_token(client, namespace) == ""
    short["data"] = {"token": base64.b64encode(chosen.encode()).decode()}
    await client.replace(short)
    assert await ensure_token(client, namespace) == chosen


async def test_where_there_is_no_namespace_for_it_there_is_no_token(client: KubeClient) -> None:
    assert await ensure_token(client, "there-is-none") == ""
