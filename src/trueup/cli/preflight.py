"""Who else is there: controllers that serve the same resources, and CRDs whose fields ours would lose.

`install` and `run` look before they begin. What is found is a decision on data; the cluster is only asked for it. A
controller that is scaled to zero serves nothing, so that moving over is: scale it down, install, compare, delete it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from trueup.cli.components import is_ours
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.election import holder_of
from trueup.controllers.manager import LEASE
from trueup.dialects.compare import Lack, lacks
from trueup.dialects.crd import MANAGED_BY, MANAGED_BY_LABEL
from trueup.dialects.registry import crds
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed
from trueup.model.errors import Terminal
from trueup.model.manifest import Manifest, labels_of, name_of, namespace_of, ref_of, spec_of
from trueup.model.refs import ObjectRef

log = structlog.get_logger(__name__)

FLUX_CONTROLLERS = ("kustomize-controller", "source-controller")
"""Flux's other controllers serve kinds that are not ours."""
ARGO_CONTROLLER = "argocd-application-controller"
SILENT_AFTER = timedelta(minutes=2)
"""A Lease that was not renewed for so long has no holder, even where clocks differ by a minute."""
SHOWN_LACKS = 5
_NAME = "app.kubernetes.io/name"
_PART_OF = "app.kubernetes.io/part-of"
_COMPONENT = "app.kubernetes.io/component"


class Rival(Struct, frozen=True, order=True):
    """A controller that works on the same resources; `ref` is the workload or Lease that shows it."""

    ref: ObjectRef
    what: str

    def __str__(self) -> str:
        return f"{self.what} ({self.ref})"


class Preflight(Struct, frozen=True, kw_only=True):
    """What stands in the way."""

    rivals: tuple[Rival, ...] = ()
    lacks: tuple[Lack, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rivals or self.lacks)

    def lines(self) -> list[str]:
        found = [f"{rival} serves the same resources" for rival in self.rivals]
        if self.lacks:
            names = ", ".join(str(lack) for lack in self.lacks[:SHOWN_LACKS])
            more = len(self.lacks) - SHOWN_LACKS
            rest = f" and {more} more" if more > 0 else ""
            found.append(f"installed CRDs have what ours lack: {names}{rest}")
        return found


class Occupied(Terminal):
    """The cluster's resources are served by somebody else."""

    reason = "Occupied"


def refuse(found: Preflight) -> Occupied:
    """The error that names everything that was found."""
    hints = []
    if found.rivals:
        hints.append("scale it to zero or remove it first")
    hints.append("--adopt to go on all the same")
    return Occupied("; ".join(found.lines()), hint=", or ".join(hints))


# the decisions


def rival_workload(obj: Manifest) -> Rival | None:
    """What a Deployment or StatefulSet is to us."""
    labels, ref = labels_of(obj), ref_of(obj)
    if is_ours(obj) or spec_of(obj).get("replicas") == 0:
        return None
    if labels.get(_PART_OF) == "flux":
        names = {labels.get(_COMPONENT), labels.get("app"), labels.get(_NAME), ref.name}
        for controller in FLUX_CONTROLLERS:
            if controller in names:
                return Rival(ref, f"Flux's {controller}")
    named = labels.get(_NAME) == ARGO_CONTROLLER
    part = labels.get(_PART_OF) == "argocd" and labels.get(_COMPONENT) == "application-controller"
    if named or part:
        return Rival(ref, "Argo CD's application controller")
    return None


def rival_lease(lease: Manifest, now: datetime, own_namespace: str) -> Rival | None:
    """A Lease that a controller of the same resources holds now. Our own namespace's is not a rival's: we wait for it."""
    name, ref = name_of(lease), ref_of(lease)
    if not (holder := holder_of(lease)) or not _is_renewed(lease, now):
        return None
    if name == LEASE and namespace_of(lease) != own_namespace:
        return Rival(ref, f"another Trueup, {holder}")
    if name.endswith("-leader-election"):
        for controller in FLUX_CONTROLLERS:
            if name.startswith(controller):
                return Rival(ref, f"Flux's {controller}, {holder}")
    return None


