"""Scenario files: requests written short, sent to one server, and their answers made comparable.

Besides requests there are steps that make the server `forget` its history, open watches (`watch`, `follow`), collect their
events (`events`) and wait (`wait`, `wait_allowed`, `until`, `gone`). A scenario with `versions` tells versions by the steps
they come from; see `relative`.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.api.relative import Steps
from tests.embedded.api.watches import OpenWatch

PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
METHODS = {"create": "POST", "get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
PATIENCE = 20.0


def load(path: Path) -> list[dict[str, Any]]:
    """The scenarios of a file."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text())
    return found


def _named(value: Any, namespace: str) -> Any:
    """`NS` anywhere in keys or texts becomes the scenario's namespace."""
    if isinstance(value, dict):
        return {_named(key, namespace): _named(item, namespace) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, namespace) for item in value]
    return value.replace("NS", namespace) if isinstance(value, str) else value


async def run_scenario(
    server: Server, scenario: dict[str, Any], namespace: str, forget: Callable[[], Awaitable[None]] | None = None
) -> list[Any]:
    """Each step's status and comparable answer, in a fresh namespace. `forget` makes the server lose its history, for the
    step of that name."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    await server.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    steps, watches = Steps(), _Watches(server, namespace)
    answers = []
    try:
        for step in scenario["steps"]:
            if "forget" in step:
                assert forget is not None, "this scenario needs a server of its own"
                await forget()
                steps.add(None)
                answers.append([200, "forgotten"])
                continue
            status, answer = await _step(server, steps.resolved(_named(step, namespace)), namespace, watches)
            steps.add(answer)
            if step.get("without_managers"):  # entries of one second stand in another order than those of two
                answer["metadata"].pop("managedFields", None)
            told = steps.told(answer) if scenario.get("versions") else answer
            answers.append([status, scrubbed(told)])
    finally:
        watches.close()
    return answers


class _Watches:
    """The open watches of a scenario, by name."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._open: dict[str, OpenWatch] = {}

    async def open(self, step: dict[str, Any]) -> tuple[int, Any]:
        path = step.get("follow") or f"{_root(step)}/namespaces/{self._namespace}/{step['watch']}?watch=true"
        if query := step.get("query"):
            path += f"{'&' if '?' in path else '?'}{query}"
        watch = await OpenWatch.open(self._server, path, **_headers(step))
        self._open[step.get("named", "")] = watch
        if watch.status != 200:
            return watch.status, await watch.refusal()
        return 200, watch.media_type

    async def events(self, step: dict[str, Any]) -> tuple[int, Any]:
        return 200, await self._open[step.get("of", "")].events(step["events"])

    def close(self) -> None:
        for watch in self._open.values():
            watch.close()


def _root(step: dict[str, Any]) -> str:
    group = step.get("group", "v1")
    return f"/apis/{group}" if "/" in group else f"/api/{group}"


def _headers(step: dict[str, Any]) -> dict[str, str]:
    names = {"as": "Impersonate_User", "accept": "Accept"}
    return {header: str(step[key]) for key, header in names.items() if key in step} | dict(step.get("headers") or {})


async def _step(server: Server, step: dict[str, Any], namespace: str, watches: _Watches) -> tuple[int, Any]:
    if "wait" in step or "wait_allowed" in step:
        return await _wait(server, step)
    if "watch" in step or "follow" in step:
        return await watches.open(step)
    if "events" in step:
        return await watches.events(step)
    for key in ("until", "gone"):
        if key in step:
            path = step[key] if step[key].startswith("/") else f"{_root(step)}/namespaces/{namespace}/{step[key]}"
            return await _until(server, path, step)
    if "settles" in step:
        return await settled(server, step)
    method, path = step.get("method", ""), step.get("path", "")
    for verb, name in METHODS.items():
        if verb in step:
            method, path = name, f"{_root(step)}/namespaces/{namespace}/{step[verb]}"
    if query := step.get("query"):
        path += "?" + query
    content_type = step.get("content_type") or PATCHES.get(step.get("type", ""), "application/json")
    body = step.get("body")
    if "raw" in step:
        body = step["raw"].encode()
    elif "base64" in step:
        body = base64.b64decode(step["base64"])
    if "media_type" in step:
        status, media_type, raw = await server.exchange(method, path, body, content_type=content_type, **_headers(step))
        return status, {"media_type": media_type, "answer": yaml.safe_load(raw)}
    status, answer = await server.send(method, path, body, content_type=content_type, **_headers(step))
    if "yaml" in step.get("accept", "") and isinstance(answer, str):
        with contextlib.suppress(yaml.YAMLError):
            answer = yaml.safe_load(answer)
    return status, answer


async def _owns(server: Server, manifest: dict[str, Any]) -> bool:
    """Whether a new kind is served with its schema: until then, the real server keeps no managed fields of it."""
    plural = manifest["kind"].lower() + "s"
    path = f"/apis/{manifest['apiVersion']}/namespaces/{manifest['metadata']['namespace']}/{plural}?dryRun=All"
    status, made = await server.send("POST", path, manifest)
    return status == 201 and "managedFields" in made["metadata"]


async def _wait(server: Server, step: dict[str, Any]) -> tuple[int, Any]:
    """Until a condition is True, or a user may do something: the real server's controllers take a moment."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if "wait" in step:
            _, found = await server.send("GET", step["wait"])
            conditions = found.get("status", {}).get("conditions") or ()
            ready = any(each["type"] == step["condition"] and each["status"] == "True" for each in conditions)
            if ready and await _owns(server, step["probe"]):
                return 200, "is so"
        elif (await server.send("GET", step["wait_allowed"], Impersonate_User=step["as"]))[0] == 200:
            return 200, "is so"
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s: {step}")


async def _until(server: Server, path: str, step: dict[str, Any]) -> tuple[int, Any]:
    """What an object is when it has become what the step says: `gone`, or in possession of what it `has` and not of what
    it `lacks`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status, answer = await server.send("GET", path)
        if "gone" in step:
            is_so = status == 404
        else:
            is_so = status == 200 and _has(answer, step["has"])
            is_so = is_so and not ("lacks" in step and _has(answer, step["lacks"]))
        if is_so:
            return status, answer
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {step}; it is {answer}"
        await asyncio.sleep(0.05)


async def settled(server: Server, step: dict[str, Any]) -> tuple[int, Any]:
    """The answer of a request that changes nothing, repeated until its status is what it `settles` on, and it `has` that:
    the real server takes a moment to serve what a definition says."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status, answer = await server.send(step.get("method", "GET"), step["path"], step.get("body"), **_headers(step))
        if status == step["settles"] and ("has" not in step or _has(answer, step["has"])):
            return status, answer if step.get("show") else "is so"
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {step}; it is {status} {answer}"
        await asyncio.sleep(0.05)


def _has(value: Any, wanted: Any) -> bool:
    """Whether everything of `wanted` is there; null wants an absent key, a list an element for each of its own."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(_has(value.get(key), item) for key, item in wanted.items())
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(_has(each, item) for each in value) for item in wanted)
    return bool(value == wanted)
