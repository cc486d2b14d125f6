"""Paths that are no resources: discovery, versions, OpenAPI, health, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trueup.embedded.api import forms, negotiation, refusals
from trueup.embedded.api.discovery import AGGREGATED, Discovery
from trueup.embedded.api.health import ROOTS, Health
from trueup.embedded.api.http import Answer, Request, Responder
from trueup.embedded.api.metrics import CONTENT_TYPE, Metrics
from trueup.embedded.api.openapi import OpenApi
from trueup.embedded.api.openapi_v2.document import OFFERED, OpenApiV2
from trueup.embedded.auth.tokens import ISSUER, Tokens

_GZIPPED = {"Content-Encoding": "gzip"}
_ANY_METHOD = ("/apis", "/metrics", "", "/index.html")
"""What the real server answers whatever the method is."""


class Pages(Responder):
    """Answers GETs of paths that name no resource. `is_ready` says whether the cluster has begun."""

    def __init__(
        self,
        discovery: Discovery,
        openapi: OpenApi,
        openapi_v2: OpenApiV2,
        metrics: Metrics,
        tokens: Tokens,
        version: dict[str, Any],
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._discovery = discovery
        self._openapi = openapi
        self._openapi_v2 = openapi_v2
        self._metrics = metrics
        self._tokens = tokens
        self._version = version
        self._health = Health(is_ready)

    async def respond(self, request: Request) -> Answer:
        path = request.target.path.rstrip("/")
        if path.startswith(ROOTS) and path.split("/")[1] in ("healthz", "livez", "readyz"):
            return self._reported(path, request)
        if request.method not in ("GET", "HEAD") and path not in _ANY_METHOD:
            self._refuse_method(path)
        match path:
            case "/api" | "/apis":
                return self._groups(path, request)
            case "/version":
                return self._json(self._version)
            case "/metrics":
                return Answer(self._metrics.text(), content_type=CONTENT_TYPE)
            case "/openapi/v2":
                return await self._v2(request)
            case "/openapi/v3":
                return self._json(self._openapi.index())
            case "/.well-known/openid-configuration":
                return self._json(self._issuer(request))
            case "/openid/v1/jwks":
                return Answer(self._json(self._tokens.public_keys()).body, content_type="application/jwk-set+json")
            case "" | "/index.html":
                return self._json({"paths": self._paths()})
        if path.startswith("/openapi/v3/"):
            return self._v3(path.removeprefix("/openapi/v3/"))
        return self._resources(path.strip("/").split("/"))

    def _json(self, value: Any) -> Answer:
        return Answer(forms.encode(value, negotiation.DEFAULT))

    def _refuse_method(self, path: str) -> None:
        """Raises 405 for what can be read, 404 for what is not there."""
        if path in ("/api", "/version") or self._found(path.strip("/").split("/")) is not None:
            raise refusals.method_not_allowed()
        raise refusals.PageNotFound()

    def _reported(self, path: str, request: Request) -> Answer:
        report = self._health.report(path, request.query)
        if report is None:
            raise refusals.PageNotFound()
        is_one = path.count("/") > 1 and report.code == 200
        headers = {} if is_one else {"X-Content-Type-Options": "nosniff"}
        return Answer(report.text.encode(), report.code, "text/plain; charset=utf-8", headers)

    def _groups(self, path: str, request: Request) -> Answer:
        for version in ("v2", "v2beta1"):
            wanted = f"g={AGGREGATED};v={version};as=APIGroupDiscoveryList"
            first = request.accept.split(",")[0] if version == "v2beta1" else request.accept
            if wanted in first.replace(" ", ""):
                content, tag = self._discovery.aggregated(path, version)
                media = f"application/json;{wanted}"
                headers = {"ETag": tag, "Vary": "Accept"}
                if request.headers.get("If-None-Match") == tag:
                    return Answer(b"", 304, media, headers)
                return Answer(content, content_type=media, headers=headers)
        if path == "/api":
            return self._json(self._discovery.core_versions(request.host))
        return self._json(self._discovery.groups())

    def _resources(self, parts: list[str]) -> Answer:
        found = self._found(parts)
        if found is None:
            is_version = parts[0] == "api" and len(parts) == 2
            known = len(parts) == 3 and parts[0] == "apis" and self._discovery.group(parts[1]) is not None
            if is_version or known or parts[0] == "version":
                raise refusals.no_resource()
            raise refusals.PageNotFound()
        return self._json(found)

    def _found(self, parts: list[str]) -> Any:
        match parts:
            case ["api", version]:
                return self._discovery.resources("", version)
            case ["apis", group]:
                return self._discovery.group(group)
            case ["apis", group, version]:
                return self._discovery.resources(group, version)
        return None

    async def _v2(self, request: Request) -> Answer:
        asked = negotiation.choose_among(tuple(OFFERED), request.accept)
        if asked is None:
            return Answer(b"", 406)  # the real server says no more than this here
        media, headers = OFFERED[asked], {"ETag": self._openapi_v2.tag(), "Vary": "Accept"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Answer(b"", 304, media, headers)
        document = await self._openapi_v2.published(asked)
        return Answer(document.content, content_type=media, headers=headers | _GZIPPED | {"ETag": document.tag})

    def _v3(self, path: str) -> Answer:
        document = self._openapi.document(path)
        if document is None:
            raise refusals.PageNotFound()
        return Answer(document, headers=_GZIPPED)

    def _issuer(self, request: Request) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "jwks_uri": f"https://{request.host}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def _paths(self) -> list[str]:
        groups = self._discovery.groups()["groups"]
        names = [group["name"] for group in groups]
        names += [version["groupVersion"] for group in groups for version in group["versions"]]
        fixed = [
            "/.well-known/openid-configuration",
            "/api",
            "/api/v1",
            "/apis",
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/version",
        ]
        return sorted(fixed + [f"/apis/{name}" for name in names])
