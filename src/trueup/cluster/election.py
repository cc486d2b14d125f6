"""Who may hold a Lease, as client-go decides it: pure. Times of other machines are never compared with ours.

A holder is judged by when *we* last saw its record change, on a clock that only goes forward.
https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime

from msgspec import Struct

from trueup.model.manifest import Manifest, resource_version_of, spec_of


class LeaseTiming(Struct, frozen=True, kw_only=True):
    """Seconds. Others may take the Lease `duration` after its last renewal; we stop writing `margin` before that."""

    duration: float = 30.0
    renew_every: float = 10.0
    retry_every: float = 2.0
    look_every: float = 5.0
    margin: float = 5.0


class Observation(Struct, frozen=True):
    """A Lease as served, and when we first saw it in that state."""

    lease: Manifest
    since: float

    @property
    def holder(self) -> str:
        return holder_of(self.lease)


def holder_of(lease: Manifest) -> str:
    return str(spec_of(lease).get("holderIdentity") or "")


def observe(lease: Manifest, last: Observation | None, *, now: float) -> Observation:
    """A record that has not changed keeps the time at which we first saw it."""
    if last is not None and _state(last.lease) == _state(lease):
        return Observation(lease, last.since)
    return Observation(lease, now)


def _state(lease: Manifest) -> tuple[object, ...]:
    spec = spec_of(lease)
    return (
        *(spec.get(key) for key in ("holderIdentity", "renewTime", "acquireTime", "leaseTransitions")),
        resource_version_of(lease),
    )


def seconds_until_free(observation: Observation, identity: str, *, now: float, default_duration: float) -> float:
    """Zero or less: we may take it. It is free when released, when ours, or when its holder has been silent for its duration."""
    if observation.holder in ("", identity):
        return 0.0
    duration = spec_of(observation.lease).get("leaseDurationSeconds")
    seconds = float(duration) if isinstance(duration, (int, float)) and duration > 0 else default_duration
    return observation.since + seconds - now


def new_lease(name: str, namespace: str, identity: str, timing: LeaseTiming, *, wall: datetime) -> Manifest:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _spec({}, identity, timing, wall=wall, acquired=True, transitions=0),
    }


def taken(lease: Manifest, identity: str, timing: LeaseTiming, *, wall: datetime) -> Manifest:
    """The Lease with us as its holder: taken over, or renewed when it was ours."""
    spec = spec_of(lease)
    is_ours = spec.get("holderIdentity") == identity
    before = spec.get("leaseTransitions")
    transitions = (before if isinstance(before, int) else 0) + (0 if is_ours else 1)
    changed = copy.deepcopy(lease)
    changed["spec"] = _spec(dict(spec), identity, timing, wall=wall, acquired=not is_ours, transitions=transitions)
    return changed


def released(lease: Manifest, *, wall: datetime) -> Manifest:
    """The Lease without a holder, so that the next one need not wait."""
    changed = copy.deepcopy(lease)
    changed["spec"] = {
        **spec_of(lease),
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "renewTime": micro_time(wall),
    }
    return changed


def _spec(
    spec: Manifest, identity: str, timing: LeaseTiming, *, wall: datetime, acquired: bool, transitions: int
) -> Manifest:
    spec["holderIdentity"] = identity
    spec["leaseDurationSeconds"] = int(timing.duration)
    spec["renewTime"] = micro_time(wall)
    spec["leaseTransitions"] = transitions
    if acquired:
        spec["acquireTime"] = micro_time(wall)
    return spec


def micro_time(moment: datetime) -> str:
    """`metav1.MicroTime`: six digits and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
