"""Quick reads for polling: one kept-alive connection to the API server, where a kubectl process per look would cost most
of a test's time. Users' actions go through the real kubectl; only looking goes through here."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trueup.cluster.config import load_config
from trueup.cluster.tls import make_ssl_context

PATHS = {
    "namespace": ("/api/v1", "namespaces"),
    "configmap": ("/api/v1", "configmaps"),
    "secret": ("/api/v1", "secrets"),
    "service": ("/api/v1", "services"),
    "serviceaccount": ("/api/v1", "serviceaccounts"),
    "event": ("/api/v1", "events"),
    "pod": ("/api/v1", "pods"),
    "persistentvolumeclaim": ("/api/v1", "persistentvolumeclaims"),
    "deployment": ("/apis/apps/v1", "deployments"),
    "job": ("/apis/batch/v1", "jobs"),
    "horizontalpodautoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "customresourcedefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "kustomization": ("/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "helmrelease": ("/apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
    "gitrepository": ("/apis/source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "ocirepository": ("/apis/source.toolkit.fluxcd.io/v1", "ocirepositories"),
    "application": ("/apis/argoproj.io/v1alpha1", "applications"),
}


class Api:
    """Blocking and single-threaded, like the tests."""

    def __init__(self, kubeconfig: Path) -> None:
        config = load_config(kubeconfig)
        credential = asyncio.run(config.credentials.current())
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if credential.authorization:
            self._headers["Authorization"] = credential.authorization
        self._tls = make_ssl_context(config.tls, credential.certificate, credential.key)
        self._server = urlsplit(config.server)
        self._connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The code and the decoded answer; 0 and the error's text when the server cannot be reached."""
        data = json.dumps(body) if body is not None else None
        for attempt in (0, 1):
            try:
                connection = self._connection = self._connection or self._connect()
                connection.request(method, path, data, self._headers)
                answer = connection.getresponse()
                text = answer.read()
                return answer.status, json.loads(text) if text else None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt or method != "GET":
                    return 0, str(error)
        raise AssertionError("not reached")

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """The object, or None."""
        code, found = self._read(self.path(kind, namespace, name))
        assert code in (200, 404), f"GET {kind} {namespace}/{name}: {code} {found}"
        return found if code == 200 else None

    def list(self, kind: str, namespace: str = "", query: str = "") -> list[dict[str, Any]]:
        code, found = self._read(self.path(kind, namespace) + (f"?{query}" if query else ""))
        assert code in (200, 404), f"GET {kind} in {namespace}: {code} {found}"
        return list(found["items"]) if code == 200 else []

    def _read(self, path: str, within: float = 20.0) -> tuple[int, Any]:
        """Waits out a server that is starting again: it is ready before each of its caches is."""
        deadline = time.monotonic() + within
        while True:
            code, found = self.request("GET", path)
            if code not in (0, 429, 500, 503) or time.monotonic() > deadline:
                return code, found
            time.sleep(0.1)

    def delete(self, kind: str, name: str, namespace: str = "") -> int:
        return self.request("DELETE", self.path(kind, namespace, name))[0]

    @staticmethod
    def path(kind: str, namespace: str = "", name: str = "") -> str:
        prefix, plural = PATHS[kind]
        where = f"/namespaces/{namespace}" if namespace else ""
        return f"{prefix}{where}/{plural}" + (f"/{name}" if name else "")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._server.hostname or "", self._server.port
        if self._server.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=15)
        return http.client.HTTPSConnection(host, port, timeout=15, context=self._tls)
