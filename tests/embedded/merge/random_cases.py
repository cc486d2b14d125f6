"""Random sequences of writes by random managers, for differential tests: same seed, same case."""

from __future__ import annotations

import random
from typing import Any

from tests.embedded.merge.scenario import Case, Step

MANAGERS = ("us", "them", "kubectl", "controller")
WORDS = ("a", "b", "c")


def random_case(seed: int, steps: int = 8) -> Case:
    """A case of a Widget with every kind of list and map in it."""
    rng = random.Random(seed)
    first = Step(verb=rng.choice(("apply", "create")), manager=rng.choice(MANAGERS), object=_object(rng))
    return Case("random", f"random {seed}", "Widget", (first, *(_step(rng) for _ in range(steps - 1))))


def _step(rng: random.Random) -> Step:
    verb = rng.choices(("apply", "update", "merge", "json"), (6, 2, 2, 1))[0]
    manager = rng.choice(MANAGERS)
    status = rng.random() < 0.15
    subresource = "status" if status else ""
    match verb:
        case "apply":
            body = {"status": _status(rng)} if status else _object(rng)
            return Step(verb=verb, manager=manager, object=body, force=rng.random() < 0.5, subresource=subresource)
        case "json":
            path, value = rng.choice(
                (("/spec", _spec(rng)), ("/spec/size", 7), ("/spec/tags", ["b"]), ("/metadata/labels", {"a": "json"}))
            )
            return Step(verb=verb, manager=manager, ops=[{"op": "add", "path": path, "value": value}])
    change = {"status": _status(rng)} if status else {"spec": _with_nulls(rng, _spec(rng))}
    if verb == "update":
        return Step(verb=verb, manager=manager, change=change, subresource=subresource)
    return Step(verb=verb, manager=manager, patch=change, subresource=subresource)


def _object(rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {"spec": _spec(rng)} if rng.random() < 0.95 else {}
    metadata: dict[str, Any] = {}
    if rng.random() < 0.4:
        metadata["labels"] = {"x": "y"} | _texts(rng)  # empty ones are stored as they come, and tidied a write later
    if rng.random() < 0.2:
        metadata["finalizers"] = rng.sample(["example.com/a", "example.com/b", "example.com/c"], rng.randint(1, 3))
    if rng.random() < 0.1:
        out["status"] = _status(rng)
    return out | ({"metadata": metadata} if metadata else {})


def _spec(rng: random.Random) -> dict[str, Any]:
    makers = {
        "size": lambda: rng.randint(1, 3),
        "color": lambda: rng.choice(("red", "blue")),
        "note": lambda: rng.choice((None, "x", "y")),
        "target": lambda: rng.choice((80, "http")),
        "labels": lambda: _texts(rng),
        "atomicMap": lambda: _texts(rng),
        "atomicStruct": lambda: {key: rng.choice("xy") for key in "ab" if rng.random() < 0.6},
        "nested": lambda: _nested(rng),
        "words": lambda: [rng.choice(WORDS) for _ in range(rng.randint(0, 3))],
        "tags": lambda: rng.sample(WORDS, rng.randint(0, 3)),
        "numbers": lambda: rng.sample((1, 2, 3), rng.randint(0, 3)),
        "ports": lambda: _ports(rng),
        "parts": lambda: _parts(rng),
        "atomicParts": lambda: [{"name": rng.choice(WORDS)} for _ in range(rng.randint(0, 2))],
        "free": lambda: _free(rng, 2),
    }
    return {name: make() for name, make in makers.items() if rng.random() < 0.4}


def _texts(rng: random.Random) -> dict[str, str]:
    return {key: rng.choice("xy") for key in WORDS if rng.random() < 0.5}


def _nested(rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {key: rng.choice("xy") for key in "ab" if rng.random() < 0.5}
    if rng.random() < 0.5:
        out["deeper"] = {key: rng.choice("xy") for key in "cd" if rng.random() < 0.6}
    return out


def _ports(rng: random.Random) -> list[dict[str, Any]]:
    keys = rng.sample([(80, "TCP"), (80, "UDP"), (53, None), (53, "UDP")], rng.randint(0, 4))
    return [
        {"port": port}
        | ({"protocol": protocol} if protocol else {})
        | ({"name": rng.choice("xy")} if rng.random() < 0.6 else {})
        for port, protocol in keys
    ]


def _parts(rng: random.Random) -> list[dict[str, Any]]:
    out = []
    for name in rng.sample(WORDS, rng.randint(0, 3)):
        part: dict[str, Any] = {"name": name}
        if rng.random() < 0.5:
            part["value"] = rng.choice("xy")
        if rng.random() < 0.4:
            part["tags"] = rng.sample(WORDS, rng.randint(0, 2))
        if rng.random() < 0.4:
            part["inner"] = [
                {"id": number, "text": rng.choice("xy")} for number in rng.sample((1, 2), rng.randint(0, 2))
            ]
        out.append(part)
    return out


def _free(rng: random.Random, depth: int) -> dict[str, Any]:
    makers = [lambda: rng.randint(0, 2), lambda: rng.choice("xy"), lambda: rng.random() < 0.5, lambda: [1, {"a": 2}]]
    if depth:
        makers += [lambda: _free(rng, depth - 1)] * 3
    return {key: rng.choice(makers)() for key in WORDS if rng.random() < 0.5}


def _status(rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {"phase": rng.choice(("Ready", "Broken"))} if rng.random() < 0.6 else {}
    if rng.random() < 0.5:
        out["conditions"] = [
            {"type": kind, "status": rng.choice(("True", "False"))} for kind in rng.sample(("Ready", "Live"), 1)
        ]
    return out


def _with_nulls(rng: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """A merge patch that also removes some fields."""
    return {key: None if rng.random() < 0.25 else item for key, item in value.items()}
