"""Random stories for the differential test: what any manager may do next to one object, valid or not.

Sequences shrink to the shortest that still differs. Where a difference is known, the strategies stay away from it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.conformance.story import Step

MANAGERS = ("us", "them", "kubectl", "controller")
_managers = st.sampled_from(MANAGERS)
_word = st.sampled_from(("a", "b", "c"))
_letter = st.sampled_from(("x", "y"))
_texts = st.dictionaries(_word, _letter, max_size=3)
_nullable = st.none() | _letter


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def unique(items: st.SearchStrategy[dict[str, Any]], *keys: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(items, max_size=3, unique_by=lambda item: tuple(str(item.get(key)) for key in keys))


# Never empty: the real server stores an empty map of a custom resource's metadata as it comes, and tidies it a write later.
_some_texts = st.dictionaries(_word, _letter, min_size=1, max_size=3)
_metadata = some(
    labels=_some_texts,
    annotations=_some_texts,
    finalizers=st.lists(st.sampled_from(("example.com/a", "example.com/b")), min_size=1, max_size=2, unique=True),
)
_free = st.recursive(
    st.integers(0, 2) | _letter | st.booleans(),
    lambda inner: st.dictionaries(_word, inner, max_size=2) | st.lists(inner, max_size=2),
    max_leaves=4,
)
_inner = st.fixed_dictionaries({"id": st.integers(1, 2)}, optional={"text": _letter})
_part = st.fixed_dictionaries(
    {"name": _word},
    optional={"value": _letter, "tags": st.lists(_word, max_size=2, unique=True), "inner": unique(_inner, "id")},
)
_port = st.fixed_dictionaries(
    {"port": st.sampled_from((53, 80))},
    optional={"protocol": st.sampled_from(("TCP", "UDP")), "name": _letter, "weight": st.integers(0, 2)},
)
_widget_spec = some(
    replicas=st.integers(0, 2),
    size=st.integers(1, 3),
    color=_letter,
    note=_nullable,
    target=st.sampled_from((80, "http")),
    labels=_texts,
    atomicMap=_texts,
    atomicStruct=some(a=_letter, b=_letter),
    nested=some(a=_letter, b=_letter, deeper=some(c=_letter, d=_letter)),
    words=st.lists(_word, max_size=3),
    tags=st.lists(_word, max_size=3, unique=True),
    numbers=st.lists(st.integers(1, 3), max_size=3, unique=True),
    ports=unique(_port.map(lambda port: {"protocol": "TCP"} | port), "port", "protocol"),
    parts=unique(_part, "name"),
    atomicParts=st.lists(some(name=_word, value=_letter), max_size=2),
    free=st.dictionaries(_word, _free, max_size=3),
)
_condition = st.fixed_dictionaries(
    {"type": st.sampled_from(("Ready", "Live")), "status": st.sampled_from(("True", "False"))}
)
_widget_status = some(phase=_letter, replicas=st.integers(0, 2), conditions=unique(_condition, "type"))

_env = st.fixed_dictionaries({"name": st.sampled_from(("A", "B"))}, optional={"value": st.sampled_from(("", "1", "2"))})
_container_port = st.fixed_dictionaries(
    {"containerPort": st.sampled_from((53, 80)), "protocol": st.sampled_from(("TCP", "UDP"))}
)
_container = st.fixed_dictionaries(
    {"name": st.sampled_from(("web", "side")), "image": st.sampled_from(("web:1", "web:2"))},
    optional={
        "env": unique(_env, "name"),
        "args": st.lists(_letter, max_size=2),
        "ports": unique(_container_port, "containerPort", "protocol"),
        "tty": st.booleans(),
        "resources": some(
            limits=some(cpu=st.sampled_from(("1", "1000m", "500m")), memory=st.sampled_from(("1Gi", "1024Mi")))
        ),
    },
)
# Only one container has ports: for the same port in two, the real server warns (see `known`).
_containers = unique(
    _container.map(lambda each: each if each["name"] == "web" else {k: v for k, v in each.items() if k != "ports"}),
    "name",
).filter(bool)
_pod_spec = st.fixed_dictionaries(
    {"containers": _containers},
    optional={
        "hostNetwork": st.just(False),
        "nodeSelector": _texts,
        "tolerations": st.lists(st.fixed_dictionaries({"key": _word, "operator": st.just("Exists")}), max_size=2),
        "terminationGracePeriodSeconds": st.sampled_from((0, 30)),
    },
)
_deployment_spec = st.fixed_dictionaries(
    {
        "selector": st.just({"matchLabels": {"app": "web"}}),
        "template": st.fixed_dictionaries(
            {"metadata": st.just({"labels": {"app": "web"}}), "spec": _pod_spec},
        ),
    },
    optional={
        "replicas": st.integers(0, 2),
        "paused": st.booleans(),
        "minReadySeconds": st.integers(0, 1),
        "strategy": st.sampled_from(
            ({}, {"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}, {"rollingUpdate": {"maxSurge": "50%"}})
        ),
    },
)
_service_port = st.fixed_dictionaries(
    {"name": _word, "port": st.sampled_from((53, 80)), "protocol": st.sampled_from(("TCP", "UDP"))},
    optional={"targetPort": st.sampled_from((8080, "http")), "appProtocol": _letter},
)
_service_spec = st.fixed_dictionaries(
    {
        "ports": st.lists(
            _service_port, min_size=1, max_size=2, unique_by=(lambda p: p["name"], lambda p: (p["port"], p["protocol"]))
        )
    },
    optional={
        "selector": _texts,
        "sessionAffinity": st.sampled_from(("None", "ClientIP")),
        "publishNotReadyAddresses": st.booleans(),
    },
)

OBJECTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Widget": some(metadata=_metadata, spec=_widget_spec, status=_widget_status),
    "Loose": some(metadata=_metadata, spec=_free, extra=_free),
    "ConfigMap": some(metadata=_metadata, data=_texts, binaryData=st.just({"z": "MQ=="}), immutable=st.just(False)),
    "Deployment": st.fixed_dictionaries({"spec": _deployment_spec}, optional={"metadata": _metadata}),
    "Service": st.fixed_dictionaries({"spec": _service_spec}, optional={"metadata": _metadata}),
}
_STATUS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Widget": _widget_status,
    "Deployment": some(
        replicas=st.integers(0, 2),
        observedGeneration=st.integers(0, 1),
        conditions=unique(_condition.map(lambda each: each | {"lastUpdateTime": "2026-01-01T00:00:00Z"}), "type"),
    ),
    "Service": st.just({}) | some(conditions=st.just([])),
}
# A custom resource's spec that a scale makes gets its defaults when it is read, and stores them a write later: not here.
_SCALED = ("Deployment",)


def _with_nulls(value: dict[str, Any], nulls: frozenset[int]) -> dict[str, Any]:
    """A patch that also removes some fields, the n-th of each map."""
    return {
        key: None
        if number in nulls and key not in ("metadata", "name")
        else _with_nulls(item, nulls)
        if isinstance(item, dict)
        else item
        for number, (key, item) in enumerate(value.items())
    }


@st.composite
def stories(draw: st.DrawFn, most: int = 7) -> tuple[str, tuple[Step, ...]]:
    """A kind, and what is done to one object of it."""
    kind = draw(st.sampled_from(sorted(OBJECTS)))
    first = draw(st.sampled_from(("apply", "create")))
    steps = [Step(verb=first, manager=draw(_managers), object=draw(OBJECTS[kind]))]
    for _ in range(draw(st.integers(1, most))):
        step = draw(_step(kind))
        if steps[-1].verb == "delete" and step.verb == "apply" and step.subresource:
            continue  # what is not there has no status: some kinds say so, others what a new object would lack
        steps.append(step)
    return kind, tuple(steps)


@st.composite
def _step(draw: st.DrawFn, kind: str) -> Step:
    languages = (
        ["apply"] * 5
        + ["update", "merge", "json", "delete"]
        + ([] if kind in ("Widget", "Loose") else ["strategic"] * 2)
    )
    verb = draw(st.sampled_from(languages))
    manager = draw(_managers)
    nulls = draw(st.frozensets(st.integers(0, 5), max_size=1))
    places = [""] * 6 + ["status"] * (kind in _STATUS) + ["scale"] * (kind in _SCALED)
    place = draw(st.sampled_from(places))
    if verb == "delete":
        return Step(verb=verb)
    if verb == "json":
        return Step(verb=verb, manager=manager, ops=[draw(_operation(kind))])
    body: dict[str, Any] = draw(OBJECTS[kind])
    if place == "status":
        body = {"status": draw(_STATUS[kind])}
    elif place == "scale":
        body = {"spec": {"replicas": draw(st.integers(0, 3))}}
    dry = "dryRun=All" if draw(st.integers(0, 9)) == 0 else ""
    match verb:
        case "apply":
            force = draw(st.booleans())
            return Step(verb=verb, manager=manager, object=body, force=force, subresource=place, query=dry)
        case "update":
            return Step(verb=verb, manager=manager, change=_with_nulls(body, nulls), subresource=place, query=dry)
    return Step(verb=verb, manager=manager, patch=_with_nulls(body, nulls), subresource=place, query=dry)


def _operation(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    root = {"ConfigMap": "/data", "Loose": "/extra"}.get(kind, "/spec")
    fields = {
        "Widget": ("/tags", "/size", "/parts/0"),
        "Deployment": ("/replicas", "/paused"),
        "Service": ("/selector",),
    }
    paths = [root, "/metadata/labels", "/metadata/labels/a", *(root + field for field in fields.get(kind, ("/a",)))]
    values = OBJECTS[kind].map(lambda obj: obj.get("spec", obj.get("data", {})))
    return st.one_of(
        st.fixed_dictionaries({"op": st.just("remove"), "path": st.sampled_from(paths)}),
        st.fixed_dictionaries({"op": st.just("add"), "path": st.just(root), "value": values}),
        st.fixed_dictionaries({"op": st.just("add"), "path": st.just("/metadata/labels"), "value": _some_texts}),
        st.fixed_dictionaries({"op": st.just("test"), "path": st.sampled_from(paths), "value": st.just("x")}),
    )
