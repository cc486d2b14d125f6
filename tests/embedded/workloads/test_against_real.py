"""The same YAML on the embedded Kubernetes and on the real control plane: statuses must be the same, word for word.

Left out of the comparison is what must differ: names with hashes, uids, times, addresses, and how far the real controllers
have got in the moment between two steps (each step waits for its end).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl
from trueup.embedded.server import Settings, running

pytestmark = [pytest.mark.real, pytest.mark.slow]

CASES = Path(__file__).parent / "cases"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`apply` is YAML, `kubectl` arguments; then each of `wait` is waited for."""

    apply: str = ""
    kubectl: str = ""
    wait: list[str] = []


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`compare` are resources whose objects must be equal after the last step."""

    title: str
    steps: list[Step]
    compare: list[str]


def _cases() -> list[Any]:
    paths = sorted(CASES.glob("*.yaml"))
    return [pytest.param(msgspec.convert(yaml.safe_load(path.read_text()), Case), id=path.stem) for path in paths]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Path]:
    """The kubeconfig of an embedded Kubernetes."""
    kubeconfig = tmp_path / "kubeconfig"
    async with running(Settings(data_dir=tmp_path / "data", kubeconfig=kubeconfig, in_memory=True)):
        yield kubeconfig


@pytest.mark.parametrize("case", _cases())
async def test_statuses_are_those_of_the_real_controllers(
    case: Case, kubectl: Kubectl, embedded: Path, control_plane: ControlPlane, real_namespace: str
) -> None:
    await control_plane.nodes_ready()
    ours = _on(kubectl, embedded, real_namespace, case, makes_namespace=True)
    theirs = _on(kubectl, control_plane.kubeconfig, real_namespace, case)
    got, wanted = await asyncio.gather(ours, theirs)
    if difference := _difference(wanted, got):
        pytest.fail(difference, pytrace=False)


def _difference(real: Any, embedded: Any) -> str:
    texts = (yaml.safe_dump(each).splitlines(keepends=True) for each in (real, embedded))
    return "".join(unified_diff(*texts, "real", "embedded"))


async def _on(
    kubectl: Kubectl, kubeconfig: Path, namespace: str, case: Case, *, makes_namespace: bool = False
) -> dict[str, list[Any]]:
    async def run(*arguments: str, text: str = "") -> str:
        return (await kubectl.run(kubeconfig, "-n", namespace, *arguments, input=text)).check().stdout

    if makes_namespace:
        await run("create", "namespace", namespace)
    for step in case.steps:
        if step.apply:
            await run("apply", "-f", "-", text=step.apply)
        if step.kubectl:
            await run(*step.kubectl.replace("NAMESPACE", namespace).split())
        for condition in step.wait:
            await _until(kubectl, kubeconfig, namespace, condition.replace("NAMESPACE", namespace))
    found = {}
    for resource in case.compare:
        named = [namespace] if resource == "namespaces" else []
        answer = msgspec.json.decode(await run("get", resource, *named, "-o", "json"))
        listed = answer["items"] if answer["kind"] == "List" else [answer]
        found[resource] = sorted((_comparable(each, namespace) for each in listed), key=msgspec.json.encode)
    return found


async def _until(kubectl: Kubectl, kubeconfig: Path, namespace: str, condition: str) -> None:
    """kubectl gives up at once where a list is still shorter than an index that the condition names."""
    async with asyncio.timeout(60):
        while True:
            waited = await kubectl.run(kubeconfig, "-n", namespace, "wait", "--timeout=60s", *condition.split())
            if "array index out of bounds" not in waited.stderr:
                waited.check()
                return


_TIMES = {"lastTransitionTime", "lastUpdateTime", "lastProbeTime", "startTime", "completionTime", "lastScaleTime"}
_CHANCE = {*_TIMES, "uid", "pod-template-hash", "controller.kubernetes.io/hash", "resourceVersion"}
_ABSENT = {"nodeName", "addresses", "ip", "controller-revision-hash"}
_META = ("labels", "annotations", "finalizers", "generation", "ownerReferences")
_OTHER_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "endpoints.kubernetes.io/last-change-trigger-time",
)
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
# `web-7fcb7db467-` too: the real server names a pod that it refuses before it has made up the rest of the name.
_NAMES = re.compile(r"\b(web|idle|db|agent|job)-([a-z0-9]{6,10}-)?([a-z0-9]{5,10}\b)?")


def _comparable(obj: dict[str, Any], namespace: str) -> Any:
    meta = {key: obj["metadata"][key] for key in _META if key in obj["metadata"]}
    for name in _OTHER_ANNOTATIONS:
        meta.get("annotations", {}).pop(name, None)
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    kept = {key: value for key, value in obj.items() if key not in ("metadata", "spec", "data")}
    if obj["kind"] in ("EndpointSlice", "ReplicaSet"):
        # In how many steps they came where they are hangs on how fast pods get ready.
        generation = meta.pop("generation")
        assert kept.get("status", {}).pop("observedGeneration", generation) == generation
    spec = {key: value for key, value in obj.get("spec", {}).items() if key in ("replicas", "minReadySeconds")}
    return _plain({**kept, "metadata": meta, "spec": spec}, namespace)


def _plain(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {
            key: "#" if key in _CHANCE else _plain(item, namespace)
            for key, item in value.items()
            if key not in _ABSENT and item is not None
        }
    if isinstance(value, list):
        return sorted((_plain(item, namespace) for item in value), key=msgspec.json.encode)
    if isinstance(value, str):
        return _NAMES.sub(r"\1-#", _UID.sub("UID", value.replace(namespace, "NAMESPACE")))
    return value
