"""The tree of an App: its objects, and what hangs below them by owner references, each with health and sync. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from trueup.apps.status import Status
from trueup.apps.views import view_app
from trueup.dialects.dialect import Dialect
from trueup.dialects.reading import rows_of
from trueup.model.errors import TrueupError
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest, api_version_of, ref_of, spec_of, status_of, uid_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.sync.health import judge


class Node(Struct, frozen=True, kw_only=True):
    """One object of a tree. `sync` is Synced, OutOfSync or Unknown; empty below the managed objects."""

    ref: ObjectRef
    version: str
    verdict: Verdict
    sync: str = ""
    children: tuple[Node, ...] = ()


def known_syncs(obj: Manifest, dialect: Dialect, now: datetime) -> tuple[dict[ObjectRef, str], str]:
    """What the App's status says of each object's sync, and what holds for the others.

    Argo CD compares object by object. A Kustomization that is ready and not behind has applied them all, and drift is
    healed as it comes; otherwise nothing is known of the single object.
    """
    known: dict[ObjectRef, str] = {}
    for row in rows_of(status_of(obj).get("resources")):
        ref = ObjectRef(
            str(row.get("group") or ""),
            str(row.get("kind") or ""),
            str(row.get("namespace") or ""),
            str(row.get("name") or ""),
        )
        known[ref] = str(row.get("status") or "Unknown")
    view = view_app(obj, dialect, now)
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
