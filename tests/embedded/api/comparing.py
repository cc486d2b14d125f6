"""Comparing what two API servers say: requests to each, and answers without what must differ."""

import re
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import yaml

_VOLATILE = {"storageVersionHash", "uid", "resourceVersion", "creationTimestamp", "selfLink"}
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATCHED = re.compile(r'Invalid value: "\{.*\}"(?=: (json|strict))')
"""The patched object in a message: its keys come in another order."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Server:
    """One API server as its administrator, or as another user by impersonation."""

    def __init__(self, kubeconfig: Path) -> None:
        import base64
        import tempfile

        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url = cluster["server"]

        def content(owner: dict[str, str], key: str) -> bytes:
            if f"{key}-data" in owner:
                return base64.b64decode(owner[f"{key}-data"])
            return Path(owner[key]).read_bytes()

        self.tls = ssl.create_default_context(cadata=content(cluster, "certificate-authority").decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(content(user, "client-certificate") + b"\n" + content(user, "client-key"))
            pair.flush()
            self.tls.load_cert_chain(pair.name)
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Server":
        connector = aiohttp.TCPConnector(ssl=self.tls, limit=0)
        self.session = aiohttp.ClientSession(self.url, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.session is not None
        await self.session.close()

    async def send(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """The status and the decoded answer (text when it is no JSON)."""
        status, media_type, raw = await self.exchange(method, path, body, content_type=content_type, **headers)
        if "json" in media_type:
            import json

            return status, json.loads(raw)
        return status, raw.decode(errors="replace")

    async def exchange(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **headers: str
    ) -> tuple[int, str, bytes]:
        """The status, the media type and the bytes of an answer."""
        assert self.session is not None
        data = body if isinstance(body, (bytes, type(None))) else _json(body)
        async with self.session.request(method, path, data=data, headers=sent(content_type, headers)) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), await answer.read()


def sent(content_type: str, headers: dict[str, str]) -> dict[str, str]:
    """A request's headers; `Impersonate_User` stands for `Impersonate-User`."""
    wanted = {"Content-Type": content_type, "User-Agent": "compare/1.0"}
    return wanted | {key.replace("_", "-"): value for key, value in headers.items()}


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


def scrubbed(value: Any) -> Any:
    """An answer without what two servers cannot share: uids, versions, times, random suffixes, addresses."""
    if isinstance(value, dict):
        return {
            _UID.sub("<uid>", key): scrubbed(item)
            for key, item in value.items()
            if key not in _VOLATILE and not (key in ("clusterIP", "clusterIPs") and item not in ("None", ["None"], ""))
        }
    if isinstance(value, list):
        return [scrubbed(item) for item in value]
    if isinstance(value, str):
        text = _TIME.sub("<time>", _UID.sub("<uid>", value))
        text = re.sub(r"(?<=current: )\d+|(?<=too old resource version: )\d+ \(\d+\)", "<version>", text)
        text = re.sub(r"in record \(\d+\)", "in record (<version>)", text)
        text = re.sub(r"^\d+s$", "<age>", text)
        text = re.sub(r"\b10\.96\.\d+\.\d+\b", "<address>", text) if text.count(".") == 3 else text
        text = _PATCHED.sub("Invalid value: <patched>", text)
        return re.sub(r"kube-api-access-\w{5}", "kube-api-access-<any>", text)
    return value


def path_of(manifest: dict[str, Any], plurals: dict[tuple[str, str], tuple[str, bool]], namespace: str) -> str:
    """The collection that a manifest is created in."""
    plural, namespaced = plurals[manifest["apiVersion"], manifest["kind"]]
    root = f"/apis/{manifest['apiVersion']}" if "/" in manifest["apiVersion"] else f"/api/{manifest['apiVersion']}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespaced else f"{root}/{plural}"


async def plurals_of(server: Server) -> dict[tuple[str, str], tuple[str, bool]]:
    """(apiVersion, kind) -> (plural, whether it is namespaced), from aggregated discovery."""
    found = {}
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    for root in ("/api", "/apis"):
        _, answer = await server.send("GET", root, Accept=accept)
        for group in answer["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                api_version = f"{name}/{version['version']}" if name else version["version"]
                for each in version["resources"]:
                    kind = each["responseKind"]["kind"]
                    found[api_version, kind] = (each["resource"], each["scope"] == "Namespaced")
    return found
