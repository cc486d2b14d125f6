"""What `trueup install` puts into a cluster for the API server. Pure.

Its rights are few for itself: to read, and to know callers. What people do to single objects, after the policies were asked, it does
with a role of its own, `trueup-server-actions`; without that role's binding it shows what there is, and changes nothing. Where
Kubernetes decides who may do what, it has `trueup-server-impersonation` in its place: to be the person who asks, and nothing else.
"""

from __future__ import annotations

from typing import Any

from trueup.cli.manifesting import (
    LABELS,
    STATE_FOLDER,
    binding,
    cluster_role,
    new_object,
    own_groups,
    own_resources,
    rule,
)
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.manifest import Manifest, ref_of
from trueup.model.rights import Rights
from trueup.server.identity.kubernetesnames import LOCAL
from trueup.version import __version__

SERVER = "trueup-server"
ACTIONS = "trueup-server-actions"
IMPERSONATION = "trueup-server-impersonation"
SETTINGS_ROLE = "trueup-server-settings"
SETTINGS = "trueup-settings"
AUDIT_SECRET = "trueup-audit"  # noqa: S105 the name of a Secret
RIGHTS_SETTING = "TRUEUP_RIGHTS"
RIGHTS_MARK = "trueup.dev/rights"
"""On the server's pods: settings are read at the start only, so who decides anew needs new pods."""
PORT = 8443
METRICS_PORT = 8083
"""As of Argo CD's server."""
STANDS_FOR = "trueup.dev/stands-for"
"""What makes a pod of the embedded Kubernetes stand for a server; see `embedded.api.standins`."""
SELECTOR = {"app.kubernetes.io/name": "trueup", "app.kubernetes.io/component": "server"}


def server_rights(namespace: str, rights: Rights = Rights.POLICY) -> list[Manifest]:
    own = (ACTIONS, action_rules()) if rights is Rights.POLICY else (IMPERSONATION, impersonation_rules())
    account = {"kind": "ServiceAccount", "name": SERVER, "namespace": namespace}
    settings = new_object("rbac.authorization.k8s.io/v1", "Role", SETTINGS_ROLE, CONTROL_NAMESPACE)
    return [
        new_object("v1", "ServiceAccount", SERVER, namespace),
        cluster_role(SERVER, server_rules()),
        cluster_role(*own),
        {
            **settings,
            "rules": [
                # argocd-cm, argocd-secret, argocd-rbac-cm, first passwords, sessions that were ended.
                rule([""], ["configmaps", "secrets"], "get", "list", "watch", "create", "update", "patch"),
                # Secrets of repositories and clusters that were registered through the API.
                rule([""], ["secrets"], "delete"),
                rule(["argoproj.io"], ["appprojects"], "patch"),
            ],
        },
        {
            **new_object("rbac.authorization.k8s.io/v1", "Role", SERVER, namespace),
            # The token by which the controller knows us, and the audit log's key, which it makes.
            "rules": [{**rule([""], ["secrets"], "get"), "resourceNames": ["trueup-internal", AUDIT_SECRET]}],
        },
        binding("RoleBinding", SERVER, "Role", SERVER, account, namespace),
        binding("ClusterRoleBinding", SERVER, "ClusterRole", SERVER, account),
        binding("ClusterRoleBinding", own[0], "ClusterRole", own[0], account),
        binding("RoleBinding", SETTINGS_ROLE, "Role", SETTINGS_ROLE, account, CONTROL_NAMESPACE),
    ]


def other_rights(namespace: str, rights: Rights) -> list[Manifest]:
    """What the other way of deciding would have, and this one must not."""
    kept = {ref_of(one) for one in server_rights(namespace, rights)}
    return [one for other in Rights for one in server_rights(namespace, other) if ref_of(one) not in kept]


def impersonation_rules() -> list[dict[str, Any]]:
    """To be whoever calls. Whoever has these rights can be anybody: narrow them with `resourceNames` where the people are known."""
    return [rule([""], ["users", "groups", "serviceaccounts"], "impersonate")]


