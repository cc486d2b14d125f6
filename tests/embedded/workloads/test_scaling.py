"""The arithmetic of rollouts, on plain data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.embedded.workloads.deployments.scaling import grow_new, is_resized, resize, shrink_old
from trueup.embedded.workloads.deployments.state import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    max_surge,
    max_unavailable,
    state_of,
    status_total,
    wanted_total,
)
from trueup.model.manifest import Manifest

OLD, NEW = {"spec": {"containers": [{"image": "1"}]}}, {"spec": {"containers": [{"image": "2"}]}}


def deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> Manifest:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "strategy": strategy, "template": NEW}}


def replica_set(name: str, template: Any, replicas: int, available: int, sized_for: int = 0, most: int = 0) -> Manifest:
    annotations = {DESIRED_REPLICAS: str(sized_for), MAX_REPLICAS: str(most)} if sized_for else {}
    return {
        "metadata": {"name": name, "uid": name, "annotations": annotations},
        "spec": {"replicas": replicas, "template": template},
        "status": {"availableReplicas": available, "replicas": replicas},
    }


FENCES = [
    (10, "25%", "25%", 3, 2),
    (1, "25%", "25%", 1, 0),
    (4, 0, 1, 0, 1),
    (3, 0, "10%", 0, 1),  # both come out as 0, so one may be missing
    (5, "100%", 9, 5, 5),
    (0, "25%", "25%", 0, 0),
]


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "more", "fewer"), FENCES)
def test_surge_rounds_up_and_unavailability_down(
    replicas: int, surge: int | str, unavailable: int | str, more: int, fewer: int
) -> None:
    found = deployment(replicas, surge, unavailable)
    assert (max_surge(found), max_unavailable(found)) == (more, fewer)


def test_old_pods_that_do_not_work_go_first() -> None:
    old = [replica_set("a", OLD, 5, 5), replica_set("b", {"spec": {}}, 5, 0)]
    state = state_of(deployment(10, 0, 3), [*old, replica_set("n", NEW, 0, 0)])
    # Only 5 of 10 work, though 7 should: those that do not may all go without making it worse, within what may be missing.
    assert shrink_old(state) == {"b": 2}


def test_a_resized_rollout_keeps_its_proportions() -> None:
    sets = [replica_set("o", OLD, 8, 8, 10, 12), replica_set("n", NEW, 4, 0, 10, 12)]
    state = state_of(deployment(20, 2, 2), sets)
    assert is_resized(state)
    assert resize(state) == {"o": 15, "n": 7}


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 30),
    surge=st.one_of(st.integers(0, 10), st.sampled_from(["0%", "10%", "25%", "100%"])),
    unavailable=st.one_of(st.integers(0, 10), st.sampled_from(["0%", "10%", "25%", "100%"])),
    pace=st.lists(st.integers(0, 4), min_size=1, max_size=20),
)
def test_a_rollout_ends_and_keeps_its_promises_on_the_way(
    replicas: int, surge: int | str, unavailable: int | str, pace: list[int]
) -> None:
    wanted = deployment(replicas, surge, unavailable)
    sizes, ready = {"o": replicas, "n": 0}, {"o": replicas, "n": 0}
    for step in range(600):
        sets = [replica_set("o", OLD, sizes["o"], ready["o"]), replica_set("n", NEW, sizes["n"], ready["n"])]
        state = state_of(wanted, sets)
        assert wanted_total(state.all) <= replicas + max_surge(wanted)
        assert status_total(state.all, "availableReplicas") >= replicas - max_unavailable(wanted)
        changes = grow_new(state) or shrink_old(state)
        sizes |= changes
        ready["o"] = min(ready["o"], sizes["o"])
        if not changes:
            ready["n"] = min(sizes["n"], ready["n"] + (pace[step % len(pace)] or (step % 5 == 0)))
        if sizes == {"o": 0, "n": replicas} and ready["n"] == replicas:
            return
    raise AssertionError(f"the rollout never ended: {sizes}, {ready}")
