"""Live trees from the real controller to a server's sight of them: scale, crash, delete, a controller that was killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from tests.e2e.stack import Stack
from tests.e2e.test_first_path import CONFIG, deployment, until_ready
from trueup.apps.livetree import LiveNode
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import read_token
from trueup.model.health import Health
from trueup.model.refs import ObjectRef
from trueup.server.world.treereading import TreeReader
from trueup.server.world.trees import Trees

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80}]
"""
FILES: dict[str, str | bytes | None] = {
    "web.yaml": deployment(replicas=2),
    "settings.yaml": CONFIG,
    "service.yaml": SERVICE,
}


@contextlib.asynccontextmanager
async def followed(stack: Stack) -> AsyncIterator[Trees]:
    """A server's reader, with the token that the controller put into the cluster."""
    trees = Trees()
    async with KubeClient(load_config(stack.kubeconfig)) as client:
        reader = TreeReader(
            f"http://127.0.0.1:{stack.http_port}",
            lambda: read_token(client, "trueup-system"),
            trees,
            lambda: datetime.now(UTC),
        )
        running = asyncio.create_task(reader.run())
        try:
            yield trees
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(trees: Trees, app: ObjectRef, condition: Callable[[dict[ObjectRef, LiveNode]], object]) -> None:
    """Waits for the tree's own news, not by time."""
    since = ""
    try:
        async with asyncio.timeout(30):
            while True:
                tree = trees.tree(app)
                nodes = {node.ref: node for node in tree.nodes} if tree is not None else {}
                if condition(nodes):
                    return
                since = tree.event_id if tree is not None else ""
                news = trees.news(app, since)
                await trees.wait(app, since, news.problem)
    except TimeoutError as error:
        raise AssertionError(f"not so in time: {trees.problems()}, {[str(ref) for ref in nodes]}") from error


def pods(nodes: dict[ObjectRef, LiveNode]) -> list[LiveNode]:
    return [node for ref, node in nodes.items() if ref.kind == "Pod"]


def test_a_tree_follows_what_happens_below_the_objects_of_an_app(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, FILES)
    stack.kustomization(namespace, repo.url)
    until_ready(stack, namespace)
    app = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, "app")
    web = ObjectRef("apps", "Deployment", namespace, "web")
    settings = ObjectRef("", "ConfigMap", namespace, "settings")
    embedded = "embedded" in str(stack.kubeconfig) or stack.api_server.__class__.__name__ != "RealApiServer"

    async def follow() -> None:
        async with followed(stack) as trees:
            await until(trees, app, lambda nodes: len(pods(nodes)) == 2 and settings in nodes)
            tree = trees.tree(app)
            assert tree is not None
            nodes = {node.ref: node for node in tree.nodes}
            assert nodes[web].managed
            assert nodes[web].sync == "Synced"
            assert nodes[web].sight.images == ("nginx:1.27",)
            assert trees.pods(app, web) == tuple(sorted(node.ref for node in pods(nodes)))
            if embedded:  # pods run there; behind a bare API server nobody starts them
                await until(
                    trees, app, lambda nodes: nodes[web].health is Health.HEALTHY and nodes[web].sight.ready == 2
                )
                await until(trees, app, lambda nodes: any(
                    len(node.sight.targets) == 2 for ref, node in nodes.items() if ref.kind == "EndpointSlice"
                ))  # fmt: skip
            commit = repo.push({"web.yaml": deployment(replicas=3)})
            await until(trees, app, lambda nodes: len(pods(nodes)) == 3 and nodes[web].sight.wanted == 3)
            await asyncio.to_thread(until_ready, stack, namespace, commit)
            before = trees.pods(app)
            await asyncio.to_thread(stack.kubectl, "delete", "pod", before[0].name, "-n", namespace, "--wait=false")
            await until(trees, app, lambda nodes: before[0] not in nodes and len(pods(nodes)) == 3)
            stack.controller.kill()
            await until(trees, app, lambda _: trees.problems())
            stale = trees.tree(app)
            assert stale is not None
            assert stale.is_stale
            assert stale.stale_since is not None
            assert web in {node.ref for node in stale.nodes}, "what was known is kept"
            stack.controller.start()
            await asyncio.to_thread(stack.until_ready)
            await until(trees, app, lambda nodes: not trees.problems() and len(pods(nodes)) == 3)
            repo.push({"settings.yaml": None})
            await until(trees, app, lambda nodes: settings not in nodes)
            await asyncio.to_thread(stack.kubectl, "delete", "kustomization", "app", "-n", namespace, "--wait=false")
            async with asyncio.timeout(30):
                while trees.tree(app) is not None:
                    await trees.wait(app, trees.news(app, "").event_id)

    asyncio.run(follow())
