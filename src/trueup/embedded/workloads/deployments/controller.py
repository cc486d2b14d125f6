"""The Deployment controller: what a look gathers, and who takes over ReplicaSets that lost or changed their owner."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.adoption import adopted, adopters, is_claimed, released
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.deployments import reconcile
from trueup.embedded.workloads.deployments.state import is_rolling, state_of
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from trueup.embedded.workloads.objects import controller_of
from trueup.embedded.workloads.podstate import ENDED, phase_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Work, Write
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, is_deleting, name_of, namespace_of, uid_of


def decide(view: View, key: Key) -> Work:
    deployment = view.get(DEPLOYMENTS, *key)
    if deployment is None:
        return NOTHING
    mine = list(view.owned_by(REPLICA_SETS, uid_of(deployment)))
    claims = adopted(REPLICA_SETS, deployment, view.without_controller(REPLICA_SETS, key.namespace))
    claims += released(REPLICA_SETS, deployment, mine)
    if claims:
        return Work(claims)
    mine = [each for each in mine if is_claimed(deployment, each)]
    return reconcile.reconcile(deployment, mine, _old_pods(view, deployment, mine), view.now)


def _old_pods(view: View, deployment: Manifest, mine: list[Manifest]) -> list[Manifest]:
    if is_rolling(deployment):
        return []
    old = state_of(deployment, mine).old
    return [pod for each in old for pod in view.owned_by(PODS, uid_of(each))]


def refused(view: View, key: Key, write: Write, error: ApiError) -> Work:
    deployment = view.get(DEPLOYMENTS, *key)
    if deployment is None or not isinstance(write, Create):
        return NOTHING
    if error.reason == "AlreadyExists":
        taken = view.get(REPLICA_SETS, namespace_of(write.manifest), name_of(write.manifest))
        foreign = taken is not None and not is_claimed(deployment, taken)
        return reconcile.next_collision(deployment) if foreign else NOTHING
    return reconcile.failed_create(deployment, name_of(write.manifest), error.message, view.now)


def _recreating(view: View, happened: Happened) -> Iterable[Key]:
    """A recreate waits for the end of old pods, which no ReplicaSet's status tells."""
    if happened.new is not None and not is_deleting(happened.new) and phase_of(happened.new) not in ENDED:
        return
    for key in _REPLICA_SET_OF(view, happened):
        replica_set = view.get(REPLICA_SETS, *key)
        owner = controller_of(replica_set) if replica_set else None
        if owner is not None and owner.get("kind") == "Deployment":
            yield Key(key.namespace, str(owner.get("name")))


_REPLICA_SET_OF = its_controller("apps", "ReplicaSet")

CONTROLLER = Controller(
    name="deployments",
    decide=decide,
    refused=refused,
    triggers=(
        Trigger(DEPLOYMENTS, itself),
        Trigger(REPLICA_SETS, its_controller("apps", "Deployment")),
        Trigger(REPLICA_SETS, adopters(DEPLOYMENTS)),
        Trigger(PODS, _recreating),
    ),
)
