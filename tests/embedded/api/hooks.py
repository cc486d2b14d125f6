"""A webhook server for scenarios: it answers as each hook's case says, and remembers what it was asked."""

import asyncio
import base64
import copy
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.embedded.api.comparing import Server
from trueup.embedded.auth.certificates import Authority

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
MARKER = "podtemplates"
"""What only the marker hooks see: when they are asked, a server knows every configuration that came before."""
PATIENCE = 20.0


class Hooks:
    """The hooks of one scenario. `asked` holds their names and requests, in order."""

    def __init__(self, namespace: str, cases: dict[str, dict[str, Any]]) -> None:
        self.namespace = namespace
        self.cases = copy.deepcopy(cases)
        self.asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.marked: set[str] = set()
        self.url = ""
        self.bundle = ""

    async def handle(self, request: web.Request) -> web.Response:
        name, review = request.match_info["name"], await request.json()
        asked = review["request"]
        if name.startswith("marker-"):
            self.marked.add(name)
            reply: dict[str, Any] = {"allowed": True}
        else:
            case = self.cases[name]
            self.asked.append((name, asked, dict(request.query)))
            replies = case.get("replies") or []
            reply = dict(replies.pop(0) if replies else case.get("reply") or {"allowed": True})
        await asyncio.sleep(reply.pop("after", 0))
        if "raw" in reply or "code" in reply:
            media = "application/json"
            return web.Response(text=reply.get("raw", ""), status=reply.get("code", 200), content_type=media)
        if "patch" in reply:
            reply["patch"] = base64.b64encode(json.dumps(reply["patch"]).encode()).decode()
            reply.setdefault("patchType", "JSONPatch")
        answer = {"uid": asked["uid"], **reply}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": answer})

    def configuration(self, name: str, case: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The collection and the object."""
        kind = name.partition("-")[0]
        bundle = case.get("caBundle", self.bundle)
        webhook = {
            "name": f"{name}.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "clientConfig": {"url": case.get("url") or f"{self.url}/{name}"} | ({"caBundle": bundle} if bundle else {}),
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        }
        own = {key: value for key, value in case.items() if key not in ("reply", "replies", "url", "caBundle")}
        body = {"metadata": {"name": f"{self.namespace}-{name}"}, "webhooks": [webhook | own]}
        return f"{CONFIGURATIONS}/{kind}webhookconfigurations", body

    async def known(self, server: Server) -> None:
        """Configures every hook, and waits until the server knows of all."""
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": [MARKER]}
        cases = [*self.cases.items()]
        for kind in ("mutating", "validating"):
            cases.append((f"{kind}-marker", {"rules": [rule], "url": f"{self.url}/marker-{kind}"}))
        for name, case in cases:
            status, answer = await server.send("POST", *self.configuration(name, case))
            assert status == 201, answer
        path = f"/api/v1/namespaces/{self.namespace}/{MARKER}?dryRun=All"
        spec = {"containers": [{"name": "c", "image": "i"}]}
        body = {"metadata": {"name": "marker"}, "template": {"spec": spec}}
        async with asyncio.timeout(PATIENCE):
            while len(self.marked) < 2:
                await server.send("POST", path, body)
                await asyncio.sleep(0.02)
        self.asked.clear()

    async def forget(self, server: Server) -> None:
        """Removes the configurations."""
        for name in (*self.cases, "mutating-marker", "validating-marker"):
            path, body = self.configuration(name, {})
            await server.send("DELETE", f"{path}/{body['metadata']['name']}")


@asynccontextmanager
async def serving(namespace: str, cases: dict[str, dict[str, Any]], folder: Path) -> AsyncIterator[Hooks]:
    """Hooks that listen, with a certificate that their bundle vouches for."""
    hooks = Hooks(namespace, json.loads(json.dumps(cases).replace("NS", namespace)))
    authority = Authority.in_folder(folder)
    pair = authority.server(["127.0.0.1"])
    (folder / "pair.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    app = web.Application()
    app.router.add_post("/{name}", hooks.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        hooks.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        hooks.bundle = base64.b64encode(authority.certificate).decode()
        yield hooks
    finally:
        await runner.cleanup()
