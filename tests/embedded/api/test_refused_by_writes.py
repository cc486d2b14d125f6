"""Who is refused because of somebody else's write, or tries one of their own on it, can read it at once, as with etcd."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError

MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, verbs=("get", "create"))


@pytest.fixture
async def client(embedded_cluster: Any) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(Path(embedded_cluster.kubeconfig))) as made:
        yield made


async def test_what_already_exists_can_be_read(client: KubeClient) -> None:
    async def make(name: str) -> bool:
        """Whether it could be read, by one who was refused."""
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
        try:
            await client.create(manifest)
        except ApiError:
            return await client.get(MAPS, name, "default") is not None
        return True

    for _ in range(40):
        name = f"both-{uuid.uuid4().hex[:10]}"
        assert all(await asyncio.gather(*(make(name) for _ in range(5))))


async def test_what_a_dry_run_was_judged_by_can_be_read(client: KubeClient) -> None:
    async def tried(name: str) -> bool:
        """Whether it could be read, by one whose dry run found it there."""
        try:
            await client.merge_patch(MAPS, name, "default", {"data": {"text": "dry"}}, dry_run=True)
        except ApiError as error:
            if not error.is_not_found:
                raise
            return True
        return await client.get(MAPS, name, "default") is not None

    for _ in range(40):
        name = f"tried-{uuid.uuid4().hex[:10]}"
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
        _, *found = await asyncio.gather(client.create(manifest), *(tried(name) for _ in range(5)))
        assert all(found)
