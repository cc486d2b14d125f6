"""One look at one Deployment: ReplicaSets first, and when they need nothing, the status. Pure.

Writing a ReplicaSet brings another look by its event, so a look does one thing; a Deployment that changes costs one write
per ReplicaSet that changes and one status.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.deployments import scaling, status
from trueup.embedded.workloads.deployments.revisions import kept_books, new_replica_set, size_annotations
from trueup.embedded.workloads.deployments.scaling import Sizes
from trueup.embedded.workloads.deployments.state import (
    State,
    is_removable,
    is_rolling,
    replicas_of,
    revision_of,
    state_of,
)
from trueup.embedded.workloads.kinds import DEPLOYMENTS, REPLICA_SETS
from trueup.embedded.workloads.objects import count_of, dig
from trueup.embedded.workloads.podstate import ENDED, phase_of
from trueup.embedded.workloads.writes import Create, Say, Update, Work, Write, delete_of
from trueup.model.manifest import Manifest, annotations_of, is_deleting, name_of, spec_of, status_of

COMPONENT = "deployment-controller"


def reconcile(
    deployment: Manifest, replica_sets: Sequence[Manifest], old_pods: Sequence[Manifest], now: datetime
) -> Work:
    """`replica_sets` are those that the Deployment controls; `old_pods` the pods of those that have not its template,
    and matter to a recreate only."""
    state = state_of(deployment, replica_sets)
    if is_deleting(deployment):
        return _report(state, now, is_rolling_out=False)
    if state.new is not None and (kept := kept_books(state)) is not None:
        return Work((Update(REPLICA_SETS, kept),))
    is_paused = bool(spec_of(deployment).get("paused"))
    if is_paused or scaling.is_resized(state):
        if changes := _scale(state, scaling.resize(state) or {}, resized=True):
            return Work(changes)
        if is_paused:
            return _report(state, now, _cleanup(state), is_rolling_out=False)
    changes = _roll(state) if is_rolling(deployment) else _recreate(state, old_pods)
    if changes:
        return Work(changes)
    done = _cleanup(state) if status.is_complete(deployment, dict(status_of(deployment))) else ()
    return _report(state, now, done, is_rolling_out=True)


def _roll(state: State) -> tuple[Write, ...]:
    if state.new is None:
        return _create(state)
    return _scale(state, scaling.grow_new(state) or scaling.shrink_old(state))


def _recreate(state: State, old_pods: Sequence[Manifest]) -> tuple[Write, ...]:
    if changes := _scale(state, scaling.stop_old(state)):
        return changes
    if any(phase_of(pod) not in ENDED for pod in old_pods):
        return ()
    if state.new is None:
        return _create(state)
    return _scale(state, scaling.grow_new(state))


def _create(state: State) -> tuple[Write, ...]:
    size = scaling.new_size(state, 0)
    made = new_replica_set(state, size)
    create = Create(REPLICA_SETS, made)
    return (create, _said(state, "up", name_of(made), 0, size)) if size else (create,)


def _scale(state: State, sizes: Sizes, *, resized: bool = False) -> tuple[Write, ...]:
    """Writes for ReplicaSets whose size, or whose memory of the Deployment's size, is not as it should be."""
    updates: list[Write] = []
    says: list[Write] = []
    wanted = size_annotations(state.deployment)
    for each in state.all:
        name, before = name_of(each), replicas_of(each)
        size = sizes.get(name, before)
        remembers = annotations_of(each)
        is_forgetful = (resized and before > 0) and any(remembers.get(key) != value for key, value in wanted.items())
        if size == before and not is_forgetful:
            continue
        metadata = {**each["metadata"], "annotations": {**remembers, **wanted}}
        updates.append(Update(REPLICA_SETS, {**each, "metadata": metadata, "spec": {**each["spec"], "replicas": size}}))
        if size != before:
            says.append(_said(state, "up" if size > before else "down", name, before, size))
    return (*updates, *says)


def _said(state: State, direction: str, name: str, before: int, after: int) -> Say:
    message = f"Scaled {direction} replica set {name} from {before} to {after}"
    return Say(state.deployment, "ScalingReplicaSet", message, COMPONENT)


def _cleanup(state: State) -> tuple[Write, ...]:
    """Old ReplicaSets beyond the history limit go, lowest revision first."""
    limit = dig(state.deployment, "spec", "revisionHistoryLimit")
    if not isinstance(limit, int):
        return ()
    kept = sorted((each for each in state.old if not is_deleting(each)), key=revision_of)
    surplus = kept[: max(len(kept) - limit, 0)]
    return tuple(delete_of(REPLICA_SETS, each) for each in surplus if is_removable(each))


def _report(state: State, now: datetime, first: tuple[Write, ...] = (), *, is_rolling_out: bool) -> Work:
    deployment, text = state.deployment, stamp(now)
    numbers = status.numbers_of(state)
    rows = status.paused_rows(deployment, status.rows_before(deployment), text)
    rows = status.found_rows(state, rows, text)
    rows = status.available_rows(state, rows, text)
    if is_rolling_out:
        rows = status.progress_rows(state, numbers, rows, now)
        rows = status.failure_rows(state, rows, text)
    revision = revision_of(state.new) if state.new is not None else 0
    writes = (*first, *status.status_writes(deployment, numbers, rows, revision))
    deadline = status.deadline_time(deployment, rows)
    # The deadline has passed only when a whole second more is over: times are kept in whole seconds.
    return Work(writes, deadline + timedelta(seconds=1) if deadline else None)


def failed_create(deployment: Manifest, name: str, error: str, now: datetime) -> Work:
    """The status after the API refused a new ReplicaSet."""
    message = f'Failed to create new replica set "{name}": {error}'
    said = status.condition(status.PROGRESSING, "False", status.FAILED_CREATE, message)
    rows = status.set_condition(status.rows_before(deployment), said, stamp(now))
    numbers = {key: value for key, value in status_of(deployment).items() if key != "conditions"}
    return Work(status.status_writes(deployment, numbers, rows, 0))


def next_collision(deployment: Manifest) -> Work:
    """Another hash for the template, after its name turned out to be taken by somebody else's ReplicaSet."""
    count = count_of(deployment, "status", "collisionCount") + 1
    return Work(
        (Update(DEPLOYMENTS, {**deployment, "status": {**status_of(deployment), "collisionCount": count}}, "status"),)
    )
