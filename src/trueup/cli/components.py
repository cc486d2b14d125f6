"""Everything that `trueup install` puts into a cluster, as manifests. Pure: the same for a cluster, `--export` and `deploy/`.

Rights are in two cluster roles. `trueup-controller` is what the controller needs for itself: to read, to write its own
resources' status, and to act as the ServiceAccounts that Apps name. `trueup-applier` is everything, because Git may
declare anything, RBAC included. Where each App names a ServiceAccount, the binding of `trueup-applier` can be deleted.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

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
from trueup.cli.servercomponents import AUDIT_SECRET, RIGHTS_SETTING, SETTINGS, server_rights, server_workload
from trueup.dialects.argocd.appproject import default_project
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.crd import MANAGED_BY, MANAGED_BY_LABEL
from trueup.dialects.flux.shared import HELM_CHART
from trueup.dialects.registry import crds
from trueup.model.manifest import Manifest, labels_of
from trueup.model.rights import Rights
from trueup.version import __version__

NAMESPACE = "trueup-system"
CONTROLLER = "trueup-controller"
APPLIER = "trueup-applier"
LEASES = "trueup-leases"
SERVICE = "trueup"
PORT = 8080
USER = 65532
"""The numeric user of the image, as `deploy/Containerfile` makes it."""
DEFAULT_IMAGE = f"trueup:{__version__}"
SELECTOR = {"app.kubernetes.io/name": "trueup", "app.kubernetes.io/component": "controller"}


class Installation(Struct, frozen=True, kw_only=True):
    """What can be chosen."""

    namespace: str = NAMESPACE
    image: str = DEFAULT_IMAGE
    adopt: bool = False
    """The controller too is told to take over what another controller served."""
    rights: Rights = Rights.POLICY
    """Who decides who may do what."""


def all_components(chosen: Installation) -> list[Manifest]:
    """In the order in which they are to be applied."""
    return [
        *namespaces(chosen),
        *crds(),
        *rights(chosen),
        *server_rights(chosen.namespace, chosen.rights),
        default_project(),
        *workload(chosen),
        *server_workload(chosen.namespace, chosen.image, chosen.rights),
    ]


def namespaces(chosen: Installation) -> list[Manifest]:
    """Ours, and the one in which Argo CD's Applications are looked for."""
    ours = new_object("v1", "Namespace", chosen.namespace)
    ours["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return [ours, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CONTROL_NAMESPACE}}]


def rights(chosen: Installation) -> list[Manifest]:
    account = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": chosen.namespace}
    return [
        new_object("v1", "ServiceAccount", CONTROLLER, chosen.namespace),
        cluster_role(CONTROLLER, controller_rules()),
        cluster_role(
            APPLIER,
            [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ],
        ),
        cluster_role(
            "trueup-view",
            [rule(own_groups(), own_resources(), "get", "list", "watch")],
            {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")},
        ),
        cluster_role(
            "trueup-edit",
            [rule(own_groups(), own_resources(), "create", "delete", "deletecollection", "patch", "update")],
            {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit")},
        ),
        binding("ClusterRoleBinding", CONTROLLER, "ClusterRole", CONTROLLER, account),
        binding("ClusterRoleBinding", APPLIER, "ClusterRole", APPLIER, account),
        {
            **new_object("rbac.authorization.k8s.io/v1", "Role", LEASES, chosen.namespace),
            "rules": [
                rule(["coordination.k8s.io"], ["leases"], "get", "create", "update"),
                # The token by which servers read live trees, in the Secret `trueup-internal`; the audit log's key.
                rule([""], ["secrets"], "create"),
            ],
        },
        binding("RoleBinding", LEASES, "Role", LEASES, account, chosen.namespace),
    ]


def controller_rules() -> list[dict[str, Any]]:
    """What the controller does as itself; everything else it does as `trueup-applier` or as an App's ServiceAccount."""
    own = own_resources()
    return [
        # The live view: what is declared may be of any kind, and drift is watched for.
        rule(["*"], ["*"], "get", "list", "watch"),
        # Status, finalizers, requests that are done. Argo CD's status is in the main object.
        rule(own_groups(), [*own, *(f"{name}/status" for name in own)], "patch", "update"),
        # The HelmCharts that stand for the chart templates of HelmReleases.
        rule([HELM_CHART.group], [HELM_CHART.plural], "create", "delete"),
        # Events of Apps and sources.
        rule([""], ["events"], "create", "patch"),
        # `serviceAccountName`: to be the tenant, with the tenant's rights.
        rule([""], ["serviceaccounts"], "impersonate"),
        # A source's `serviceAccountName`: its token is what a cloud knows it by.
        rule([""], ["serviceaccounts/token"], "create"),
    ]


def workload(chosen: Installation) -> list[Manifest]:
    """Settings, Service, NetworkPolicy and the Deployment itself, last."""
    namespace = chosen.namespace
    port = {"name": "http", "port": PORT}
    return [
        {
            **new_object("v1", "ConfigMap", SETTINGS, namespace),
            # A Secret of the same name overrides it: a PostgreSQL URL with its password, the push token.
            "data": {
                "TRUEUP_DATABASE": f"sqlite:///{STATE_FOLDER}/trueup.db",
                "TRUEUP_AUDIT_SECRET": AUDIT_SECRET,
                **rights_setting(chosen.rights),
            },
        },
        {
            **new_object("v1", "Service", SERVICE, namespace),
            "spec": {"selector": SELECTOR, "ports": [{**port, "targetPort": "http", "protocol": "TCP"}]},
        },
        {
            **new_object("networking.k8s.io/v1", "NetworkPolicy", CONTROLLER, namespace),
            # In: health, metrics, push notices. Out: the API server and any Git server.
            "spec": {
                "podSelector": {"matchLabels": SELECTOR},
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": PORT, "protocol": "TCP"}]}],
            },
        },
        deployment(chosen),
    ]


def rights_setting(rights: Rights) -> dict[str, str]:
    """Of the ConfigMap; without it policies decide."""
    return {RIGHTS_SETTING: str(rights)} if rights is not Rights.POLICY else {}


def deployment(chosen: Installation) -> Manifest:
    arguments = ["run", f"--namespace={chosen.namespace}", f"--state-dir={STATE_FOLDER}/controller"]
    return {
        **new_object("apps/v1", "Deployment", CONTROLLER, chosen.namespace),
        "spec": {
            "replicas": 1,
            # A new pod is not ready before the old one has given its Lease back, so the old one goes first.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": SELECTOR},
            "template": {
                "metadata": {"labels": LABELS | SELECTOR},
                "spec": {
                    "serviceAccountName": CONTROLLER,
                    "terminationGracePeriodSeconds": 30,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "fsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(chosen.image, [*arguments, *(["--adopt"] if chosen.adopt else [])])],
                    "volumes": [{"name": "state", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }


def _container(image: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "name": "controller",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [{"name": "HOME", "value": STATE_FOLDER}, {"name": "TRUEUP_HOME", "value": STATE_FOLDER}],
        "envFrom": [
            {"configMapRef": {"name": SETTINGS}},
            {"secretRef": {"name": SETTINGS, "optional": True}},
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "state", "mountPath": STATE_FOLDER}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def is_ours(obj: Manifest) -> bool:
    """Whether an object in a cluster was put there by `trueup install`."""
    return labels_of(obj).get(MANAGED_BY_LABEL) == MANAGED_BY
