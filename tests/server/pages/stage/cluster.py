"""The control namespace of the stage, as an API server keeps it: Secrets of repositories and clusters, settings, AppProjects; in memory."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, kind_of, labels_of, name_of

NAMESPACE = "argocd"
KEPT_SECRET = "canary-of-the-stage"
TYPE = "argocd.argoproj.io/secret-type"


def secret(name: str, kind: str, data: Mapping[str, str], **metadata: Any) -> Manifest:
    packed = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    ours = {"annotations": {"managed-by": "argocd.argoproj.io"}}
    labels = {TYPE: kind, **metadata.pop("labels", {})}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, **ours, **metadata},
        "data": packed,
    }


def settings(name: str, data: Mapping[str, str]) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "argocd"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def project(team: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": team, "namespace": NAMESPACE},
        "spec": {
            "description": f"what team {team} may do",
            "sourceRepos": [f"https://git.example.com/{team}/*"],
            "destinations": [{"name": "*", "namespace": team}],
            "roles": [
                {"name": "deployer", "policies": [f"p, proj:{team}:deployer, applications, sync, {team}/*, allow"]}
            ],
        },
    }


def beginning() -> list[Manifest]:
    clusters = ("production-eu", "production-us", "staging")
    declared = {
        "labels": {"kustomize.toolkit.fluxcd.io/name": "fleet", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    }
    return [
        *map(project, ("shop", "payments", "search")),
        secret(
            "repo-shop",
            "repository",
            {
                "url": "https://git.example.com/shop/deploy.git",
                "type": "git",
                "username": "ci",
                "password": KEPT_SECRET,
                "proxy": "http://proxy.example.com:3128",
            },
        ),
        *(
            secret(
                f"cluster-{name}",
                "cluster",
                {
                    "name": name,
                    "server": f"https://{name}.example.com:6443",
                    "config": f'{{"bearerToken":"{KEPT_SECRET}","tlsClientConfig":{{"insecure":false}}}}',
                },
                **(declared if name == "staging" else {}),
            )
            for name in clusters
        ),
        settings(
            "argocd-cm",
            {
                "url": "https://trueup.example.com",
                "accounts.alice": "apiKey, login",
                "accounts.robot": "apiKey",
                "statusbadge.enabled": "true",
                "users.session.duration": "12h",
                "oidc.config": f"name: Example\nissuer: https://login.example.com\nclientID: trueup\nclientSecret: {KEPT_SECRET}\n",
                "kustomize.buildOptions": "--enable-helm",
            },
        ),
        settings(
            "argocd-rbac-cm",
            {
                "policy.csv": "p, role:dev, applications, sync, */*, allow\ng, malee, role:dev\n",
                "policy.default": "role:readonly",
            },
        ),
    ]  # fmt: skip


class Cluster:
    """`of` every caller the same. Old versions are refused, as a real one does. `told` hears of what changes."""

    def __init__(self, told: Callable[[Manifest | None, str, str], None]) -> None:
        self._objects: dict[tuple[str, str], Manifest] = {}
        self._versions = itertools.count(1)
        self._told = told
        for obj in beginning():
            self._put(obj)

    impersonates = False

    @property
    def discovery(self) -> Cluster:
        return self

    def of(self, caller: object) -> Cluster:
        del caller
        return self

    async def resource(self, group: str, version: str, kind: str) -> str:
        del group, version
        return kind

    def data_of(self, name: str) -> Mapping[str, str]:
        """Of a ConfigMap, as watches have told of it."""
        return self._objects[("ConfigMap", name)].get("data") or {}

    async def get(self, kind: str, name: str, namespace: str) -> Manifest | None:
        del namespace
        return self._objects.get((kind, name))

    async def list_all(
        self, kind: str, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> list[Manifest]:
        """`KEY in (A,B)` is all that is asked here."""
        del namespace, field_selector
        key, _, values = label_selector.partition(" in ")
        wanted = values.strip("()").split(",")
        return [
            obj
            for (of, _), obj in sorted(self._objects.items())
            if of == kind and (not key or labels_of(obj).get(key) in wanted)
        ]

    async def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        if (kind_of(manifest), name_of(manifest)) in self._objects:
            raise ApiError(409, "AlreadyExists", f"{name_of(manifest)} exists")
        return self._put(manifest)

    async def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        live = self._objects[kind_of(manifest), name_of(manifest)]
        if manifest["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self._put(manifest)

    async def delete(self, kind: str, name: str, namespace: str, *, uid: str, resource_version: str = "") -> None:
        obj = self._objects[kind, name]
        assert obj["metadata"]["uid"] == uid
        if resource_version not in ("", obj["metadata"]["resourceVersion"]):
            raise ApiError(409, "Conflict", "the object has been modified")
        del self._objects[kind, name]
        self._told(None, kind, name)

    def _put(self, manifest: Manifest) -> Manifest:
        kind, name = kind_of(manifest), name_of(manifest)
        version = str(next(self._versions))
        obj = {**manifest, "metadata": {**manifest["metadata"], "uid": f"{kind}-{name}", "resourceVersion": version}}
        self._objects[kind, name] = obj
        self._told(obj, kind, name)
        return obj
