"""Asks a real kube-apiserver about the cases. Record its answers with `python -m tests.embedded.schema.realschemas`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from tests.embedded.merge.realserver import Client
from tests.peers.controlplane import ControlPlane
from tests.peers.process import until

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.json"
GROUP = "schemas.trueup.dev"


class Answer(Struct, frozen=True, omit_defaults=True):
    """`causes` sorted; `message` for refusals without causes; `object`: the spec and labels that were stored."""

    code: int
    causes: list[dict[str, str]] = []
    message: str = ""
    object: dict[str, Any] = {}


class Answers(Struct, frozen=True):
    crds: dict[str, Answer]
    objects: dict[str, Answer]


def crd_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = yaml.safe_load((HERE / "cases" / "crds.yaml").read_text())
    return cases


def object_cases() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The schema, and the objects."""
    data = yaml.safe_load((HERE / "cases" / "objects.yaml").read_text())
    return data["schema"], data["objects"]


def recorded() -> Answers:
    return msgspec.json.decode(RECORDED.read_bytes(), type=Answers)


def name_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def crd(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Cluster", "names": {"kind": kind, "plural": plural}, "versions": [version]},
    }


def whole(case: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name_of(case["title"]), **case.get("metadata", {})}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Checked", "metadata": metadata, "spec": case["spec"]}


async def ask(control_plane: ControlPlane) -> Answers:
    """All answers; leaves the objects where they are."""
    place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    async with Client(control_plane.url, control_plane.kubeconfig) as client:
        crds = {}
        for case in crd_cases():
            code, body = await client.request("POST", place, crd("Tried", case["schema"]), {"dryRun": "All"})
            crds[case["title"]] = _answer(code, body)
        schema, objects = object_cases()
        await client.request("POST", place, crd("Checked", schema))
        path = f"/apis/{GROUP}/v1/checkeds"

        async def served() -> bool:
            return (await client.request("GET", path))[0] == 200

        await until(served, "the custom resource is served", (), within=30)
        answers = {}
        for case in objects:
            level = "Strict" if case.get("strict") else "Ignore"
            query = {"fieldValidation": level, "dryRun": "All"}
            code, body = await client.request("POST", path, whole(case), query)
            answers[case["title"]] = _answer(code, body)
        return Answers(crds, answers)


def _answer(code: int, body: dict[str, Any]) -> Answer:
    if code < 400:
        kept = {key: body["metadata"][key] for key in ("labels",) if key in body["metadata"]}
        spec = {} if body["kind"] == "CustomResourceDefinition" else {"spec": body["spec"], "metadata": kept}
        return Answer(code, object=spec)
    causes = (body.get("details") or {}).get("causes") or []
    if causes:
        return Answer(code, sorted(causes, key=lambda one: (one.get("field", ""), one.get("message", ""))))
    return Answer(code, message=body["message"])


async def record() -> None:
    control_plane = ControlPlane(controllers=False)
    await control_plane.start()
    try:
        answers = await ask(control_plane)
    finally:
        await control_plane.stop()
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(answers, order="deterministic"), indent=1) + b"\n")


if __name__ == "__main__":
    asyncio.run(record())
