"""The tree of one App as it changes: all of it first, then what changed, numbered, so that who comes back goes on where they were."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from tests.server.pages.stage.tree import node
from trueup.server.api.operation import Event
from trueup.server.world.following import FRAME_SECONDS

PODS = 18


def large_tree(namespace: str, count: int) -> list[dict[str, Any]]:
    """About `count` objects: Deployments with a ReplicaSet and its pods; one in fifty is unwell."""
    nodes: list[dict[str, Any]] = []
    for i in range(max(1, count // (PODS + 2))):
        deployment = node("Deployment", f"part-{i}", namespace, None, note=f"{PODS}/{PODS}")
        replicas = node("ReplicaSet", f"part-{i}-7d9f8c6b5", namespace, deployment["id"], note="rev 4")
        nodes += [deployment, replicas]
        for j in range(PODS):
            unwell = (i * PODS + j) % 50 == 7
            nodes.append(
                node(
                    "Pod",
                    f"part-{i}-7d9f8c6b5-{j:05x}",
                    namespace,
                    replicas["id"],
                    "Degraded" if unwell else "Healthy",
                    note="CrashLoopBackOff" if unwell else "Running",
                    host=f"node-{j % 12}",
                    message="back-off restarting failed container" if unwell else "",
                )
            )
    return nodes


class TreeFeed:
    """The nodes, and a journal of frames."""

    def __init__(self, nodes: Iterable[dict[str, Any]]) -> None:
        self.nodes = {each["id"]: each for each in nodes}
        self._frames: list[bytes] = []
        self._news = asyncio.Event()

    def change(self, changed: Iterable[dict[str, Any]], removed: Iterable[str] = ()) -> None:
        changed, removed = list(changed), list(removed)
        for each in changed:
            self.nodes[each["id"]] = each
        for gone in removed:
            self.nodes.pop(gone, None)
        self._frames.append(msgspec.json.encode({"nodes": changed, "removed": removed}))
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, since: str) -> AsyncIterator[Event]:
        """`since`: the id of the last event that was heard; empty: begin with the whole."""
        at = int(since) if since.isdigit() and int(since) <= len(self._frames) else -1
        if at < 0:
            at = len(self._frames)
            whole = msgspec.json.encode({"nodes": list(self.nodes.values()), "problem": ""})
            yield Event(data=whole, event="tree", id=str(at))
        while True:
            while at < len(self._frames):
                at += 1
                yield Event(data=self._frames[at - 1], event="changes", id=str(at))
            news = self._news
            await asyncio.sleep(FRAME_SECONDS / 5)
            if at == len(self._frames):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(10):
                        await news.wait()
