"""Why an object is going: by itself, or because its kind or its namespace is going and takes everything along.

Who deletes a CRD, or a namespace, has said nothing about what its objects made; so whoever finalizes an object asks here first.
"""

from __future__ import annotations

from enum import StrEnum

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.model.apierror import KindNotServed
from trueup.model.manifest import is_deleting


class Departure(StrEnum):
    ALONE = "alone"
    WITH_KIND = "with its CustomResourceDefinition"
    WITH_NAMESPACE = "with its namespace"


async def departure_of(client: KubeClient, resource: Resource, namespace: str) -> Departure:
    """One or two GETs. A CRD or namespace that is being deleted, or is gone already, takes its objects with it."""
    if resource.group and await _is_going(client, "apiextensions.k8s.io", "CustomResourceDefinition", resource.name):
        return Departure.WITH_KIND
    if namespace and await _is_going(client, "", "Namespace", namespace):
        return Departure.WITH_NAMESPACE
    return Departure.ALONE


async def _is_going(client: KubeClient, group: str, kind: str, name: str) -> bool:
    try:
        resource = await client.discovery.resource(group, "", kind)
    except KindNotServed:
        return False  # a server without CRDs has nothing that goes with one
    found = await client.get(resource, name)
    return found is None or is_deleting(found)
