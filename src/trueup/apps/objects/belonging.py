"""Which objects are an App's: those of its inventory, the App itself, and whatever hangs below them by owner references.

An object says who its owner is, so one is found to be an App's by walking up from it; nobody has to know the whole tree.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trueup.apps.objects.refusals import NoSuchObject
from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.dialects.reading import rows_of
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.manifest import Manifest, metadata_of, ref_of, spec_of
from trueup.model.refs import ObjectRef, split_api_version

DEEPEST = 6
"""Owners of owners: a pod of a ReplicaSet of a Deployment of something that an operator watches."""
_SELECTING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})


class Ours(Struct, frozen=True, kw_only=True):
    """The objects that an App declares, each with the API version in which it is read; empty: the one that the cluster prefers."""

    app: ObjectRef
    versions: Mapping[ObjectRef, str]


class Placed(Struct, frozen=True):
    """An object of an App, as it is now."""

    live: Manifest
    resource: Resource
    ref: ObjectRef


async def find(client: KubeClient, ours: Ours, ref: ObjectRef, *, discreet: bool = False) -> Placed:
    """Raises NoSuchObject: what is not the App's is none of its readers' business, whether it exists or not.

    Rights were asked for by this very `ref`: a cluster-scoped object is not found in a namespace where somebody may do more.

    `discreet`: what the client may not see does not exist either; else the API server's refusal is told (ApiError).
    """
    placed = await _read(client, ref, ours.versions.get(ref, ""), discreet=discreet)
    if (
        placed is None
        or placed.ref != ref
        or not await _belongs(client, placed.live, placed.ref, ours.versions, discreet=discreet)
    ):
        raise NoSuchObject(ref)
    return placed


async def _belongs(
    client: KubeClient, live: Manifest, ref: ObjectRef, versions: Mapping[ObjectRef, str], *, discreet: bool
) -> bool:
    for _ in range(DEEPEST):
        if ref in versions:
            return True
        owner = next((row for row in rows_of(metadata_of(live).get("ownerReferences")) if row.get("controller")), None)
        if owner is None:
            return False
        group, version = split_api_version(str(owner.get("apiVersion") or ""))
        over = ObjectRef(group, str(owner.get("kind")), ref.namespace, str(owner.get("name")))
        above = await _read(client, over, version, discreet=discreet)
        if above is None or metadata_of(above.live).get("uid") != owner.get("uid"):
            return False
        live, ref = above.live, above.ref
    return False


async def _read(client: KubeClient, ref: ObjectRef, version: str, *, discreet: bool) -> Placed | None:
    try:
        resource = await client.discovery.resource(ref.group, version, ref.kind)
        place = ref if resource.namespaced else ObjectRef(ref.group, ref.kind, "", ref.name)
        live = await client.get(resource, place.name, place.namespace)
    except KindNotServed:
        return None
    except ApiError as error:
        if error.is_not_found or (error.is_forbidden and discreet):
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


async def pods_of_app(client: KubeClient, ours: Ours, *, discreet: bool = False) -> list[Manifest]:
    """The pods of all its workloads, each once."""
    found: dict[ObjectRef, Manifest] = {}
    for ref, version in ours.versions.items():
        if ref.kind in _SELECTING and (placed := await _read(client, ref, version, discreet=discreet)) is not None:
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
