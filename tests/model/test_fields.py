"""Field sets: their wire form, their algebra, and cutting objects along them."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.fields import EMPTY, FieldSet, cut, format_path, key_element, managed_entries, value_element

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web", "team": "shop"}, "finalizers": ["a/b", "c/d"]},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "containers": [
                    {"name": "side", "image": "side:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                    {
                        "name": "web",
                        "image": "web:1",
                        "args": ["--a", "--b"],
                        "ports": [
                            {"containerPort": 53, "protocol": "UDP", "name": "dns"},
                            {"containerPort": 53, "protocol": "TCP", "name": "dns-tcp"},
                        ],
                    },
                ]
            }
        },
    },
}


def fields(**top: Any) -> FieldSet:
    return FieldSet.from_fields_v1({f"f:{name}": value for name, value in top.items()})


def containers(**items: Any) -> FieldSet:
    keyed = {json.dumps({"name": name}, separators=(",", ":")): value for name, value in items.items()}
    return fields(spec={"f:template": {"f:spec": {"f:containers": {f"k:{key}": v for key, v in keyed.items()}}}})


def test_the_wire_form_is_read_and_written_back_as_it_was() -> None:
    wire = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}, "f:finalizers": {".": {}, 'v:"a/b"': {}}},
        "f:spec": {"f:x": {"i:0": {}, 'k:{"name":"web"}': {".": {}, "f:name": {}}}},
    }
    assert FieldSet.from_fields_v1(wire).to_fields_v1() == wire


def test_the_spelling_of_keys_and_of_lone_membership_does_not_matter() -> None:
    spelled = FieldSet.from_fields_v1({"f:p": {'k:{"protocol": "TCP", "port": 80}': {".": {}}}})
    assert spelled == FieldSet.from_fields_v1({"f:p": {'k:{"port":80,"protocol":"TCP"}': {}}})
    assert hash(spelled) == hash(FieldSet.from_fields_v1({"f:p": {'k:{"port":80,"protocol":"TCP"}': {}}}))


@pytest.mark.parametrize("element", ["x:spec", "spec", "k:[1]", "k:{", "i:one", "v:"])
def test_an_element_of_no_known_form_is_refused_by_name(element: str) -> None:
    with pytest.raises(ValueError, match="is not a path element"):
        FieldSet.from_fields_v1({element: {}})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), "spec.replicas"),
        (("f:spec", "f:containers", 'k:{"name":"web"}', "f:image"), "spec.containers[name=web].image"),
        (("f:ports", 'k:{"containerPort":80,"protocol":"TCP"}'), "ports[containerPort=80,protocol=TCP]"),
        (("f:metadata", "f:annotations", "f:example.com/a"), "metadata.annotations[example.com/a]"),
        (("f:metadata", "f:finalizers", 'v:"a/b"'), "metadata.finalizers[=a/b]"),
        (("f:list", "i:3"), "list[3]"),
    ],
)
def test_a_path_is_shown_as_people_write_it(path: tuple[str, ...], text: str) -> None:
    assert format_path(path) == text


def test_a_cut_keeps_only_the_fields_of_the_set() -> None:
    ours = fields(metadata={"f:labels": {"f:app": {}}}, spec={"f:replicas": {}})
    assert cut(DEPLOYMENT, ours) == {"metadata": {"labels": {"app": "web"}}, "spec": {"replicas": 3}}


def test_a_leaf_gives_its_whole_value() -> None:
    assert cut(DEPLOYMENT, fields(spec={"f:selector": {}})) == {"spec": {"selector": {"matchLabels": {"app": "web"}}}}
    args = containers(web={"f:args": {}})
    assert cut(DEPLOYMENT, args)["spec"]["template"]["spec"]["containers"] == [{"name": "web", "args": ["--a", "--b"]}]


def test_items_are_found_by_their_keys_and_ordered_by_them() -> None:
    both = containers(web={".": {}, "f:name": {}, "f:image": {}}, side={"f:image": {}})
    shuffled = copy.deepcopy(DEPLOYMENT)
    shuffled["spec"]["template"]["spec"]["containers"].reverse()
    want = [{"name": "side", "image": "side:1"}, {"name": "web", "image": "web:1"}]
    assert cut(DEPLOYMENT, both) == cut(shuffled, both)
    assert cut(shuffled, both)["spec"]["template"]["spec"]["containers"] == want


def test_items_with_two_keys_are_told_apart_by_both() -> None:
    udp = containers(web={"f:ports": {'k:{"containerPort":53,"protocol":"UDP"}': {".": {}, "f:name": {}}}})
    [web] = cut(DEPLOYMENT, udp)["spec"]["template"]["spec"]["containers"]
    assert web == {"name": "web", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}


def test_values_of_a_set_are_kept_by_value() -> None:
    ours = fields(metadata={"f:finalizers": {'v:"c/d"': {}, 'v:"gone"': {}}})
    assert cut(DEPLOYMENT, ours) == {"metadata": {"finalizers": ["c/d"]}}


def test_membership_alone_keeps_a_map_that_has_none_of_our_fields() -> None:
    obj = {"metadata": {"labels": {"theirs": "x"}}}
    assert cut(obj, fields(metadata={"f:labels": {".": {}, "f:ours": {}}})) == {"metadata": {"labels": {}}}
    assert cut(obj, fields(metadata={"f:labels": {"f:ours": {}}})) == {}


def test_what_is_missing_is_missing_in_the_cut() -> None:
    assert cut(DEPLOYMENT, fields(spec={"f:paused": {}})) == {}
    assert cut(DEPLOYMENT, containers(gone={"f:image": {}})) == {}
    assert cut({}, fields(spec={})) == {}


def test_a_value_of_another_type_shows_itself() -> None:
    assert cut({"spec": "text"}, fields(spec={"f:replicas": {}})) == {"spec": "text"}
    assert cut({"spec": None}, fields(spec={"f:replicas": {}})) == {}


def test_what_others_put_into_our_empty_map_is_theirs_when_their_fields_say_so() -> None:
    obj = {"metadata": {"labels": {"theirs": "x"}, "finalizers": ["theirs"]}}
    ours = fields(metadata={"f:labels": {}, "f:finalizers": {}})
    theirs = fields(metadata={"f:labels": {"f:theirs": {}}, "f:finalizers": {'v:"theirs"': {}}})
    assert cut(obj, ours, others=theirs) == {"metadata": {"labels": {}, "finalizers": []}}
    assert cut(obj, ours) == obj


def test_elements_are_escaped_as_the_api_server_writes_them() -> None:
    assert key_element({"name": "a<b"}) == 'k:{"name":"a\\u003cb"}'
    assert value_element("<&>é") == 'v:"\\u003c\\u0026\\u003eé"'
    assert FieldSet.from_fields_v1({"f:a": {'v:"<"': {}}}) == FieldSet.from_fields_v1({"f:a": {'v:"\\u003c"': {}}})
    assert cut({"a": ["<"]}, FieldSet.of_paths([("f:a", value_element("<"))])) == {"a": ["<"]}
    assert format_path(("f:a", value_element("<"))) == "a[=<]"


def test_true_is_not_one() -> None:
    assert cut({"a": [True]}, fields(a={"v:1": {}})) == {}
    assert cut({"a": [1]}, fields(a={"v:1": {}})) == {"a": [1]}


def test_entries_are_read_with_their_fields_when_asked_for() -> None:
    row = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:a": {}}, "time": "t"}
    [entry] = managed_entries({"metadata": {"managedFields": [row]}})
    assert (entry.manager, entry.operation, entry.subresource, entry.time) == ("m", "Apply", "", "t")
    assert entry.fields == fields(a={})
    assert managed_entries({}) == []


ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'k:{"n":2}', 'v:"x"', "i:0"])
PATHS = st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple)
PATH_SETS = st.frozensets(PATHS, max_size=12)


@given(PATH_SETS)
def test_a_set_holds_exactly_its_paths(paths: frozenset[tuple[str, ...]]) -> None:
    whole = FieldSet.of_paths(paths)
    assert set(whole.paths()) == paths
    assert FieldSet.from_fields_v1(whole.to_fields_v1()) == whole
    prefixes = {path[:end] for path in paths for end in range(1, len(path))}
    assert set(whole.leaves()) == paths - prefixes


@given(PATH_SETS, PATH_SETS)
def test_the_algebra_is_that_of_sets_of_paths(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> None:
    left, right = FieldSet.of_paths(a), FieldSet.of_paths(b)
    assert set((left | right).paths()) == a | b
    assert set((left & right).paths()) == a & b
    assert set((left - right).paths()) == a - b
    below = {path for path in a if any(path[:end] in b for end in range(1, len(path) + 1))}
    assert set(left.recursive_difference(right).paths()) == a - below
    assert (left | right) == (right | left)
    assert hash(left | right) == hash(right | left)
    assert (left - left).is_empty
    assert (left | EMPTY) == left


@given(st.permutations(range(6)), st.randoms(use_true_random=False))
def test_the_order_of_a_live_list_never_changes_the_cut(order: list[int], rng: random.Random) -> None:
    items = [{"name": str(number), "x": number} for number in range(6)]
    ours = FieldSet.of_paths(("f:l", f'k:{{"name":"{number}"}}', "f:x") for number in rng.sample(range(6), 3))
    assert cut({"l": items}, ours) == cut({"l": [items[place] for place in order]}, ours)
