"""A real kubectl asks both servers who may do what: its output is the same, but for the order of rules."""

import time
from typing import Any

import pytest

from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl

pytestmark = pytest.mark.real

ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NS}
rules: [{apiGroups: [""], resources: [pods, pods/log], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: NS-jane}]
"""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("auth", "can-i", "get", "pods", "--as", "NS-jane", "-n", "NS"),
    ("auth", "can-i", "delete", "pods", "--as", "NS-jane", "-n", "NS"),
    ("auth", "can-i", "get", "pods/log", "--as", "NS-jane", "-n", "NS"),
    ("auth", "can-i", "get", "pods", "--as", "NS-jane", "-n", "default"),
    ("auth", "can-i", "*", "*", "--all-namespaces"),
    ("auth", "can-i", "get", "/metrics", "--as", "NS-jane"),
    ("auth", "can-i", "list", "nothings", "--as", "NS-jane"),
    ("auth", "can-i", "--list", "--as", "NS-jane", "-n", "NS"),
    ("auth", "whoami", "--as", "NS-jane", "--as-group", "dev", "-o", "jsonpath={.status.userInfo}"),
    ("auth", "reconcile", "-f", "-"),
    ("get", "pods", "--as", "NS-john", "-n", "NS"),
    ("create", "rolebinding", "mine", "--clusterrole=admin", "--user=NS-jane", "--as", "NS-jane", "-n", "NS"),
    ("get", "clusterrole", "view", "-o", "jsonpath={.rules[?(@.resources[0]=='configmaps')]}"),
)


@pytest.fixture
def both(control_plane: ControlPlane, embedded_cluster: EmbeddedCluster) -> list[Any]:
    return [embedded_cluster.kubeconfig, control_plane.kubeconfig]


def test_kubectl_auth_says_the_same_of_both_servers(kubectl: Kubectl, both: list[Any], namespace_name: str) -> None:
    said = []
    for kubeconfig in both:
        roles = ROLES.replace("NS", namespace_name)
        kubectl(kubeconfig, "create", "namespace", namespace_name).check()
        kubectl(kubeconfig, "auth", "reconcile", "-f", "-", input=roles).check()
        deadline = time.monotonic() + 20
        while kubectl(kubeconfig, "get", "pods", "-n", namespace_name, "--as", f"{namespace_name}-jane").returncode:
            assert time.monotonic() < deadline, "the authorizer does not learn of the binding"
        answers = []
        for command in COMMANDS:
            words = [word.replace("NS", namespace_name) for word in command]
            done = kubectl(kubeconfig, *words, input=roles if "-f" in words else None)
            answers.append((command, done.returncode, sorted(done.stdout.splitlines()), done.stderr))
        said.append(answers)
    for ours, real in zip(*said, strict=True):
        assert ours == real
