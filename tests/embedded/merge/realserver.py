"""Plays cases against a real kube-apiserver. Record its answers with `python -m tests.embedded.merge.realserver`."""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec
import yaml

from tests.embedded.merge.scenario import (
    NAMESPACE,
    RECORDED,
    Case,
    Kind,
    Outcome,
    Step,
    crd_manifest,
    crds,
    kinds,
    load_cases,
    stable,
)
from tests.peers.controlplane import ControlPlane
from tests.peers.process import until
from trueup.embedded.merge import merge_patch

CONTENT_TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class Client:
    """Plain requests to one control plane, as its administrator."""

    def __init__(self, url: str, kubeconfig: Path) -> None:
        self._url = url
        self._tls = _tls(kubeconfig)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, dict[str, Any]]:
        assert self._session is not None
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        async with self._session.request(
            method, self._url + path, data=data, params=query, headers=headers, timeout=aiohttp.ClientTimeout(30)
        ) as response:
            content = await response.read()
            if response.content_type != "application/json":
                content = msgspec.json.encode({"message": content.decode(errors="replace")})
            return response.status, msgspec.json.decode(content)


class RealServer(Client):
    """A control plane that is prepared for the cases."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for kind in crds():
            await self.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd_manifest(kind))
        await until(self._custom_resources_served, "the custom resources are served", (), within=30)
        return self

    async def play(self, case: Case) -> list[Outcome]:
        """What each step did. The object is deleted before and after."""
        kind = kinds()[case.kind]
        await self._delete(case, kind)
        try:
            return [await self._step(case, kind, step) for step in case.steps]
        finally:
            await self._delete(case, kind)

    async def _step(self, case: Case, kind: Kind, step: Step) -> Outcome:
        path = f"/{kind.path}/namespaces/{NAMESPACE}/{kind.plural}"
        place = f"{path}/{case.name}"
        target = f"{place}/{step.subresource}" if step.subresource else place
        _, before = await self.request("GET", place)
        query = {"fieldManager": step.manager}
        match step.verb:
            case "create":
                answer = await self.request("POST", path, case.complete(step.object, kind, step), query)
            case "update":
                _, current = await self.request("GET", target)
                answer = await self.request("PUT", target, merge_patch(current, step.change), query)
            case verb:
                if step.force:
                    query["force"] = "true"
                body = case.complete(step.object, kind, step) if verb == "apply" else step.body
                answer = await self.request("PATCH", target, body, query, CONTENT_TYPES[verb])
        code, content = answer
        if code >= 400:
            return Outcome(code, status=_refusal(content))
        _, after = await self.request("GET", place)
        same = before.get("metadata", {}).get("resourceVersion") == after["metadata"]["resourceVersion"]
        return Outcome(code, stable(after), unchanged=same)

    async def _delete(self, case: Case, kind: Kind) -> None:
        place = f"/{kind.path}/namespaces/{NAMESPACE}/{kind.plural}/{case.name}"
        code, found = await self.request("GET", place)
        if code == 404:
            return
        if found["metadata"].get("finalizers"):
            ops = [{"op": "remove", "path": "/metadata/finalizers"}]
            await self.request("PATCH", place, ops, content_type=CONTENT_TYPES["json"])
        await self.request("DELETE", place)

    async def _custom_resources_served(self) -> bool:
        for kind in crds():
            place = kinds()[kind]
            code, _ = await self.request("GET", f"/{place.path}/namespaces/{NAMESPACE}/{place.plural}")
            if code != 200:
                return False
        # Merging needs the kind's OpenAPI as well, which follows a moment later.
        code, _ = await self.request("GET", f"/openapi/v3/{kinds()['Widget'].path}")
        return code == 200


def _refusal(status: dict[str, Any]) -> dict[str, Any]:
    causes = (status.get("details") or {}).get("causes") or []
    causes = sorted(causes, key=lambda cause: (cause.get("field", ""), cause.get("message", "")))
    return {"reason": status.get("reason", ""), "message": status.get("message", ""), "causes": causes}


def _tls(kubeconfig: Path) -> ssl.SSLContext:
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "c"), Path(folder, "k")
        certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
        key.write_bytes(base64.b64decode(user["client-key-data"]))
        context.load_cert_chain(certificate, key)
    return context


async def record() -> None:
    """Writes the real server's answers into `recorded/`."""
    control_plane = ControlPlane(controllers=False)
    await control_plane.start()
    try:
        answers: dict[str, dict[str, list[Outcome]]] = {}
        async with RealServer(control_plane.url, control_plane.kubeconfig) as server:
            for case in load_cases():
                answers.setdefault(case.file, {})[case.title] = await server.play(case)
        for file, outcomes in answers.items():
            text = msgspec.json.format(msgspec.json.encode(outcomes, order="deterministic"), indent=1)
            (RECORDED / f"{file}.json").write_bytes(text + b"\n")
    finally:
        await control_plane.stop()


if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    asyncio.run(record())
