"""A live tree as clients get it: one row per object, with its parent's id, and what a list or a graph shows of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from trueup.apps.livetree import LiveNode
from trueup.model.health import Health, Kstatus
from trueup.model.refs import ObjectRef

_WORD = {
    Kstatus.CURRENT: "",
    Kstatus.IN_PROGRESS: "Progressing",
    Kstatus.FAILED: "Degraded",
    Kstatus.TERMINATING: "Terminating",
    Kstatus.NOT_FOUND: "Missing",
    Kstatus.UNKNOWN: "Unknown",
}


class TreeRow(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """`id` is `KIND.GROUP/NAMESPACE/NAME`, `parent` that of the owner in this tree. `health` is Argo CD's word, or what kstatus
    finds where it has none; empty: well, of a kind of which nobody says more. `note`: the fact to see first, such as `2/3`.
    `targets` are ids: where traffic goes from here, or what an autoscaler scales. `host` is the node that a pod runs on.
    """

    id: str
    parent: str | None
    group: str
    version: str
    kind: str
    namespace: str
    name: str
    managed: bool
    sync: str
    health: str
    kstatus: str
    message: str
    rule: str
    note: str
    deleting: bool
    uid: str
    resource_version: str
    created: datetime | None
    images: tuple[str, ...]
    ready: int | None
    wanted: int | None
    phase: str
    reason: str
    restarts: int
    host: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    targets: tuple[str, ...]


def row_of(node: LiveNode, parent: ObjectRef | None) -> TreeRow:
    ref, sight = node.ref, node.sight
    return TreeRow(
        id=ref.qualified,
        parent=parent.qualified if parent is not None else None,
        group=ref.group,
        version=node.version,
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        managed=node.managed,
        sync=node.sync,
        health=health_word(node),
        kstatus=str(node.kstatus),
        message=node.message if not _is_well(node) else "",
        rule=node.rule,
        note=_note(node),
        deleting=node.deleting,
        uid=node.uid,
        resource_version=node.resource_version,
        created=sight.created,
        images=sight.images,
        ready=sight.ready,
        wanted=sight.wanted,
        phase=sight.phase,
        reason=sight.reason,
        restarts=sight.restarts,
        host=sight.node,
        hosts=sight.hosts,
        addresses=sight.addresses,
        targets=tuple(target.qualified for target in sight.targets),
    )


def is_history(node: LiveNode) -> bool:
    """What earlier rollouts left behind: ReplicaSets without a pod, revisions of StatefulSets and DaemonSets."""
    if node.managed or node.ref.group != "apps":
        return False
    scaled_down = node.sight.wanted == 0 and not node.sight.ready
    return node.ref.kind == "ControllerRevision" or (node.ref.kind == "ReplicaSet" and scaled_down)


def health_word(node: LiveNode) -> str:
    """As `trueup tree` has it: Argo CD's word, unless that finds nothing amiss where kstatus does."""
    if node.health is not None and (node.health is not Health.HEALTHY or node.kstatus is Kstatus.CURRENT):
        return str(node.health)
    return _WORD[node.kstatus]


def parents_first(nodes: Iterable[LiveNode]) -> list[LiveNode]:
    """By depth, and by name within; objects that own each other come last."""
    nodes = sorted(nodes, key=lambda node: (not node.managed, node.ref))
    uids = {node.uid for node in nodes if node.uid}
    placed: set[str] = set()
    done: list[LiveNode] = []
    while nodes:
        ready: list[LiveNode] = []
        waiting: list[LiveNode] = []
        for node in nodes:
            waits = not node.managed and any(o in uids and o not in placed and o != node.uid for o in node.sight.owners)
            (waiting if waits else ready).append(node)
        if not ready:
            return done + waiting
        placed.update(node.uid for node in ready)
        done += ready
        nodes = waiting
    return done


def _is_well(node: LiveNode) -> bool:
    return node.kstatus is Kstatus.CURRENT and node.health in (None, Health.HEALTHY)


def _note(node: LiveNode) -> str:
    """The same in every language."""
    sight = node.sight
    if node.ref.kind == "Pod" and not node.ref.group:
        again = f" ↻{sight.restarts}" if sight.restarts else ""
        return f"{sight.reason or sight.phase}{again}"
    if sight.wanted is not None and node.ref.kind != "HorizontalPodAutoscaler":
        return f"{sight.ready or 0}/{sight.wanted}"
    return (sight.hosts or sight.addresses or (sight.phase,))[0]