def rivals_among(workloads: Iterable[Manifest], leases: Iterable[Manifest], now: datetime, own: str) -> list[Rival]:
    """A Lease is named only where no workload tells the same."""
    found = {rival for obj in workloads if (rival := rival_workload(obj))}
    told = [rival.what for rival in found]
    for lease in leases:
        rival = rival_lease(lease, now, own)
        if rival and not any(rival.what.startswith(what) for what in told):
            found.add(rival)
    return sorted(found)


def _is_renewed(lease: Manifest, now: datetime) -> bool:
    try:
        renewed = datetime.fromisoformat(str(spec_of(lease).get("renewTime")))
    except ValueError:
        return False
    return abs(now - renewed) < SILENT_AFTER


# asking


async def look(client: KubeClient, own_namespace: str) -> Preflight:
    """A handful of requests. What may not be read is said in the log and taken for absent."""
    workloads, leases, missing = await asyncio.gather(_workloads(client), _leases(client), _lacks(client))
    return Preflight(
        rivals=tuple(rivals_among(workloads, leases, datetime.now(UTC), own_namespace)), lacks=tuple(sorted(missing))
    )


async def until_free(config: ClusterConfig, own_namespace: str, *, adopt: bool) -> None:
    """Waits for a cluster that answers. Raises Occupied where somebody else serves it, unless told to `adopt`."""
    while True:
        try:
            async with KubeClient(config) as client:
                found = await look(client, own_namespace)
        except (ApiError, ClusterUnreachable, KindNotServed) as error:
            log.warning("the cluster cannot be looked at yet", error=str(error))
            await asyncio.sleep(1.0)
            continue
        if found and not adopt:
            raise refuse(found)
        for text in found.lines():
            log.warning("adopting", what=text)
        return


async def _workloads(client: KubeClient) -> list[Manifest]:
    selectors = (f"{_PART_OF} in (flux,argocd),{MANAGED_BY_LABEL}!={MANAGED_BY}", f"{_NAME}={ARGO_CONTROLLER}")
    lists = await asyncio.gather(
        *(
            _list(client, "apps", "v1", kind, selector)
            for kind in ("Deployment", "StatefulSet")
            for selector in selectors
        )
    )
    return [obj for items in lists for obj in items]


async def _leases(client: KubeClient) -> list[Manifest]:
    return await _list(client, "coordination.k8s.io", "v1", "Lease")


async def _list(client: KubeClient, group: str, version: str, kind: str, selector: str = "") -> list[Manifest]:
    try:
        resource = await client.discovery.resource(group, version, kind)
        return [
            {"apiVersion": resource.api_version, "kind": kind, **obj}
            for obj in await client.list_all(resource, label_selector=selector)
        ]
    except (ApiError, KindNotServed) as error:
        if isinstance(error, ApiError) and not error.is_forbidden:
            raise
        log.warning("cannot look for other controllers", kind=kind, error=str(error))
        return []


async def _lacks(client: KubeClient) -> list[Lack]:
    ours = crds()
    installed = await installed_crds(client, ours)
    return [lack for crd in ours if (found := installed.get(name_of(crd))) for lack in lacks(found, crd)]


async def installed_crds(client: KubeClient, ours: Sequence[Manifest]) -> dict[str, Manifest]:
    """By name, those of ours that the cluster has."""
    resource = await client.discovery.resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    try:
        found = await asyncio.gather(*(client.get(resource, name_of(crd)) for crd in ours))
    except ApiError as error:
        if not error.is_forbidden:
            raise
        log.warning("cannot compare the installed CRDs", error=error.message)
        return {}
    return {name_of(crd): crd for crd in found if crd is not None}
