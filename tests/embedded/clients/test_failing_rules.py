"""A workload that fails by rule, which only the embedded Kubernetes has, is seen by the real clients as a failing one."""

from __future__ import annotations

import asyncio

import pytest

from tests.embedded.clients.play import play_on
from tests.embedded.clients.topic import Show, Step, Topic
from tests.embedded.fixtures import EmbeddedCluster

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_helm_rolls_back_an_upgrade_whose_image_cannot_be_pulled(
    embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    name = namespace_name.removeprefix("test-")
    image = "kubectl get deployment web -o jsonpath={.spec.template.spec.containers[0].image}"
    commands = (
        "helm install web charts/shop --no-hooks --wait --timeout=30s",
        "helm upgrade web charts/shop --no-hooks --rollback-on-failure --set image=nginx:broken --timeout=4s",
        "helm history web",
        image,
        "kubectl wait deployment/web --for=condition=Available --timeout=20s",
    )
    topic = Topic("rules", [Step(run=each, show=Show.ALL) for each in commands], name=name)
    installed, upgraded, history, found, available = asyncio.run(
        play_on(embedded_cluster.kubeconfig, "trueup-node-1", [topic])
    )[name]
    assert (installed.code, upgraded.code, available.code) == (0, 1, 0)
    revisions = [line.split() for line in history.stdout if line[0].isdigit()]  # descriptions have lines of their own
    assert [each[2] for each in revisions] == ["superseded", "failed", "deployed"], history.stdout
    assert found.stdout == ["nginx:1.27"]


def test_kubectl_sees_pods_that_crash_hang_and_run_out_of_memory(
    embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    name = namespace_name.removeprefix("test-")
    expected = {
        "crash": "CrashLoopBackOff",
        "oom": "OOMKilled",
        "broken": "ImagePullBackOff",
        "unready": "Running",
    }
    steps = [Step(run=f"kubectl run {tag} --image=nginx:{tag}") for tag in expected]
    steps += [Step(run=f"kubectl get pod {tag} --no-headers", until=status) for tag, status in expected.items()]
    steps += [Step(run="kubectl rollout status deployment/absent")]
    answers = asyncio.run(play_on(embedded_cluster.kubeconfig, "trueup-node-1", [Topic("rules", steps, name=name)]))[
        name
    ]
    shown = {each.stdout[0].split()[0]: each.stdout[0] for each in answers if "get pod" in each.run}
    for tag, status in expected.items():
        assert status in shown[tag]
        assert " 0/1 " in shown[tag]
