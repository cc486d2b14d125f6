"""The objects of an App as they are now, and what hangs below them by owner references."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from trueup.cli.session import Found, Session
from trueup.cli.views import view_app
from trueup.cli.words import Status
from trueup.dialects.reading import rows_of
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest, api_version_of, metadata_of, ref_of, spec_of, status_of, uid_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.sync.health import judge

IN_FLIGHT = 16
CHILD_KINDS = (("apps", "ReplicaSet"), ("", "Pod"), ("batch", "Job"), ("", "PersistentVolumeClaim"))
_OWNERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job", "ReplicationController"})


class Node(Struct, frozen=True, kw_only=True):
    """One object of a tree. `sync` is Synced, OutOfSync or Unknown; empty below the managed objects."""

    ref: ObjectRef
    version: str
    verdict: Verdict
    sync: str = ""
    children: tuple[Node, ...] = ()


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
    objects = await read_objects(session, inventory.entries)
    live = [obj for obj in objects.values() if isinstance(obj, dict)]
    owned = await read_children(session, live)
    return build_nodes(inventory.entries, objects, owned, known_syncs(found, now), now)


def known_syncs(found: Found, now: datetime) -> tuple[dict[ObjectRef, str], str]:
    """What the App's status says of each object's sync, and what holds for the others.

    Argo CD compares object by object. A Kustomization that is ready and not behind has applied them all, and drift is
    healed as it comes; otherwise nothing is known of the single object.
    """
    known: dict[ObjectRef, str] = {}
    for row in rows_of(status_of(found.obj).get("resources")):
        ref = ObjectRef(
            str(row.get("group") or ""),
            str(row.get("kind") or ""),
            str(row.get("namespace") or ""),
            str(row.get("name") or ""),
        )
        known[ref] = str(row.get("status") or "Unknown")
    view = view_app(found.obj, found.kind.dialect, now)
    return known, "Synced" if view.status is Status.READY and view.sync == "Synced" else "Unknown"


def build_nodes(
    entries: Iterable[InventoryEntry],
    objects: Mapping[ObjectRef, Manifest | TrueupError],
    owned: Mapping[str, Sequence[Manifest]],
    syncs: tuple[Mapping[ObjectRef, str], str],
    now: datetime,
) -> tuple[Node, ...]:
    """Pure. A missing object is OutOfSync whatever was known; one that may not be read says so."""
    known, otherwise = syncs
    nodes: list[Node] = []
    for entry in entries:
        obj = objects.get(entry.ref)
        if isinstance(obj, TrueupError):
            verdict = Verdict(kstatus=Kstatus.UNKNOWN, health=Health.UNKNOWN, message=obj.message, rule="refused")
            nodes.append(Node(ref=entry.ref, version=entry.version, verdict=verdict, sync="Unknown"))
            continue
        nodes.append(
            Node(
                ref=entry.ref,
                version=entry.version,
                verdict=judge(obj, now),
                sync="OutOfSync" if obj is None else known.get(entry.ref, otherwise),
                children=() if obj is None else _children(obj, owned, now),
            )
        )
    return tuple(nodes)


def _children(obj: Manifest, owned: Mapping[str, Sequence[Manifest]], now: datetime) -> tuple[Node, ...]:
    nodes = [
        Node(
            ref=ref_of(child),
            version=split_api_version(api_version_of(child))[1],
            verdict=judge(child, now),
            children=_children(child, owned, now),
        )
        for child in owned.get(uid_of(obj), ())
        if not _is_history(child)
    ]
    return tuple(sorted(nodes, key=lambda node: node.ref))


def _is_history(obj: Manifest) -> bool:
    """A ReplicaSet of an earlier rollout, scaled to nothing."""
    return ref_of(obj).kind == "ReplicaSet" and spec_of(obj).get("replicas") == 0 and not status_of(obj).get("replicas")


def all_refs(nodes: Iterable[Node]) -> set[ObjectRef]:
    """Every object of a tree."""
    return {ref for node in nodes for ref in ({node.ref} | all_refs(node.children))}
