"""A Deployment and its ReplicaSets as one value, and the numbers that every step of a rollout asks for. Pure.

Facts: the Deployment API (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/) and the annotations under
`deployment.kubernetes.io/` that the real controller keeps its books in.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from trueup.embedded.workloads.clock import read_time_or_epoch
from trueup.embedded.workloads.objects import count_of, dig, resolve
from trueup.embedded.workloads.templates import same_template
from trueup.model.manifest import Manifest, annotations_of, is_deleting, metadata_of, name_of, spec_of, uid_of

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
NO_DEADLINE = 2**31 - 1


class State(Struct, frozen=True):
    """`deployment` and every ReplicaSet that it controls, oldest first; `new` has the current template."""

    deployment: Manifest
    new: Manifest | None
    old: tuple[Manifest, ...]

    @property
    def all(self) -> tuple[Manifest, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def active_old(self) -> tuple[Manifest, ...]:
        return tuple(each for each in self.old if replicas_of(each) > 0)


def state_of(deployment: Manifest, replica_sets: Iterable[Manifest]) -> State:
    """Sorts the ReplicaSets into the new one (the oldest with the current template) and the others."""
    ordered = sorted(replica_sets, key=_age)
    template = spec_of(deployment).get("template")
    new = next((each for each in ordered if same_template(spec_of(each).get("template"), template)), None)
    return State(deployment, new, tuple(each for each in ordered if each is not new))


def _age(replica_set: Manifest) -> tuple[object, str]:
    return read_time_or_epoch(metadata_of(replica_set).get("creationTimestamp")), name_of(replica_set)


def replicas_of(obj: Manifest) -> int:
    """`spec.replicas`, which is 1 when it is not written."""
    return count_of(obj, "spec", "replicas", default=1)


def wanted_total(replica_sets: Iterable[Manifest]) -> int:
    return sum(replicas_of(each) for each in replica_sets)


def status_total(replica_sets: Iterable[Manifest], field: str) -> int:
    """The sum of one number of their statuses."""
    return sum(count_of(each, "status", field) for each in replica_sets)


def is_rolling(deployment: Manifest) -> bool:
    return dig(deployment, "spec", "strategy", "type") in (None, "", "RollingUpdate")


def max_surge(deployment: Manifest) -> int:
    """Pods that a rollout may have above `replicas`."""
    return _fences(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Manifest) -> int:
    """Pods that a rollout may lack."""
    wanted = replicas_of(deployment)
    return min(_fences(deployment)[1], wanted) if is_rolling(deployment) and wanted else 0


def _fences(deployment: Manifest) -> tuple[int, int]:
    """Surge is rounded up and unavailability down; were both 0, no rollout could move, so one pod may be missing."""
    rolling, wanted = dig(deployment, "spec", "strategy", "rollingUpdate"), replicas_of(deployment)
    surge = resolve(dig(rolling, "maxSurge"), wanted, up=True, default="25%")
    unavailable = resolve(dig(rolling, "maxUnavailable"), wanted, up=False, default="25%")
    return (surge, unavailable) if surge or unavailable else (0, 1)


def deadline_of(deployment: Manifest) -> int | None:
    """`progressDeadlineSeconds`; None when the rollout may take for ever."""
    found = dig(deployment, "spec", "progressDeadlineSeconds")
    return found if isinstance(found, int) and found != NO_DEADLINE else None


def revision_of(obj: Manifest) -> int:
    """The revision that an annotation numbers; 0 without one."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def annotated(obj: Manifest, name: str) -> int | None:
    """A number that an annotation holds."""
    text = annotations_of(obj).get(name, "")
    return int(text) if text.isdigit() else None


def is_removable(replica_set: Manifest) -> bool:
    """Whether an old ReplicaSet holds nothing and nobody works on it."""
    observed = count_of(replica_set, "status", "observedGeneration")
    return (
        replicas_of(replica_set) == 0
        and count_of(replica_set, "status", "replicas") == 0
        and count_of(replica_set, "metadata", "generation") <= observed
        and not is_deleting(replica_set)
        and bool(uid_of(replica_set))
    )
