"""Short forms of steps about custom resources, made into the steps that `scenarios` plays.

`define` creates a definition (`gadgets.NS.example.com`) and waits until it is served, unless it is `unserved`, or `refused` and
tried as a dry run; `redefine` changes it by a merge
patch; `new` creates a custom resource; `try` does so as a dry run. Steps without a `group` are of the scenario's own.
What cannot be equal is taken out of answers here: the order of causes, for a server in Go walks maps in any order.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.embedded.api.comparing import Server, sent
from tests.embedded.api.scenarios import METHODS, load, run_scenario

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "NS.example.com"
Step = dict[str, Any]


class AttentiveServer(Server):
    """Answers carry the warnings that came with them."""

    async def send(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        assert self.session is not None
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        async with self.session.request(method, path, data=data, headers=sent(content_type, headers)) as answer:
            raw, warnings = await answer.read(), answer.headers.getall("Warning", [])
        if "json" not in answer.content_type:
            return answer.status, raw.decode(errors="replace")
        found = json.loads(raw)
        return answer.status, found | {"(warnings)": sorted(warnings)} if warnings else found


def load_scenarios(*paths: Path) -> dict[str, dict[str, Any]]:
    """Scenarios by title, in long form."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        for scenario in load(path):
            assert scenario["title"] not in found, f"two scenarios: {scenario['title']}"
            found[scenario["title"]] = scenario | {
                "steps": [long for step in scenario["steps"] for long in expand(step)]
            }
    return found


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    """The scenario's answers, with the namespace told as `NS`."""
    answers = await run_scenario(server, scenario, namespace)
    return ordered(json.loads(json.dumps(answers).replace(namespace, "NS")))


def expand(step: Step) -> Iterator[Step]:
    """The steps that a short form stands for."""
    if "define" in step:
        yield from _define(step["define"])
    elif "redefine" in step:
        path = f"{DEFINITIONS}/{step['redefine']}.{GROUP}"
        body = {"spec": step["spec"]}
        yield {"method": "PATCH", "path": path, "type": "merge", "body": body}
    elif "new" in step or "try" in step:
        yield _new(step)
    elif "group" not in step and any(verb in step for verb in METHODS):
        yield step | {"group": f"{GROUP}/v1"}
    else:
        yield step


def _new(step: Step) -> Step:
    kind, version = step.get("kind", "Gadget"), step.get("version", "v1")
    name = step.get("new", "tried")
    body = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name} | step.get("meta", {})}
    spec = step.get("spec", step.get("try"))
    body |= ({} if spec is None else {"spec": spec}) | step.get("more", {})
    query = "&".join(filter(None, ("dryRun=All" if "try" in step else "", step.get("query", ""))))
    return {"create": f"{kind.lower()}s", "group": f"{GROUP}/{version}", "body": body, "query": query}


def definition(short: Step) -> Step:
    """A whole definition: `spec` is the schema of the spec, `schema` that of all, `version` adds to its one version."""
    kind = short.get("kind", "Gadget")
    plural = short.get("plural", f"{kind.lower()}s")
    whole = short.get("schema") or {"type": "object", "properties": {"spec": short.get("spec", {"type": "object"})}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": kind} | short.get("names", {}),
        "versions": short.get("versions") or [version | short.get("version", {})],
    }
    named = {"name": f"{plural}.{GROUP}"} | short.get("meta", {})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": named,
        "spec": spec | short.get("more", {}),
    }


def _define(short: Step) -> Iterator[Step]:
    made = definition(short)
    query = short.get("query", "dryRun=All" if short.get("refused") else "")
    yield {"method": "POST", "path": DEFINITIONS, "body": made, "query": query}
    if short.get("refused") or short.get("unserved"):
        return
    names, spec = made["spec"]["names"], made["spec"]
    established = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
    yield {"until": f"{DEFINITIONS}/{made['metadata']['name']}", "has": established}
    version = next(each["name"] for each in spec["versions"] if each["served"])
    probe = {"apiVersion": f"{GROUP}/{version}", "kind": names["kind"], "metadata": {"name": "probe"}}
    place = "namespaces/NS/" if spec["scope"] == "Namespaced" else ""
    yield {
        "settles": 201,
        "method": "POST",
        "path": f"/apis/{GROUP}/{version}/{place}{names['plural']}?dryRun=All",
        "body": probe | short.get("probe", {"spec": {}}),
        "has": {"metadata": {"managedFields": [{"manager": "compare"}]}},
    }


def ordered(value: Any) -> Any:
    """What comes in the order of chance, sorted; several causes taken out of the message."""
    if isinstance(value, list):
        return [ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: ordered(item) for key, item in value.items()}
    if "(warnings)" in found:
        found["(warnings)"].sort()
    if found.get("kind") == "CustomResourceDefinition" and (found.get("status") or {}).get("conditions"):
        found["status"]["conditions"].sort(key=lambda each: str(each["type"]))  # by controllers beside each other
    if isinstance(managers := found.get("managedFields"), list):
        managers.sort(key=lambda each: json.dumps({**each, "time": ""}, sort_keys=True))  # which the second decides
    details = found.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if causes and len(causes) > 1:
        assert isinstance(details, dict)
        details["causes"] = sorted(causes, key=lambda each: (each.get("field", ""), each["message"]))
        found["message"] = found["message"].partition(": [")[0]
    return found
