"""A live tree as clients get it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.apps.livetree import LiveNode
from trueup.model.health import Health, Kstatus
from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.server.world.treerows import health_word, is_history, parents_first, row_of

WEB = ObjectRef("apps", "Deployment", "shop", "web")
SET = ObjectRef("apps", "ReplicaSet", "shop", "web-1")
POD = ObjectRef("", "Pod", "shop", "web-1-a")


def node(ref: ObjectRef, *owners: str, sight: dict[str, Any] | None = None, **parts: Any) -> LiveNode:
    return LiveNode(ref=ref, version="v1", uid=ref.name, sight=Sight(owners=owners, **(sight or {})), **parts)


def test_a_row_names_itself_and_its_owner_so_that_two_groups_may_share_a_kind() -> None:
    row = row_of(node(SET, "web"), WEB)
    assert (row.id, row.parent) == ("ReplicaSet.apps/shop/web-1", "Deployment.apps/shop/web")
    assert row_of(node(ObjectRef("", "Namespace", "", "shop")), None).id == "Namespace/shop"


@pytest.mark.parametrize(
    ("kstatus", "health", "word"),
    [
        (Kstatus.CURRENT, Health.HEALTHY, "Healthy"),
        (Kstatus.CURRENT, None, ""),
        (Kstatus.IN_PROGRESS, Health.HEALTHY, "Progressing"),
        (Kstatus.IN_PROGRESS, Health.DEGRADED, "Degraded"),
        (Kstatus.FAILED, None, "Degraded"),
        (Kstatus.TERMINATING, Health.HEALTHY, "Terminating"),
        (Kstatus.NOT_FOUND, Health.MISSING, "Missing"),
        (Kstatus.UNKNOWN, None, "Unknown"),
    ],
)
def test_the_word_is_argos_unless_kstatus_finds_something_amiss(
    kstatus: Kstatus, health: Health | None, word: str
) -> None:
    assert health_word(node(WEB, kstatus=kstatus, health=health)) == word


@pytest.mark.parametrize(
    ("ref", "sight", "note"),
    [
        (WEB, {"ready": 2, "wanted": 3}, "2/3"),
        (POD, {"phase": "Running", "wanted": 1, "ready": 1}, "Running"),
        (POD, {"phase": "Running", "reason": "CrashLoopBackOff", "restarts": 7}, "CrashLoopBackOff ↻7"),
        (ObjectRef("", "Service", "shop", "web"), {"addresses": ("10.0.0.1",), "phase": "ClusterIP"}, "10.0.0.1"),
        (ObjectRef("networking.k8s.io", "Ingress", "shop", "web"), {"hosts": ("a.example.com",)}, "a.example.com"),
        (ObjectRef("", "ConfigMap", "shop", "web"), {}, ""),
    ],
)
def test_the_note_is_the_fact_to_see_first(ref: ObjectRef, sight: dict[str, Any], note: str) -> None:
    assert row_of(node(ref, sight=sight), None).note == note


def test_what_is_well_has_no_message() -> None:
    well = node(WEB, kstatus=Kstatus.CURRENT, health=Health.HEALTHY, message="Deployment is available")
    assert row_of(well, None).message == ""
    assert row_of(node(WEB, kstatus=Kstatus.IN_PROGRESS, message="1 of 2"), None).message == "1 of 2"


def test_earlier_rollouts_are_history_and_what_git_declares_never_is() -> None:
    old = {"ready": 0, "wanted": 0}
    assert is_history(node(SET, "web", sight=old))
    assert not is_history(node(SET, "web", sight={"ready": 0, "wanted": 1}))
    assert not is_history(node(SET, sight=old, managed=True))
    assert is_history(node(ObjectRef("apps", "ControllerRevision", "shop", "db-1"), "db"))


def test_parents_come_before_what_they_own() -> None:
    nodes = [node(POD, "web-1"), node(SET, "web"), node(WEB, managed=True)]
    assert [one.ref for one in parents_first(nodes)] == [WEB, SET, POD]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefxy"), max_size=3)), max_size=8))
def test_no_node_is_lost_by_its_place_whatever_owns_what(edges: list[tuple[str, list[str]]]) -> None:
    nodes = {name: node(ObjectRef("x", "Thing", "shop", name), *owners) for name, owners in edges}
    placed = parents_first(nodes.values())
    assert sorted(one.ref for one in placed) == sorted(one.ref for one in nodes.values())
