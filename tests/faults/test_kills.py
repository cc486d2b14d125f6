"""The controller is killed at any moment, loses its disk, or has a rival; the cluster ends as Git says, each time."""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.fixtures import drop_namespace
from tests.e2e.manifests import config, deployment
from tests.e2e.stack import Process, Stack, free_port, until
from trueup.cli.install import apply_all
from trueup.cluster.config import load_config
from trueup.dialects.registry import crds

OWNER = "kustomize.toolkit.fluxcd.io/name"


def owned(stack: Stack, namespace: str) -> dict[str, dict[str, str]]:
    """Name to data of every ConfigMap that carries our mark."""
    found = stack.api.list("configmap", namespace)
    return {o["metadata"]["name"]: o.get("data", {}) for o in found if OWNER in o["metadata"].get("labels", {})}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_controller_killed_at_any_point_of_a_sync_leaves_no_orphan_and_loses_nothing(
    stack: Stack, namespace: str
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    wanted = {f"object-{n}": {"round": "0"} for n in range(8)}
    repo = stack.repository(namespace, {f"{name}.yaml": config(name, **data) for name, data in wanted.items()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    keeper = stack.get("configmap", "object-0", namespace)["metadata"]["uid"]
    for round_ in range(1, 9):
        gone = chance.sample(sorted(wanted.keys() - {"object-0"}), 3)
        changed = chance.sample(sorted(wanted.keys() - set(gone)), 2)
        added = [f"object-{round_}-{n}" for n in range(4)]
        files: dict[str, str | bytes | None] = {f"{name}.yaml": None for name in gone}
        for name in gone:
            del wanted[name]
        for name in (*changed, *added):
            wanted[name] = {"round": str(round_)}
            files[f"{name}.yaml"] = config(name, **wanted[name])
        repo.push(files)
        # at first anywhere in the sync, later anywhere in the start too
        time.sleep(chance.uniform(0, 0.6))
        stack.controller.kill()
        stack.controller.start()
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.5, 3))
            stack.controller.kill()
            stack.controller.start()
        if chance.random() < 0.5:
            stack.until_ready()
    stack.until_ready()
    stack.until_applied(namespace, repo.git("rev-parse", "HEAD"), within=60)
    until(lambda: owned(stack, namespace) == wanted, what=f"seed {seed}: {sorted(wanted)}")
    assert stack.inventory(namespace) == {f"{namespace}_{name}__ConfigMap" for name in wanted}, f"seed {seed}"
    assert stack.get("configmap", "object-0", namespace)["metadata"]["uid"] == keeper, f"seed {seed}: it was deleted"


def test_what_was_pruned_once_is_never_pruned_again(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a"), "b.yaml": config("b")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    repo.push({"a.yaml": None})
    until(lambda: stack.get("configmap", "a", namespace) is None)
    stack.controller.kill()
    stack.kubectl("create", "configmap", "a", "-n", namespace, "--from-literal=mine=yes")
    stack.controller.start()
    stack.until_ready()
    commit = repo.push({"b.yaml": config("b", colour="red")})
    stack.until_applied(namespace, commit)
    assert stack.get("configmap", "a", namespace)["data"] == {"mine": "yes"}


def test_a_wait_and_a_retry_go_on_after_a_restart(stack: Stack, namespace: str, other_namespace: str) -> None:
    late = f"{namespace}-late"
    repo = stack.repository(
        namespace, {"wait/web.yaml": deployment(stuck=True), "retry/lost.yaml": config("lost", namespace=late)}
    )
    stack.kustomization(namespace, repo.url, "./wait", wait=True, timeout="10m")
    stack.kustomization(other_namespace, repo.url, "./retry", targetNamespace=None, retryInterval="1s", interval="1h")
    until(lambda: stack.get("deployment", "web", namespace))
    stack.until_failed(other_namespace, "does not exist")
    stack.restart()
    stack.kubectl("create", "namespace", late)
    try:
        stack.until_applied(other_namespace)
        assert stack.condition("kustomization", "app", namespace)["status"] == "Unknown"
        commit = repo.push({"wait/web.yaml": deployment()})
        stack.until_applied(namespace, commit)
    finally:
        drop_namespace(stack, late)


def test_drift_and_commits_of_a_stopped_time_are_made_up_for(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a"), "b.yaml": config("b")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    stack.controller.kill()
    stack.merge("configmap", "a", namespace, {"data": {"colour": "red"}})
    stack.kubectl("delete", "configmap", "b", "-n", namespace)
    commit = repo.push({"c.yaml": config("c")})
    stack.controller.start()
    stack.until_ready()
    wanted = {name: {"colour": "blue"} for name in ("a", "b", "c")}
    until(lambda: owned(stack, namespace) == wanted)
    stack.until_applied(namespace, commit)


@pytest.mark.parametrize("damage", ["lost", "corrupt", "of another format"])
def test_a_state_folder_that_is_damaged_costs_nothing_but_requests(stack: Stack, namespace: str, damage: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a"), "b.yaml": config("b")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    uid = stack.get("configmap", "a", namespace)["metadata"]["uid"]
    stack.controller.kill()
    (database,) = (stack.folder / "state").glob("*/apps.sqlite")
    match damage:
        case "lost":
            shutil.rmtree(database.parent)  # all but who we are: that would cost the Lease's thirty seconds
            shutil.rmtree(stack.folder / "state" / "mirrors")
        case "corrupt":
            database.write_bytes(b"this is no database" * 1000)
        case _:
            with sqlite3.connect(database) as connection:
                connection.execute("UPDATE apps SET state = x'00ff'")
    commit = repo.push({"b.yaml": None, "c.yaml": config("c")})
    stack.controller.start()
    stack.until_ready()
    stack.until_applied(namespace, commit)
    until(lambda: owned(stack, namespace).keys() == {"a", "c"}, what="the inventory came from the status")
    assert stack.get("configmap", "a", namespace)["metadata"]["uid"] == uid
    assert stack.inventory(namespace) == {f"{namespace}_{name}__ConfigMap" for name in ("a", "c")}


@contextmanager
def full_disk(process: Process) -> Iterator[None]:
    """No file of that process can grow beyond what nearly all of them have already: writes fail as on a full disk."""
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (512, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_no_healing_and_is_told(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    with full_disk(stack.controller):
        stack.merge("configmap", "a", namespace, {"data": {"colour": "red"}})
        until(lambda: stack.get("configmap", "a", namespace)["data"] == {"colour": "blue"}, within=10)
        stack.kubectl("delete", "configmap", "a", "-n", namespace)
        until(lambda: stack.get("configmap", "a", namespace), within=10)
        commit = repo.push({"b.yaml": config("b")})
        row = until(lambda: (c := stack.condition("gitrepository", "repo", namespace))["status"] == "False" and c)
        assert row["message"]
        assert stack.get_http("/healthz")[0] == 200
    stack.annotate("gitrepository", "repo", namespace, "reconcile.fluxcd.io/requestedAt=space-again")
    stack.until_applied(namespace, commit)


@pytest.mark.parametrize("damage", ["lost", "corrupt"])
def test_losing_the_records_stops_nothing(stack: Stack, namespace: str, damage: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    until(stack.database.exists)
    if damage == "lost":
        for file in stack.folder.glob("records.sqlite*"):
            file.unlink()
    else:
        stack.database.write_bytes(b"this is no database" * 1000)
    for colour in ("red", "green"):
        commit = repo.push({"a.yaml": config("a", colour=colour)})
        stack.until_applied(namespace, commit)
    stack.merge("configmap", "a", namespace, {"data": {"colour": "grey"}})
    until(lambda: stack.get("configmap", "a", namespace)["data"] == {"colour": "green"})
    stack.restart()
    commit = repo.push({"a.yaml": config("a", colour="white")})
    stack.until_applied(namespace, commit)


def _get(port: int) -> str:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        return "ready"
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError as error:
        return str(error)


def test_of_two_controllers_one_works_and_the_other_takes_over(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    port = free_port()
    command = [
        part.replace(f"{stack.folder}/state", f"{stack.folder}/rival").replace(str(stack.http_port), str(port))
        for part in stack.controller.command
        if not part.startswith("--database")
    ]
    rival = Process(command, stack.folder / "rival.log", stack.controller.environment | {"TRUEUP_IDENTITY": ""})
    rival.start()
    try:
        until(lambda: "another process holds the Lease" in _get(port), what="the rival waits for the Lease")
        commit = repo.push({"a.yaml": config("a", colour="red")})
        stack.until_applied(namespace, commit)
        assert "controller is at work" not in rival.log
        assert stack.controller.stop() == 0
        until(
            lambda: "controller is at work" in rival.log, within=20, what="a Lease that was given back is free at once"
        )
        stack.merge("configmap", "a", namespace, {"data": {"colour": "grey"}})
        until(lambda: stack.get("configmap", "a", namespace)["data"] == {"colour": "red"})
    finally:
        if rival.running is not None:
            rival.stop()
        stack.controller.start()
        stack.until_ready()
    stack.merge("configmap", "a", namespace, {"data": {"colour": "grey"}})
    until(lambda: stack.get("configmap", "a", namespace)["data"] == {"colour": "red"})


def test_when_our_own_crds_go_the_objects_live_on_and_are_taken_up_again(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("a")})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    uid = stack.get("configmap", "a", namespace)["metadata"]["uid"]
    name = "kustomizations.kustomize.toolkit.fluxcd.io"
    try:
        stack.kubectl("delete", "crd", name, "--timeout=40s")
        assert stack.get("configmap", "a", namespace)["metadata"]["uid"] == uid
        assert f"its CRD {name} is being deleted" in stack.controller.log
    finally:
        asyncio.run(apply_all(load_config(stack.kubeconfig), crds()))
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    assert stack.get("configmap", "a", namespace)["metadata"]["uid"] == uid
    stack.merge("configmap", "a", namespace, {"data": {"colour": "grey"}})
    until(lambda: stack.get("configmap", "a", namespace)["data"] == {"colour": "blue"})
