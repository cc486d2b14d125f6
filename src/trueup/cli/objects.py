"""The objects of an App as they are now, asked of the cluster one by one, and what hangs below them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from trueup.apps.nodes import Node, build_nodes, known_syncs
from trueup.cli.elsewhere import at_cluster_of
from trueup.cli.session import Found, Session
from trueup.dialects.reading import rows_of
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest, metadata_of, ref_of
from trueup.model.refs import ObjectRef

IN_FLIGHT = 16
CHILD_KINDS = (("apps", "ReplicaSet"), ("", "Pod"), ("batch", "Job"), ("", "PersistentVolumeClaim"))
_OWNERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job", "ReplicationController"})


async def read_objects(session: Session, entries: Sequence[InventoryEntry]) -> dict[ObjectRef, Manifest | TrueupError]:
    """Each object as it is now; missing ones are left out, and what may not be read is its refusal."""
    bound = asyncio.Semaphore(IN_FLIGHT)

    async def read(entry: InventoryEntry) -> Manifest | TrueupError | None:
        async with bound:
            try:
                return await session.get(entry.ref, entry.version)
            except KindNotServed:
                return None
            except ApiError as error:
                return error

    answers = await asyncio.gather(*(read(entry) for entry in entries))
    return {entry.ref: answer for entry, answer in zip(entries, answers, strict=True) if answer is not None}


async def read_children(session: Session, objects: Iterable[Manifest]) -> dict[str, list[Manifest]]:
    """What is owned, by the owner's uid, in the namespaces of workloads; whatever may not be listed is left out."""
    namespaces = sorted({ref.namespace for obj in objects if (ref := ref_of(obj)).kind in _OWNERS and ref.namespace})

    async def listed(group: str, kind: str, namespace: str) -> list[Manifest]:
        try:
            resource = await session.client.discovery.resource(group, "", kind)
            return await session.client.list_all(resource, namespace)
        except (ApiError, KindNotServed):
            return []

    lists = await asyncio.gather(
        *(listed(group, kind, namespace) for namespace in namespaces for group, kind in CHILD_KINDS)
    )
    owned: dict[str, list[Manifest]] = defaultdict(list)
    for obj in (obj for items in lists for obj in items):
        for owner in rows_of(metadata_of(obj).get("ownerReferences")):
            if owner.get("controller"):
                owned[str(owner.get("uid"))].append(obj)
    return owned


async def read_tree(session: Session, found: Found, now: datetime) -> tuple[Node, ...]:
    """The App's objects and their descendants, in the order of the inventory."""
    dialect = found.kind.dialect
    inventory = dialect.stored_inventory(found.obj)
    async with at_cluster_of(session, found) as there:
        objects = await read_objects(there, inventory.entries)
        live = [obj for obj in objects.values() if isinstance(obj, dict)]
        owned = await read_children(there, live)
    return build_nodes(inventory.entries, objects, owned, known_syncs(found.obj, dialect, now), now)
