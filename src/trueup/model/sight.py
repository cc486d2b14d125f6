"""What people want to see of one live object at a glance, beside its health: small facts, never the object itself."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from trueup.model.refs import ObjectRef


class Sight(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Only what the kind has; the rest is as it is here.

    `ready` of `wanted`: replicas of a workload, containers of a pod, completions of a Job, endpoints of an EndpointSlice.
    """

    created: datetime | None = None
    owners: tuple[str, ...] = ()
    """The uids of its ownerReferences."""
    images: tuple[str, ...] = ()
    ready: int | None = None
    wanted: int | None = None
    phase: str = ""
    reason: str = ""
    """Why a pod is not what it should be: `CrashLoopBackOff`."""
    restarts: int = 0
    node: str = ""
    hosts: tuple[str, ...] = ()
    """Names under which an Ingress, a route or a Service is reached."""
    addresses: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    """Where a browser finds what it offers: `https://shop.example.com/`, or `TITLE|URL`."""
    targets: tuple[ObjectRef, ...] = ()
    """Where traffic goes from here (Ingress -> Service, EndpointSlice -> Pod), or what an autoscaler scales."""


NOTHING = Sight()
