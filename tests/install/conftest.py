"""A cluster of the test's own on each backend, for what changes the whole of it: CRDs, rights, namespaces."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.install.cluster import Cluster
from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl


def _in_a_thread(coroutine: Coroutine[Any, Any, None]) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, coroutine).result()


@pytest.fixture
def own_control_plane() -> Iterator[Path]:
    plane = ControlPlane()
    _in_a_thread(plane.start())
    yield plane.kubeconfig
    _in_a_thread(plane.stop())


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.real),
        pytest.param("kube-apiserver", marks=pytest.mark.real),
    ]
)
def cluster(request: pytest.FixtureRequest, tmp_path: Path, kubectl: Kubectl) -> Cluster:
    """Empty: no CRD, nobody's controller. Both need the pinned kubectl."""
    if request.param == "embedded":
        kubeconfig: Path = request.getfixturevalue("fresh_embedded_cluster").kubeconfig
    else:
        kubeconfig = request.getfixturevalue("own_control_plane")
    return Cluster(kubeconfig, kubectl, tmp_path)
