"""Writes the embedded Kubernetes' schema data, as a default kube-apiserver of the pinned release serves it.

Run by `make schemas` (`python -m tools.schemadata.dump`) after a new pin in tools/kubernetes. It starts that server and asks
it, so the data holds exactly the groups, versions and resources that are on by default. Every file is compact JSON with
sorted keys, gzipped without a time: the same server gives the same bytes.

    discovery.json.gz           {"api": ..., "apis": ...}: both APIGroupDiscoveryLists (apidiscovery.k8s.io/v2)
    openapi-v2.json.gz          /openapi/v2
    openapi-v3/<name>.json.gz   /openapi/v3/<path>, "/" in the path written "__": apis/apps/v1 -> apis__apps__v1
    tables.json.gz              {"<group>/<version>/<resource>": [columnDefinitions]}, core's as "v1/pods"
    bootstrap.json.gz           the roles, bindings, priority classes, API services, flow schemas with their levels and service
                                addresses that a new cluster has, without server-set metadata and times
    version.json.gz             what /version says of the release: gitVersion, major, minor
"""

import asyncio
import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.peers.controlplane import ControlPlane

DATA = Path(__file__).resolve().parents[2] / "src" / "trueup" / "embedded" / "schema" / "data"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
BOOTSTRAP = (
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/apis/networking.k8s.io/v1/servicecidrs",
)
SERVER_SET = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})


def packed(document: Any) -> bytes:
    """The document's one byte form."""
    return gzip.compress(msgspec.json.encode(document, order="deterministic"), compresslevel=9, mtime=0)


def v3_file_name(path: str) -> str:
    """`apis/apps/v1` -> `apis__apps__v1.json.gz`."""
    return path.replace("/", "__") + ".json.gz"


def listable(discovery: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """`("apps/v1/deployments", "/apis/apps/v1/deployments")` for every resource with the verb list."""
    for root, document in discovery.items():
        for group in document["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                prefix = "/".join(filter(None, (name, version["version"])))
                for resource in version["resources"]:
                    if "list" in resource["verbs"]:
                        key = f"{prefix}/{resource['resource']}"
                        yield key, f"/{root}/{key}"


def as_declared(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without what the server sets, as one would declare it, and without times."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in SERVER_SET}
    declared = {**obj, "metadata": metadata}
    if conditions := obj.get("status", {}).get("conditions"):
        timeless = [{key: value for key, value in row.items() if key != "lastTransitionTime"} for row in conditions]
        declared["status"] = {**obj["status"], "conditions": timeless}
    return declared


async def bootstrap(server: ControlPlane) -> list[dict[str, Any]]:
    """Objects that a new cluster has, of the kinds in BOOTSTRAP, by kind and name."""
    objects: list[dict[str, Any]] = []
    for path in BOOTSTRAP:
        answer = await server.get(path)
        head = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
        objects += [head | as_declared(item) for item in answer["items"]]
    return sorted(objects, key=lambda obj: (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))


def is_aggregated(role: dict[str, Any], roles: Sequence[dict[str, Any]]) -> bool:
    """Has a controller gathered into this cluster role every rule of those that its aggregationRule selects?"""
    selectors = role.get("aggregationRule", {}).get("clusterRoleSelectors", ())
    gathered = [
        rule
        for other in roles
        for selector in selectors
        if selector["matchLabels"].items() <= other["metadata"].get("labels", {}).items()
        for rule in other["rules"] or ()
    ]
    return not selectors or (bool(gathered) and all(rule in (role["rules"] or ()) for rule in gathered))


async def roles_aggregated(server: ControlPlane) -> bool:
    """Are all cluster roles as the controllers leave them?"""
    roles = (await server.get(BOOTSTRAP[0]))["items"]
    return all(is_aggregated(role, roles) for role in roles)


async def collect(server: ControlPlane) -> dict[str, Any]:
    """File name -> document, for every file."""
    discovery = {root: await server.get(f"/{root}", accept=DISCOVERY) for root in ("api", "apis")}
    version = await server.get("/version")
    files: dict[str, Any] = {
        "bootstrap.json.gz": await bootstrap(server),
        "discovery.json.gz": discovery,
        "openapi-v2.json.gz": await server.get("/openapi/v2"),
        "version.json.gz": {key: version[key] for key in ("gitVersion", "major", "minor")},
    }
    for path, entry in (await server.get("/openapi/v3"))["paths"].items():
        files[f"openapi-v3/{v3_file_name(path)}"] = await server.get(entry["serverRelativeURL"])
    tables = {key: (await server.get(path, accept=TABLE))["columnDefinitions"] for key, path in listable(discovery)}
    files["tables.json.gz"] = tables
    return files


async def main() -> None:
    """Replaces the data files and says what they hold."""
    server = ControlPlane(nodes=0)
    try:
        await server.start()
        await server.wait_until(lambda: roles_aggregated(server), "cluster roles are aggregated")
        files = await collect(server)
    finally:
        await server.stop()
    for stale in set(DATA.rglob("*.json.gz")) - {DATA / name for name in files}:
        stale.unlink()
    for name, document in files.items():
        path = DATA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(document))
    size = sum((DATA / name).stat().st_size for name in files)
    print(f"{len(files)} files, {size // 1024} KiB, of {files['version.json.gz']['gitVersion']}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