def server_rules() -> list[dict[str, Any]]:
    """What it does for itself."""
    return [
        rule(own_groups(), own_resources(), "get", "list", "watch"),
        rule([""], ["events"], "list"),
        rule(["authentication.k8s.io"], ["tokenreviews"], "create"),
        rule(["authorization.k8s.io"], ["subjectaccessreviews"], "create"),
    ]


def action_rules() -> list[dict[str, Any]]:
    """What people may be allowed to do through it, after the policies were asked."""
    return [
        rule(["*"], ["*"], "get", "patch", "delete"),
        rule([""], ["pods"], "list"),
        rule([""], ["pods/log"], "get"),
        rule(["batch"], ["jobs"], "create"),
        rule(own_groups(), own_resources(), "create", "update"),
    ]


def server_workload(namespace: str, image: str, rights: Rights = Rights.POLICY) -> list[Manifest]:
    return [service(namespace), _network_policy(namespace), _deployment(namespace, image, rights)]


def service(namespace: str) -> Manifest:
    """443 as in Argo CD's first steps: `kubectl port-forward svc/trueup-server 8080:443`."""
    return {
        **new_object("v1", "Service", SERVER, namespace),
        "spec": {
            "selector": SELECTOR,
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
        },
    }


def server_stand_in(namespace: str) -> list[Manifest]:
    """For the embedded Kubernetes: the Service, and a simulated pod that stands for the process of `trueup up`."""
    template = {
        "metadata": {"labels": LABELS | SELECTOR, "annotations": {STANDS_FOR: SERVER}},
        "spec": {"containers": [{"name": "server", "image": f"trueup:{__version__}", "ports": [_port()]}]},
    }
    deployment = new_object("apps/v1", "Deployment", SERVER, namespace)
    spec = {"replicas": 1, "selector": {"matchLabels": SELECTOR}, "template": template}
    return [service(namespace), {**deployment, "spec": spec}]


def local_rights(namespace: str, rights: Rights) -> list[Manifest]:
    """For the embedded Kubernetes: what says who decides, and where Kubernetes does, that the first admin may do everything."""
    settings = {**new_object("v1", "ConfigMap", SETTINGS, namespace), "data": {RIGHTS_SETTING: str(rights)}}
    if rights is Rights.POLICY:
        return [settings]
    admin = {"kind": "User", "name": f"{LOCAL}admin", "apiGroup": "rbac.authorization.k8s.io"}
    return [settings, binding("ClusterRoleBinding", "trueup-local-admin", "ClusterRole", "cluster-admin", admin)]


def _network_policy(namespace: str) -> Manifest:
    return {
        **new_object("networking.k8s.io/v1", "NetworkPolicy", SERVER, namespace),
        "spec": {
            "podSelector": {"matchLabels": SELECTOR},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in (PORT, METRICS_PORT)]}],
        },
    }


def _deployment(namespace: str, image: str, rights: Rights) -> Manifest:
    metadata: dict[str, Any] = {"labels": LABELS | SELECTOR}
    if rights is not Rights.POLICY:
        metadata["annotations"] = {RIGHTS_MARK: str(rights)}
    pod = {
        "serviceAccountName": SERVER,
        "terminationGracePeriodSeconds": 15,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(image)],
        "volumes": [{"name": "state", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    return {
        **new_object("apps/v1", "Deployment", SERVER, namespace),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": SELECTOR},
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def _container(image: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/api/trueup/v1/version", "port": "https", "scheme": "HTTPS"}}
    return {
        "name": "server",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "server",
            f"--state-dir={STATE_FOLDER}/server",
            f"--port={PORT}",
            f"--metrics-port={METRICS_PORT}",
        ],
        "env": [{"name": "HOME", "value": STATE_FOLDER}, {"name": "TRUEUP_HOME", "value": STATE_FOLDER}],
        "envFrom": [
            {"configMapRef": {"name": SETTINGS}},
            {"secretRef": {"name": SETTINGS, "optional": True}},
        ],
        "ports": [_port(), {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "768Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "state", "mountPath": STATE_FOLDER}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _port() -> dict[str, Any]:
    return {"name": "https", "containerPort": PORT, "protocol": "TCP"}
