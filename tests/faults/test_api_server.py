"""The API server goes away in the middle of an apply, refuses, loses answers, cuts watches and forgets history."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.manifests import config
from tests.e2e.stack import Stack, until
from tests.faults.proxy import FaultyProxy

OWNER = "kustomize.toolkit.fluxcd.io/name"


def owned(stack: Stack, namespace: str) -> dict[str, dict[str, str]]:
    found = stack.api.list("configmap", namespace)
    return {o["metadata"]["name"]: o.get("data", {}) for o in found if OWNER in o["metadata"].get("labels", {})}


@contextmanager
def proxied(stack: Stack, folder: Path, seed: int) -> Iterator[FaultyProxy]:
    """The stack's controller works through a proxy while the block lasts."""
    direct = stack.controller.command
    with FaultyProxy(stack.kubeconfig, folder, seed) as proxy:
        through = [f"--kubeconfig={proxy.kubeconfig}" if p.startswith("--kubeconfig=") else p for p in direct]
        stack.controller.kill()
        stack.controller.command = through
        stack.controller.start()
        try:
            stack.until_ready()
            yield proxy
        finally:
            proxy.refused = proxy.lost = 0.0
            stack.controller.kill()
            stack.controller.command = direct
            stack.controller.start()
            stack.until_ready()


@pytest.mark.slow
def test_an_api_server_that_restarts_in_the_middle_of_an_apply_costs_only_time(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"keep.yaml": config("keep")})
    stack.kustomization(namespace, repo.url, retryInterval="1s")
    stack.until_applied(namespace)
    uid = stack.get("configmap", "keep", namespace)["metadata"]["uid"]
    many = {f"object-{n}.yaml": config(f"object-{n}", text="x" * 2000) for n in range(80)}
    commit = repo.push(dict(many))
    until(lambda: len(owned(stack, namespace)) > 5, what="the apply is under way")
    stack.api_server.kill()
    stack.api_server.start()
    stack.until_applied(namespace, commit, within=60)
    assert len(owned(stack, namespace)) == 81
    assert len(stack.inventory(namespace)) == 81
    # the watches are back too
    stack.merge("configmap", "keep", namespace, {"data": {"colour": "red"}})
    until(lambda: owned(stack, namespace)["keep"] == {"colour": "blue"})
    commit = repo.push(dict.fromkeys(many))
    stack.until_applied(namespace, commit, within=60)
    until(lambda: owned(stack, namespace).keys() == {"keep"})
    assert stack.get("configmap", "keep", namespace)["metadata"]["uid"] == uid


@pytest.mark.slow
def test_refusals_and_lost_answers_are_tried_again(stack: Stack, namespace: str, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    with proxied(stack, tmp_path, seed) as proxy:
        repo = stack.repository(namespace, {"keep.yaml": config("keep")})
        stack.kustomization(namespace, repo.url, retryInterval="1s")
        stack.until_applied(namespace)
        uid = stack.get("configmap", "keep", namespace)["metadata"]["uid"]
        proxy.refused, proxy.lost = 0.2, 0.1
        wanted: dict[str, dict[str, str]] = {"keep": {"colour": "blue"}}
        for round_ in range(4):
            files: dict[str, str | bytes | None] = {f"{name}.yaml": None for name in wanted if name != "keep"}
            wanted = {"keep": {"colour": "blue"}}
            wanted |= {f"object-{round_}-{n}": {"round": str(round_)} for n in range(6)}
            files |= {f"{name}.yaml": config(name, **data) for name, data in wanted.items()}
            commit = repo.push(files)
            stack.until_applied(namespace, commit, within=60)
            until(lambda w=wanted: owned(stack, namespace) == w, what=f"seed {seed}, round {round_}")
        assert proxy.seen["lost"] > 0, proxy.seen
        assert sum(proxy.seen[code] for code in ("429", "500", "502", "503", "504")) > 5, proxy.seen
        stack.merge("configmap", "keep", namespace, {"data": {"colour": "red"}})
        until(lambda: owned(stack, namespace)["keep"] == {"colour": "blue"}, what=f"seed {seed}")
        assert stack.get("configmap", "keep", namespace)["metadata"]["uid"] == uid


def test_what_happens_while_watches_are_cut_or_expired_is_heard_all_the_same(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    with proxied(stack, tmp_path, 0) as proxy:
        repo = stack.repository(namespace, {"a.yaml": config("a"), "b.yaml": config("b")})
        stack.kustomization(namespace, repo.url)
        stack.until_applied(namespace)
        wanted = {"a": {"colour": "blue"}, "b": {"colour": "blue"}}
        for expired in (False, True):
            proxy.cut_watches(expired=expired)
            stack.merge("configmap", "a", namespace, {"data": {"colour": "red"}})
            stack.api.delete("configmap", "b", namespace)
            until(lambda: owned(stack, namespace) == wanted, what=f"healed after a cut (expired: {expired})")
        assert proxy.seen["cut"] > 2, proxy.seen
        until(lambda: proxy.seen["expired"] > 2, what="watches that come again and are told that they are too late")
        # and so is a change of the App itself
        proxy.cut_watches(expired=True)
        stack.merge("kustomization", "app", namespace, {"spec": {"commonMetadata": {"labels": {"heard": "of"}}}})
        until(lambda: stack.get("configmap", "a", namespace)["metadata"]["labels"].get("heard") == "of")
