"""`/openapi/v3` of custom kinds is what the real server publishes, and a real kubectl explains them alike.

What the real server makes of the kinds in `kinds.yaml` is recorded in `published-v3.json`; a `real` test proves the record.
`UPDATE_GOLDEN=1` with that test writes it anew.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl
from trueup.embedded.api.crd.compile import kinds_of
from trueup.embedded.api.openapi_custom import document
from trueup.embedded.api.openapi_custom_paths import paths_of

HERE = Path(__file__).parent
RECORDED = HERE / "published-v3.json"
DEFINITIONS = list(yaml.safe_load_all((HERE / "kinds.yaml").read_text()))
KINDS = [kind for definition in DEFINITIONS for kind in kinds_of(definition)]
EXPLAINED = (
    ("widgets",),
    ("widgets.spec", "--recursive"),
    ("widgets.spec.parts.count",),
    ("widgets.metadata.labels",),
    ("zones.spec",),
)
PATIENCE = 200
"""Tenths of a second until a new kind is published."""


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name} {kind.version}")
def test_the_document_of_a_custom_kind_is_the_real_servers(kind: Any) -> None:
    assert document([kind], paths_of(kind), None) == recorded()[f"apis/{kind.group}/{kind.version}"]


async def published(server: Server) -> dict[str, Any]:
    for definition in DEFINITIONS:
        await server.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    found = {}
    for path in (f"apis/{kind.group}/{kind.version}" for kind in KINDS):
        for _ in range(PATIENCE):
            status, found[path] = await server.send("GET", f"/openapi/v3/{path}")
            if status == 200:
                break
            await asyncio.sleep(0.1)
    return found


@pytest.mark.real
async def test_the_real_server_publishes_what_is_recorded_and_kubectl_explains_it_alike(
    bare_control_plane: ControlPlane, own_embedded_cluster: EmbeddedCluster, kubectl: Kubectl
) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = await published(server)
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert recorded() == said
    async with Server(own_embedded_cluster.kubeconfig) as server:
        assert await published(server) == said
    for words in EXPLAINED:
        real = await kubectl.run(bare_control_plane.kubeconfig, "explain", *words)
        assert await kubectl.run(own_embedded_cluster.kubeconfig, "explain", *words) == real, words
