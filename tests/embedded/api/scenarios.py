"""Scenario files: requests written short, sent to one server, and their answers made comparable."""

import asyncio
import time
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.api.comparing import Server, scrubbed

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


async def run_scenario(server: Server, scenario: dict[str, Any], namespace: str) -> list[Any]:
    """Each step's status and comparable answer, in a fresh namespace."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    await server.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    answers = []
    for step in scenario["steps"]:
        status, answer = await _step(server, _named(step, namespace), namespace)
        answers.append([status, scrubbed(answer)])
    return answers


async def _step(server: Server, step: dict[str, Any], namespace: str) -> tuple[int, Any]:
    if "wait" in step or "wait_allowed" in step:
        return await _wait(server, step)
    method, path = step.get("method", ""), step.get("path", "")
    for verb, name in METHODS.items():
        if verb in step:
            group = step.get("group", "v1")
            root = f"/apis/{group}" if "/" in group else f"/api/{group}"
            method, path = name, f"{root}/namespaces/{namespace}/{step[verb]}"
    if query := step.get("query"):
        path += "?" + query
    headers = {}
    if "as" in step:
        headers["Impersonate_User"] = step["as"]
    if "accept" in step:
        headers["Accept"] = step["accept"]
    headers |= step.get("headers", {})
    content_type = step.get("content_type") or PATCHES.get(step.get("type", ""), "application/json")
    body = step["raw"].encode() if "raw" in step else step.get("body")
    return await server.send(method, path, body, content_type=content_type, **headers)


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
