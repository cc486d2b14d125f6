"""The pytest plugin, found by pytest wherever Trueup is installed (`pytest11`).

| In pytest.ini or pyproject.toml | Meaning |
|---|---|
| `trueup_crds` | files and folders whose CRDs are there from the start, relative to the file that says so |
| `trueup_nodes` | how many nodes are simulated (1) |
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a pytest run that uses no fixture of ours loads nothing of Trueup
    from trueup.testing.cluster import TrueupCluster, TrueupNamespace


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("trueup_crds", "files and folders whose CRDs trueup_cluster has from the start", type="paths")
    parser.addini("trueup_nodes", "how many nodes trueup_cluster simulates", default="1")


@pytest.fixture(scope="session")
def trueup_cluster(pytestconfig: pytest.Config) -> Iterator[TrueupCluster]:
    """An embedded Kubernetes for the whole session (under pytest-xdist, for each worker)."""
    from trueup.testing.cluster import connected
    from trueup.testing.server import serving

    nodes = str(pytestconfig.getini("trueup_nodes"))
    if not nodes.isdigit():
        raise pytest.UsageError(f"trueup_nodes is {nodes!r}: write a number")
    with serving(nodes=int(nodes)) as server, connected(server.kubeconfig) as cluster:
        if places := pytestconfig.getini("trueup_crds"):
            cluster.crds(*places)
        yield cluster


@pytest.fixture
def trueup_namespace(trueup_cluster: TrueupCluster, request: pytest.FixtureRequest) -> Iterator[TrueupNamespace]:
    """A new namespace, named after the test and deleted after it."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")[:40].strip("-")
    namespace = trueup_cluster.namespace(f"{readable or 'test'}-{uuid.uuid4().hex[:8]}")
    yield namespace
    trueup_cluster.delete("namespace", namespace.name)
