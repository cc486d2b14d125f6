"""Plays stories on an API server, whichever it is, and keeps whole answers in a form that two servers can share."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable
from typing import Any

from tests.conformance.story import Step, Story
from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.merge.scenario import NAMESPACE, crd_manifest, crds, kinds
from trueup.embedded.merge import merge_patch

Answer = dict[str, Any]
"""`code`, `body`, `warnings` when there are some; `stored` when that is not the body; `unchanged` when no new version was made."""

CONTENT_TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_PATIENCE = 30.0
_BETWEEN_ERRORS = re.compile(r", (?=[\w.\[\]]+: )")


async def prepare(server: Server) -> None:
    """The namespace and the custom kinds that the stories play with."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    await server.send("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    for kind in crds():
        await server.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd_manifest(kind))
    deadline = time.monotonic() + _PATIENCE
    for kind in crds():
        # Merging needs the kind's OpenAPI as well, which follows a moment later: until then no fields are managed.
        place = kinds()[kind]
        path = f"/{place.path}/namespaces/{NAMESPACE}/{place.plural}/probe?fieldManager=probe&dryRun=All"
        probe = {"apiVersion": place.api_version, "kind": kind, "metadata": {"name": "probe"}, "spec": {"size": 1}}
        while True:
            code, made = await server.send("PATCH", path, probe, content_type=CONTENT_TYPES["apply"])
            if code == 201 and "managedFields" in made["metadata"]:
                break
            assert time.monotonic() < deadline, f"{kind} is not served: {made}"
            await asyncio.sleep(0.05)


async def play(server: Server, story: Story) -> list[Answer]:
    """What each step was answered, and what was stored then. The object is gone before and after."""
    player = _Player(server, story)
    await player.clear()
    try:
        return [await player.step(step) for step in story.steps]
    finally:
        await player.clear()


class _Player:
    def __init__(self, server: Server, story: Story) -> None:
        self._server = server
        self._story = story
        self._live: dict[str, Any] = {}
        self._first_version = ""

    async def step(self, step: Step) -> Answer:
        method, path, body, content_type = await self._request(step)
        before = self._live
        code, answer, warnings = await _exchange(self._server, method, path, self._filled(body), content_type)
        self._live = await self._stored()
        self._first_version = self._first_version or _version(self._live)
        made: Answer = {"code": code, "body": comparable(answer)}
        if warnings:
            made["warnings"] = [scrubbed(each) for each in warnings]
        if (stored := comparable(self._live)) != made["body"]:
            made["stored"] = stored
        if before and _version(before) == _version(self._live):
            made["unchanged"] = True
        return made

    async def clear(self) -> None:
        place = f"{self._story.collection}/{self._story.name}"
        code, found = await self._server.send("GET", place)
        if code == 404:
            return
        if found["metadata"].get("finalizers"):
            ops = [{"op": "remove", "path": "/metadata/finalizers"}]
            await self._server.send("PATCH", place, ops, content_type=CONTENT_TYPES["json"])
        await self._server.send("DELETE", place)

    async def _request(self, step: Step) -> tuple[str, str, Any, str]:
        place = f"{self._story.collection}/{step.url_name or self._story.name}"
        target = f"{place}/{step.subresource}" if step.subresource else place
        query = "&".join(
            filter(
                None, (f"fieldManager={step.manager}" if step.manager else "", "force=true" * step.force, step.query)
            )
        )
        content_type: str = "application/json"
        body: Any = None
        match step.verb:
            case "create":
                method, target, body = "POST", self._story.collection, self._story.complete(step)
            case "update":
                _, current = await self._server.send("GET", target)
                method, body = "PUT", merge_patch(current, step.change)
            case "replace":
                method, body = "PUT", self._story.complete(step)
            case "delete":
                method, body = "DELETE", step.object or None
            case verb:
                method, content_type = "PATCH", CONTENT_TYPES[verb]
                body = self._story.complete(step) if verb == "apply" else step.ops or step.patch
        if step.raw:
            body = step.raw.replace("NAME", self._story.name).encode()
        return method, f"{target}?{query}" if query else target, body, content_type

    async def _stored(self) -> dict[str, Any]:
        code, found = await self._server.send("GET", f"{self._story.collection}/{self._story.name}")
        return found if code == 200 else {}

    def _filled(self, body: Any) -> Any:
        if isinstance(body, dict):
            return {key: self._filled(value) for key, value in body.items()}
        if isinstance(body, list):
            return [self._filled(value) for value in body]
        meta = self._live.get("metadata", {})
        match body:
            case "LIVE-VERSION":
                return meta.get("resourceVersion")
            case "LIVE-UID":
                return meta.get("uid")
            case "FIRST-VERSION":
                return self._first_version
        return body


