"""Fixtures of the Kubernetes client's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cluster.backends import backend, client, namespace, requests
from tests.cluster.scripted import Script, scripted_server
from tests.embedded.fixtures import embedded_cluster

__all__ = ["backend", "client", "embedded_cluster", "namespace", "requests"]


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    """A server that answers what the test tells it to; discovery of ConfigMap, Namespace and Deployment is there."""
    async with scripted_server() as made:
        yield made
