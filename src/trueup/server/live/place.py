"""Which objects are an App's: those of its inventory, the App itself, and whatever hangs below them by owner references.

An object says who its owner is, so one is found to be an App's by walking up from it; nobody has to know the whole tree.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.dialects.reading import rows_of
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, metadata_of, ref_of, spec_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.server.api.call import missing
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target
from trueup.server.api.refusals import Refused
from trueup.server.world.rows import Known

DEEPEST = 6
"""Owners of owners: a pod of a ReplicaSet of a Deployment of something that an operator watches."""
_SELECTING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})


class Clients(Protocol):
    def of(self, caller: Caller) -> KubeClient:
        """By which the caller's wishes are carried out: our own, or one that speaks as the person."""
        ...


class Elsewhere(Refused):
    """The object lives in another cluster, which this server does not look into. One of its name here is another object."""

    status = 422
    reason = "OtherCluster"


class Placed(Struct, frozen=True):
    """An object of an App, as it is now."""

    live: Manifest
    resource: Resource
    ref: ObjectRef


async def find(client: KubeClient, app: Known, ref: ObjectRef) -> Placed:
    """Raises NotFound: what is not the App's is none of its readers' business, whether it exists or not; Elsewhere."""
    check_here(app, ref)
    versions = declared(app)
    placed = await _read(client, ref, versions.get(ref, ""))
    if placed is None or not await _belongs(client, placed.live, ref, versions):
        raise missing(Target(str(ref), ref))
    return placed


def check_here(app: Known, ref: ObjectRef | None = None) -> None:
    """Raises Elsewhere for objects of an App that lives in another cluster; the App's own resource is here."""
    if app.elsewhere and ref != app.ref:
        raise Elsewhere(
            f"the objects of {app.ref} live in another cluster ({app.elsewhere})",
            hint="its tree shows how they fare; for the whole object ask that cluster itself (kubectl --kubeconfig)",
            ref=ref,
        )


def declared(app: Known) -> dict[ObjectRef, str]:
    """The App's own objects and itself, with the API version in which each is read."""
    try:
        entries = app.dialect.stored_inventory(app.obj).entries
    except TrueupError:
        entries = ()
    return {**{entry.ref: entry.version for entry in entries}, app.ref: app.dialect.app_kind.version}


async def _belongs(client: KubeClient, live: Manifest, ref: ObjectRef, versions: dict[ObjectRef, str]) -> bool:
    for _ in range(DEEPEST):
        if ref in versions:
            return True
        owner = next((row for row in rows_of(metadata_of(live).get("ownerReferences")) if row.get("controller")), None)
        if owner is None:
            return False
        group, version = split_api_version(str(owner.get("apiVersion") or ""))
        above = await _read(
            client, ObjectRef(group, str(owner.get("kind")), ref.namespace, str(owner.get("name"))), version
        )
        if above is None or metadata_of(above.live).get("uid") != owner.get("uid"):
            return False
        live, ref = above.live, above.ref
    return False


async def _read(client: KubeClient, ref: ObjectRef, version: str) -> Placed | None:
    try:
        resource = await client.discovery.resource(ref.group, version, ref.kind)
        place = ref if resource.namespaced else ObjectRef(ref.group, ref.kind, "", ref.name)
        live = await client.get(resource, place.name, place.namespace)
    except KindNotServed:
        return None
    except ApiError as error:
        if error.is_not_found or (error.is_forbidden and client.impersonates):
            return None  # what one may not see does not exist
        raise
    return Placed(live, resource, place) if live is not None else None


async def pods_of(client: KubeClient, placed: Placed) -> list[Manifest]:
    """The pods that a workload selects; a pod is its own."""
    if placed.ref.kind == "Pod" and not placed.ref.group:
        return [placed.live]
    selector = _selector(placed.live)
    if placed.ref.kind not in _SELECTING or not selector:
        return []
    resource = await client.discovery.resource("", "v1", "Pod")
    return await client.list_all(resource, placed.ref.namespace, label_selector=selector)


async def pods_of_app(client: KubeClient, app: Known) -> list[Manifest]:
    """The pods of all its workloads, each once."""
    check_here(app)
    found: dict[ObjectRef, Manifest] = {}
    for ref, version in declared(app).items():
        if ref.kind in _SELECTING and (placed := await _read(client, ref, version)) is not None:
            found |= {ref_of(pod): pod for pod in await pods_of(client, placed)}
    return list(found.values())


def _selector(live: Manifest) -> str:
    """As a label selector's text; empty where there is none, which must not mean everything."""
    selector = spec_of(live).get("selector")
    if not isinstance(selector, dict):
        return ""
    terms = [f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())]
    for row in rows_of(selector.get("matchExpressions")):
        key, operator, values = str(row.get("key")), str(row.get("operator")), row.get("values") or []
        match operator:
            case "In" | "NotIn":
                terms.append(f"{key} {operator.lower()} ({','.join(map(str, values))})")
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
    return ",".join(terms)