def _version(obj: dict[str, Any]) -> str:
    return str(obj.get("metadata", {}).get("resourceVersion", ""))


async def _exchange(server: Server, method: str, path: str, body: Any, content_type: str) -> tuple[int, Any, list[str]]:
    assert server.session is not None
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    headers = {"Content-Type": content_type, "User-Agent": "conformance/1.0"}
    async with server.session.request(method, path, data=data, headers=headers) as answer:
        raw = await answer.read()
        decoded = json.loads(raw) if "json" in answer.content_type else raw.decode(errors="replace")
        return answer.status, decoded, list(answer.headers.getall("Warning", ()))


def comparable(answer: Any) -> Any:
    """An answer without what differs from run to run, and in an order that neither a clock nor a Go map decides."""
    made = scrubbed(answer)
    if not isinstance(made, dict):
        return made
    if made.get("kind") == "Status":
        return _sorted_status(made)
    rows = made.get("metadata", {}).get("managedFields")
    if rows:
        rows.sort(
            key=lambda row: tuple(row.get(key, "") for key in ("operation", "manager", "apiVersion", "subresource"))
        )
    return made


def _sorted_status(status: dict[str, Any]) -> dict[str, Any]:
    """Several errors come in the order of a Go map: any."""
    status["message"] = _sorted_parts(str(status.get("message", "")))
    if causes := status.get("details", {}).get("causes"):
        causes.sort(key=lambda cause: (cause.get("field", ""), cause.get("message", "")))
    return status


def _sorted_parts(message: str) -> str:
    head, lines = message.partition("errors:\n")[::2]
    if lines:
        return f"{head}errors:\n" + "\n".join(sorted(lines.split("\n")))
    found = re.fullmatch(r"(.* is invalid: )\[(.*)\]", message, re.DOTALL)
    if not found:
        return message
    return f"{found[1]}[{', '.join(sorted(_BETWEEN_ERRORS.split(found[2])))}]"


def differences(ours: Iterable[Any], theirs: Iterable[Any], steps: Iterable[Step]) -> list[str]:
    """One line per place where two lists of answers differ; empty when none does."""
    out: list[str] = []
    for number, (a, b, step) in enumerate(zip(ours, theirs, steps, strict=True), 1):
        found: list[str] = []
        _differ(a, b, "", found)
        out += [f"step {number} ({step.verb} by {step.manager or 'nobody'}){line}" for line in found]
    return out


def _differ(ours: Any, real: Any, path: str, out: list[str]) -> None:
    if isinstance(ours, dict) and isinstance(real, dict) and path.rpartition(".")[2] != "managedFields":
        for key in sorted(ours.keys() | real.keys()):
            if key not in real:
                out.append(f"{path}.{key}: only ours: {ours[key]}")
            elif key not in ours:
                out.append(f"{path}.{key}: only real: {real[key]}")
            else:
                _differ(ours[key], real[key], f"{path}.{key}", out)
    elif isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        for index, (a, b) in enumerate(zip(ours, real, strict=True)):
            _differ(a, b, f"{path}[{index}]", out)
    elif ours != real or type(ours) is not type(real):
        out.append(f"{path}:\n    ours {ours!r}\n    real {real!r}")
