"""Which objects are in which App's tree, as events come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.controllers.trees.kit import OTHER, POD, SET, SETTINGS, SHOP, WEB, World, below
from trueup.controllers.trees.keeper import Change, Standing
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.refs import ObjectRef

CRASHES = Verdict(kstatus=Kstatus.IN_PROGRESS, health=Health.DEGRADED, message="back-off", rule="pod")


def grown() -> World:
    """A Deployment with a ReplicaSet with a pod, and a ConfigMap; everything is told."""
    world = World()
    world.put(WEB, "web")
    world.put(SETTINGS, "settings")
    world.manage(SHOP, WEB, SETTINGS)
    world.hang(SET, "set", "web")
    world.hang(POD, "pod", "set")
    world.keeper.take_news()
    return world


def told(changes: list[Change]) -> dict[str, set[str]]:
    return {
        "changed": {node.ref.name for change in changes for node in change.changed},
        "removed": {ref.name for change in changes for ref in change.removed},
    }


def test_a_tree_holds_what_is_managed_and_all_that_it_owns() -> None:
    nodes = {node.ref: node for node in grown().keeper.nodes(SHOP)}
    assert set(nodes) == {WEB, SETTINGS, SET, POD}
    assert (nodes[WEB].managed, nodes[WEB].sync, nodes[WEB].health) == (True, "Synced", Health.HEALTHY)
    assert (nodes[POD].managed, nodes[POD].sync, nodes[POD].sight.owners) == (False, "", ("set",))


def test_owned_objects_that_are_seen_before_their_owners_join_when_these_come() -> None:
    world = World()
    world.hang(POD, "pod", "set")
    world.hang(SET, "set", "web")
    world.manage(SHOP, WEB)
    assert world.refs() == {WEB}
    world.put(WEB, "web")
    assert world.refs() == {WEB, SET, POD}


def test_an_event_of_a_pod_is_one_node_of_news_and_looks_at_nothing_else() -> None:
    world = grown()
    world.looks = 0
    world.hang(POD, "pod", "set", version="2", verdict=CRASHES)
    (change,) = world.keeper.take_news()
    assert [(node.ref, node.health, node.message) for node in change.changed] == [(POD, Health.DEGRADED, "back-off")]
    assert world.looks == 0


def test_a_crowd_of_events_is_one_change_per_app() -> None:
    world = grown()
    for number in range(2, 50):
        world.hang(POD, "pod", "set", version=str(number))
        world.put(WEB, "web", str(number))
    changes = world.keeper.take_news()
    assert [change.app for change in changes] == [SHOP]
    assert [node.resource_version for node in changes[0].changed] == ["49", "49"]
    assert not world.keeper.has_news


def test_what_is_seen_again_as_it_was_is_no_news() -> None:
    world = grown()
    world.put(WEB, "web")
    world.manage(SHOP, WEB, SETTINGS)
    assert not world.keeper.has_news


def test_a_managed_object_that_is_gone_stays_as_missing_and_what_it_owned_leaves() -> None:
    world = grown()
    world.delete(WEB)
    assert told(world.keeper.take_news()) == {"changed": {"web"}, "removed": {"web-1", "web-1-a"}}
    web = next(node for node in world.keeper.nodes(SHOP) if node.ref == WEB)
    assert (web.health, web.kstatus, web.sync, web.uid) == (Health.MISSING, Kstatus.NOT_FOUND, "OutOfSync", "")


def test_one_that_is_made_anew_has_the_children_of_its_new_self() -> None:
    world = grown()
    world.put(WEB, "web-again", "9")
    assert world.refs() == {WEB, SETTINGS}
    world.hang(SET, "set-again", "web-again")
    assert world.refs() == {WEB, SETTINGS, SET}


def test_an_object_that_was_never_seen_closely_is_unknown_and_not_missing() -> None:
    world = World()
    world.manage(SHOP, WEB)
    (node,) = world.keeper.nodes(SHOP)
    assert (node.kstatus, node.health, node.sync) == (Kstatus.UNKNOWN, None, "Unknown")


def test_another_standing_is_news_of_that_object_alone() -> None:
    world = grown()
    world.keeper.app_seen(SHOP, {WEB: Standing("v1", "OutOfSync"), SETTINGS: Standing("v1", "Synced")})
    (change,) = world.keeper.take_news()
    assert [(node.ref, node.sync) for node in change.changed] == [(WEB, "OutOfSync")]


def test_an_object_that_the_app_lets_go_leaves_with_all_that_it_owns() -> None:
    world = grown()
    world.manage(SHOP, SETTINGS)
    assert told(world.keeper.take_news()) == {"changed": set(), "removed": {"web", "web-1", "web-1-a"}}
    assert world.refs() == {SETTINGS}


def test_an_object_of_two_apps_is_in_both_trees_with_what_it_owns() -> None:
    world = grown()
    world.manage(OTHER, WEB)
    assert world.refs(OTHER) == {WEB, SET, POD}
    world.manage(SHOP, SETTINGS)
    assert (world.refs(SHOP), world.refs(OTHER)) == ({SETTINGS}, {WEB, SET, POD})
    world.cut(POD)
    assert world.refs(OTHER) == {WEB, SET}


def test_an_object_with_two_owners_leaves_when_the_second_of_them_does() -> None:
    world = grown()
    second = ObjectRef("apps", "ReplicaSet", "shop", "web-2")
    world.hang(second, "set2", "web")
    world.hang(POD, "pod", "set", "set2")
    world.cut(SET)
    assert POD in world.refs()
    world.cut(second)
    assert POD not in world.refs()


def test_objects_that_own_each_other_end() -> None:
    world = grown()
    world.hang(POD, "pod", "set", "claim")
    claim = ObjectRef("", "PersistentVolumeClaim", "shop", "data")
    world.hang(claim, "claim", "pod")
    assert claim in world.refs()
    world.manage(SHOP, SETTINGS)
    assert world.refs() == {SETTINGS}


def test_a_managed_object_that_another_owns_too_is_managed_and_there_once() -> None:
    world = grown()
    world.put(SET, "set")
    world.manage(SHOP, WEB, SETTINGS, SET)
    nodes = world.keeper.nodes(SHOP)
    assert sorted(node.ref.name for node in nodes) == ["settings", "web", "web-1", "web-1-a"]
    assert next(node.managed for node in nodes if node.ref == SET)
    world.manage(SHOP, WEB, SETTINGS)
    assert not next(node.managed for node in world.keeper.nodes(SHOP) if node.ref == SET)


def test_an_app_that_is_gone_is_told_once_and_forgotten() -> None:
    world = grown()
    world.keeper.app_gone(SHOP)
    assert world.keeper.take_news() == [Change(SHOP, gone=True)]
    assert world.keeper.apps() == ()
    world.hang(POD, "pod", "set", version="2")
    assert not world.keeper.has_news


def test_an_app_that_went_and_came_back_at_once_is_told_anew() -> None:
    world = grown()
    world.keeper.app_gone(SHOP)
    world.manage(SHOP, SETTINGS)
    gone, anew = world.keeper.take_news()
    assert gone == Change(SHOP, gone=True)
    assert told([anew]) == {"changed": {"settings"}, "removed": set()}


def test_nothing_of_what_is_gone_is_kept() -> None:
    world = grown()
    for ref in (POD, SET):
        world.cut(ref)
    world.keeper.app_gone(SHOP)
    world.keeper.take_news()
    kept = {name: value for name, value in vars(world.keeper).items() if isinstance(value, dict | set) and value}
    assert set(kept) == {"kinds"}


NAMES = [ObjectRef("x", "Thing", "shop", name) for name in "abcdef"]
UIDS = ["u1", "u2", "u3", "u4", "u5", "u6", "u7"]
EVENTS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(UIDS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(
        st.just("hang"), st.sampled_from(NAMES), st.sampled_from(UIDS), st.lists(st.sampled_from(UIDS), max_size=2)
    ),
    st.tuples(st.just("cut"), st.sampled_from(NAMES)),
    st.tuples(st.just("manage"), st.sampled_from([SHOP, OTHER]), st.sets(st.sampled_from(NAMES), max_size=3)),
    st.tuples(st.just("gone"), st.sampled_from([SHOP, OTHER])),
)


@given(events=st.lists(EVENTS, max_size=30), taken=st.integers(1, 5))
def test_a_tree_kept_by_events_is_the_tree_made_anew_and_its_news_lead_there(events: list[tuple], taken: int) -> None:  # type: ignore[type-arg]
    """Uids are unique in a cluster, so an event that would give one to a second object is left out."""
    world = World()
    managed: dict[ObjectRef, set[ObjectRef]] = {}
    followed: dict[ObjectRef, dict[ObjectRef, object]] = {}
    for number, (verb, *rest) in enumerate(events):
        version = str(number)
        if verb == "put" and not _is_taken(world, rest[1], rest[0]):
            world.put(rest[0], rest[1], version)
        elif verb == "delete":
            world.delete(rest[0])
        elif verb == "hang" and rest[2] and not _is_taken(world, rest[1], rest[0]):
            world.hang(rest[0], rest[1], *rest[2], version=version)
        elif verb == "cut":
            world.cut(rest[0])
        elif verb == "manage":
            managed[rest[0]] = rest[1]
            world.manage(rest[0], *sorted(rest[1]))
        elif verb == "gone":
            managed.pop(rest[0], None)
            world.keeper.app_gone(rest[0])
        if number % taken == 0:
            _follow(world, followed)
    _follow(world, followed)
    anew = World()
    anew.live = world.live
    for ref, one in world.under.items():
        anew.hang(ref, one.uid, *one.sight.owners, version=one.resource_version)
    for app, refs in managed.items():
        anew.manage(app, *sorted(refs))
    for app in managed:
        wanted = {node.ref: node for node in anew.keeper.nodes(app)}
        assert {node.ref: node for node in world.keeper.nodes(app)} == wanted
        assert followed[app] == wanted
    assert set(followed) == set(managed)


def _is_taken(world: World, uid: str, ref: ObjectRef) -> bool:
    live = [other for other, fact in world.live.items() if getattr(fact, "uid", "") == uid]
    return any(other != ref for other in [*live, *(other for other, one in world.under.items() if one.uid == uid)])


def _follow(world: World, followed: dict[ObjectRef, dict[ObjectRef, object]]) -> None:
    for change in world.keeper.take_news():
        if change.gone:
            followed.pop(change.app, None)
            continue
        tree = followed.setdefault(change.app, {})
        for ref in change.removed:
            tree.pop(ref, None)
        tree.update({node.ref: node for node in change.changed})


def test_what_nobody_owns_hangs_below_nothing() -> None:
    world = grown()
    world.hang(SET, "set", "web")
    world.keeper.below_changed(SET, below("set", "web"), below("set", "stranger", version="2"))
    assert world.refs() == {WEB, SETTINGS}
