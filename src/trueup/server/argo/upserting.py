"""What a creation at Argo CD's paths begins with: the object is made, or is there already.

A client may create twice in one breath, and the world that requests are answered from hears of the first only after it.
"""

from __future__ import annotations

from trueup.cluster.client import KubeClient
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, metadata_of
from trueup.server.live.objects import MANAGER


async def made_or_there(client: KubeClient, wanted: Manifest, known: Manifest | None) -> tuple[Manifest, bool]:
    """The object, and whether it was there before. `known`: what the world has of that name. Raises ApiError."""
    if known is not None:
        return known, True
    try:
        return await client.create(wanted, manager=MANAGER), False
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        group, _, version = str(wanted["apiVersion"]).rpartition("/")
        resource = await client.discovery.resource(group, version, wanted["kind"])
        metadata = metadata_of(wanted)
        there = await client.get(resource, metadata["name"], metadata.get("namespace") or "")
        if there is None:
            raise
        return there, True
