"""A tiny API server for one kind: its history, lists in pages, watches, compaction, and the faults a test asks for.

It keeps the API's promises about resourceVersions and nothing else; what a real server does is checked in test_conformance.
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import msgspec
from aiohttp import web

from tests.cluster.scripted import Script, status

Key = tuple[str, str]


class History:
    """ConfigMaps by (namespace, name). Every change has a version; `compact` forgets the past, `cut` breaks all watches."""

    def __init__(self, script: Script) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.version = 10
        self.oldest = 0
        self.served = True
        self.forbidden = False
        self.page_size = 500
        self.lists = 0
        self.watches: list[dict[str, str]] = []
        self.open_watches = 0
        self._changed = asyncio.Condition()
        self._cuts = 0
        self._clean = False
        self._bookmarks = 0
        script.on("GET /api/v1/configmaps", self.answer)
        for namespace in "ab":
            script.on(f"GET /api/v1/namespaces/{namespace}/configmaps", self.answer)

    # changes

    async def put(self, namespace: str, name: str, data: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
        key = (namespace, name)
        type_ = "MODIFIED" if key in self.objects else "ADDED"
        return await self._record(type_, key, data, labels or {})

    async def remove(self, namespace: str, name: str) -> None:
        await self._record("DELETED", (namespace, name), "", {})

    async def _record(self, type_: str, key: Key, data: str, labels: dict[str, str]) -> dict[str, Any]:
        self.version += 1
        made = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": key[1],
                "namespace": key[0],
                "resourceVersion": str(self.version),
                "labels": labels,
            },
            "data": {"value": data},
        }
        if type_ == "DELETED":
            made["data"] = self.objects.pop(key)["data"]
        else:
            self.objects[key] = made
        self.events.append((self.version, type_, made))
        await self._tell()
        return copy.deepcopy(made)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # faults

    def compact(self) -> None:
        self.oldest = self.version

    async def cut(self, *, clean: bool = False) -> None:
        self._cuts += 1
        self._clean = clean
        await self._tell()

    async def bookmark(self) -> None:
        self._bookmarks += 1
        await self._tell()

    async def unserve(self) -> None:
        self.served = False
        await self.cut(clean=True)

    # answers

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self.served:
            return web.Response(status=404, text="404 page not found\n")
        if self.forbidden:
            return await status(403, "Forbidden", 'configmaps is forbidden: User "x" cannot list')(request)
        parts = request.path.split("/")
        namespace = parts[4] if "namespaces" in parts else ""
        if "watch" in request.query:
            return await self._watch(request, namespace)
        return self._list(request, namespace)

    def _list(self, request: web.BaseRequest, namespace: str) -> web.StreamResponse:
        self.lists += 1
        selector = request.query.get("labelSelector", "")
        token = request.query.get("continue", "")
        start = int(token) if token else 0
        found = [item for _, item in sorted(self.objects.items()) if _matches(item, namespace, selector)]
        items = found[start : start + self.page_size]
        more = str(start + self.page_size) if start + self.page_size < len(found) else ""
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
        body = {"metadata": {"resourceVersion": str(self.version), "continue": more}, "items": bare}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def _watch(self, request: web.BaseRequest, namespace: str) -> web.StreamResponse:
        self.watches.append(dict(request.query))
        response = web.StreamResponse()
        await response.prepare(request)
        told = int(request.query["resourceVersion"])
        selector = request.query.get("labelSelector", "")
        if told < self.oldest:
            await _write(response, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
            return response
        cuts, bookmarks = self._cuts, self._bookmarks
        self.open_watches += 1
        try:
            while cuts == self._cuts:
                for version, type_, item in [event for event in self.events if event[0] > told]:
                    if _matches(item, namespace, selector):
                        await _write(response, type_, item)
                    told = version
                if bookmarks != self._bookmarks:
                    bookmarks = self._bookmarks
                    await _write(response, "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
                async with self._changed:
                    behind = bool(self.events) and self.events[-1][0] > told
                    if not behind and cuts == self._cuts and bookmarks == self._bookmarks:
                        await self._changed.wait()
        finally:
            self.open_watches -= 1
        if not self._clean and request.transport is not None:
            request.transport.abort()
        return response


def _matches(item: dict[str, Any], namespace: str, selector: str) -> bool:
    metadata = item["metadata"]
    key, _, value = selector.partition("=")
    return (not namespace or metadata["namespace"] == namespace) and (not key or metadata["labels"].get(key) == value)


async def _write(response: web.StreamResponse, type_: str, item: dict[str, Any]) -> None:
    await response.write(msgspec.json.encode({"type": type_, "object": item}) + b"\n")
