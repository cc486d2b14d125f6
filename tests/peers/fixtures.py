"""Fixtures of the real peers, for `pytest_plugins`. A peer that cannot be built fails the test: CI must not skip it."""

import asyncio
import concurrent.futures
import contextlib
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest

from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl
from tests.peers.kubelet import Kubelet
from tests.peers.locate import find_program
from tests.peers.objectstore import ObjectStore, prepared_object_store
from tests.peers.registry import Registry, prepared_registry
from tests.peers.toolchain import NoGo


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """The pinned kubectl: `kubectl(kubeconfig, "get", "pods")`, or `await kubectl.run(kubeconfig, ...)`."""
    return Kubectl(_found("kubectl"), tmp_path_factory.mktemp("kubectl"))


@contextlib.contextmanager
def running_control_plane(
    *, controllers: bool = True, nodes: int = 2, kubelet: Kubelet | None = None
) -> Iterator[ControlPlane]:
    """A real control plane with data of its own; its programs are built first when they are missing."""
    for program in ("etcd", "kube-apiserver", *(("kwok",) if controllers else ())):
        _found(program)
    control_plane = ControlPlane(controllers=controllers, nodes=nodes, kubelet=kubelet)
    _in_a_thread(control_plane.start())
    try:
        yield control_plane
    finally:
        _in_a_thread(control_plane.stop())


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The session's real control plane, with controllers, scheduler and two simulated nodes; started when first asked for.

    Tests share it: work in a namespace of your own (`real_namespace`) and name cluster-scoped objects after it. Nobody's
    GitOps controller works in it.
    """
    with running_control_plane() as control_plane:
        yield control_plane


@pytest.fixture(scope="module")
def bare_control_plane() -> Iterator[ControlPlane]:
    """A real API server of the module's own without controllers, which would change what was written."""
    with running_control_plane(controllers=False) as control_plane:
        yield control_plane


@pytest.fixture
async def real_namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    """A fresh namespace of the real control plane that can take pods; its deletion is begun afterwards, not awaited."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await control_plane.send("POST", "/api/v1/namespaces", namespace)
    await control_plane.service_account_ready(name)
    yield name
    await control_plane.send("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """The session's real MinIO, without TLS; make buckets of your own names."""
    _found("minio")
    with prepared_object_store() as store:
        _in_a_thread(store.start())
        yield store
        _in_a_thread(store.stop())


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """The session's real registry, without TLS and open to all; push into repositories of your own names."""
    _found("registry")
    with prepared_registry() as registry:
        _in_a_thread(registry.start())
        yield registry
        _in_a_thread(registry.stop())


def _found(program: str) -> Any:
    try:
        return find_program(program, print)
    except (NoGo, RuntimeError) as error:
        pytest.fail(
            f"the real peer {program} is missing, and building it failed (`make peers` builds all):\n{error}", False
        )


def _in_a_thread(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs it to its end on a loop of its own, leaving the loop that pytest may have in this thread alone."""
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="control-plane") as executor:
        executor.submit(asyncio.run, coroutine).result()
