"""A whole Trueup of its own for what is tried against the server: it is broken, flooded and killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fixtures import make_namespace
from tests.e2e.manifests import config, deployment
from tests.e2e.stack import Stack
from tests.embedded.fixtures import running_cluster
from tests.peers.kubectl import Kubectl
from tests.proof import seeds
from tests.proof.door import Door

NAMESPACE = seeds.NAMESPACE


@pytest.fixture(scope="module")
def fortress(kubectl: Kubectl) -> Iterator[Stack]:
    """An embedded cluster with a controller and one App, `Kustomization/proof/app`."""
    with (
        running_cluster() as cluster,
        tempfile.TemporaryDirectory(prefix="trueup-proof-", ignore_cleanup_errors=True) as folder,
    ):
        stack = Stack(Path(folder), cluster.kubeconfig, kubectl, cluster)
        try:
            stack.start()
            make_namespace(stack, NAMESPACE)
            files: dict[str, str | bytes | None] = {
                "web.yaml": deployment("web", replicas=1),
                "settings.yaml": config("settings", colour="blue"),
            }
            stack.kustomization(NAMESPACE, stack.repository("app", files).url)
            stack.until_applied(NAMESPACE)
            yield stack
        finally:
            stack.stop()


@pytest.fixture(scope="module")
def door(fortress: Stack) -> Iterator[Door]:
    door = Door(fortress)
    try:
        door.start()
        door.sign_in()
        yield door
    finally:
        door.stop()
