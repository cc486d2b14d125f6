"""One stack per backend and session; each test has a namespace of its own."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import ApiServer, Stack, until
from tests.embedded.fixtures import running_cluster
from tests.peers.controlplane import ControlPlane
from tests.peers.fixtures import running_control_plane
from tests.peers.kubectl import Kubectl


def _stack(kubeconfig: Path, kubectl: Kubectl, api_server: ApiServer) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="trueup-e2e-", ignore_cleanup_errors=True) as folder:
        stack = Stack(Path(folder), kubeconfig, kubectl, api_server)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


class RealApiServer:
    """A kube-apiserver that can be killed and started; etcd keeps what was written."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane

    def kill(self) -> None:
        asyncio.run(self._control_plane.kill_apiserver())

    def start(self) -> None:
        asyncio.run(self._control_plane.start_apiserver())


@pytest.fixture(scope="session")
def embedded_stack(kubectl: Kubectl) -> Iterator[Stack]:
    """On a cluster of its own: its controller would act on what other tests write."""
    with running_cluster() as cluster:
        yield from _stack(cluster.kubeconfig, kubectl, cluster)


@pytest.fixture(scope="session")
def real_stack(kubectl: Kubectl) -> Iterator[Stack]:
    """On a control plane of its own, for the same reason."""
    with running_control_plane() as control_plane:
        yield from _stack(control_plane.kubeconfig, kubectl, RealApiServer(control_plane))


@pytest.fixture(
    params=[
        pytest.param(
            "embedded_stack", id="embedded", marks=[pytest.mark.real, pytest.mark.xdist_group("e2e-embedded")]
        ),
        pytest.param("real_stack", id="kube-apiserver", marks=[pytest.mark.real, pytest.mark.xdist_group("e2e-real")]),
    ]
)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Both backends; both need the pinned kubectl."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def namespace(stack: Stack) -> Iterator[str]:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    make_namespace(stack, name)
    yield name
    drop_namespace(stack, name)


@pytest.fixture
def other_namespace(stack: Stack) -> Iterator[str]:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    make_namespace(stack, name)
    yield name
    drop_namespace(stack, name)


def make_namespace(stack: Stack, name: str) -> None:
    """Waits out what may be in the way: a server that is starting again, a namespace of that name that is still going."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    def is_there() -> bool:
        code, answer = stack.api.request("POST", "/api/v1/namespaces", manifest)
        if code == 409:
            found = stack.api.get("namespace", name)
            return bool(found and found["status"]["phase"] == "Active")
        assert code in (0, 201, 429, 500, 503), answer
        return code == 201

    until(is_there, within=60, what=f"namespace {name}")


def drop_namespace(stack: Stack, name: str) -> None:
    """Begun, not awaited. Apps first: they prune what is theirs, where a namespace that goes would only let it live."""
    for kind in ("helmrelease", "kustomization", "gitrepository", "ocirepository"):
        stack.api.request("DELETE", stack.api.path(kind, name))
    for application in stack.api.list("application", "argocd"):
        if application["spec"]["destination"].get("namespace") == name:
            stack.api.delete("application", application["metadata"]["name"], "argocd")
    stack.api.delete("namespace", name)
