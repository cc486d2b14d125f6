"""How many replicas each ReplicaSet gets: the arithmetic of rolling updates, recreates and resized rollouts. Pure.

Every function answers the new sizes by ReplicaSet name, only of those that change.
"""

from __future__ import annotations

from typing import TypeAlias

from trueup.embedded.workloads.clock import read_time_or_epoch
from trueup.embedded.workloads.deployments.state import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    State,
    annotated,
    is_rolling,
    max_surge,
    max_unavailable,
    replicas_of,
    status_total,
    wanted_total,
)
from trueup.embedded.workloads.objects import count_of
from trueup.model.manifest import Manifest, metadata_of, name_of

Sizes: TypeAlias = dict[str, int]


def new_size(state: State, current: int) -> int:
    """The size that the new ReplicaSet, which has `current` replicas, may have now."""
    wanted = replicas_of(state.deployment)
    if not is_rolling(state.deployment):
        return wanted
    total = wanted_total(state.old) + current
    room = wanted + max_surge(state.deployment) - total
    return current if room <= 0 else current + min(room, wanted - current)


def grow_new(state: State) -> Sizes:
    """The next step up of the new ReplicaSet (or down, when the Deployment shrank)."""
    assert state.new is not None
    current, wanted = replicas_of(state.new), replicas_of(state.deployment)
    size = wanted if current > wanted else new_size(state, current)
    return {name_of(state.new): size} if size != current else {}


def shrink_old(state: State) -> Sizes:
    """The next step down of the old ReplicaSets: pods that do not work first, then as availability allows."""
    assert state.new is not None
    old = state.active_old
    if not old:
        return {}
    least = replicas_of(state.deployment) - max_unavailable(state.deployment)
    new_missing = replicas_of(state.new) - count_of(state.new, "status", "availableReplicas")
    spare = wanted_total(state.all) - least - new_missing
    if spare <= 0:
        return {}
    sizes: Sizes = {}
    for each in old:
        broken = replicas_of(each) - count_of(each, "status", "availableReplicas")
        if spare > 0 and broken > 0:
            taken = min(spare, broken)
            sizes[name_of(each)] = replicas_of(each) - taken
            spare -= taken
    surplus = status_total(state.all, "availableReplicas") - least
    for each in old:
        size = sizes.get(name_of(each), replicas_of(each))
        if surplus > 0 and size > 0:
            taken = min(size, surplus)
            sizes[name_of(each)] = size - taken
            surplus -= taken
    return sizes


def stop_old(state: State) -> Sizes:
    """A recreate ends every old pod before there is a new one."""
    return {name_of(each): 0 for each in state.active_old}


def is_resized(state: State) -> bool:
    """Whether `replicas` changed since the active ReplicaSets were last sized."""
    wanted = replicas_of(state.deployment)
    sizes = (annotated(each, DESIRED_REPLICAS) for each in state.all if replicas_of(each) > 0)
    return any(size is not None and size != wanted for size in sizes)


def resize(state: State) -> Sizes | None:
    """Sizes after `replicas` changed: all to the one that counts, or shared in proportion while a rollout is under way.
    Answers the size of every ReplicaSet that it speaks of, changed or not, for its annotations change anyway."""
    deployment, wanted = state.deployment, replicas_of(state.deployment)
    active = [each for each in state.all if replicas_of(each) > 0]
    if len(active) <= 1:
        chosen = active[0] if active else state.new if state.new is not None else next(reversed(state.old), None)
        return {name_of(chosen): wanted} if chosen is not None and replicas_of(chosen) != wanted else {}
    if state.new is not None and _is_saturated(deployment, state.new):
        return {name_of(each): 0 for each in state.active_old}
    return _share(deployment, active) if is_rolling(deployment) else {}


def _is_saturated(deployment: Manifest, replica_set: Manifest) -> bool:
    wanted = replicas_of(deployment)
    return (
        replicas_of(replica_set) == wanted
        and annotated(replica_set, DESIRED_REPLICAS) == wanted
        and count_of(replica_set, "status", "availableReplicas") == wanted
    )


def _share(deployment: Manifest, active: list[Manifest]) -> Sizes:
    wanted = replicas_of(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    missing = allowed - wanted_total(active)
    # The largest take or give first; among equals the newer grows and the older shrinks.
    active = sorted(active, key=lambda each: read_time_or_epoch(metadata_of(each).get("creationTimestamp")))
    if missing > 0:
        active.reverse()
    active.sort(key=replicas_of, reverse=True)
    sizes: Sizes = {}
    given = 0
    for each in active:
        part = _part(deployment, each, missing, given)
        sizes[name_of(each)] = replicas_of(each) + part
        given += part
    if missing and active:
        first = name_of(active[0])
        sizes[first] = max(sizes[first] + missing - given, 0)
    return sizes


def _part(deployment: Manifest, replica_set: Manifest, missing: int, given: int) -> int:
    size, wanted = replicas_of(replica_set), replicas_of(deployment)
    if not size or not missing or missing == given:
        return 0
    if wanted == 0:
        fraction = -size
    else:
        most = wanted + max_surge(deployment)
        before = annotated(replica_set, MAX_REPLICAS) or count_of(deployment, "status", "replicas") or most
        fraction = int(size * most / before + 0.5) - size
    return min(fraction, missing - given) if missing > 0 else max(fraction, missing - given)
