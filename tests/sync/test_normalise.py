"""What a render gave becomes what is sent; what contradicts itself is told with file, line, field and key."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.sync.world import KEY, argo_rules, config_map, deployment, rules
from trueup.model.app import SyncRules
from trueup.model.manifest import Declared, Manifest, Origin
from trueup.sync.applier import Scope
from trueup.sync.normalise import InvalidManifests, Normalised, declared_scopes, kind_of_manifest, normalise

CLUSTER = {"ClusterRole", "Namespace", "CustomResourceDefinition"}


def run(*manifests: Manifest, sync_rules: SyncRules | None = None) -> Normalised:
    declared = [Declared(manifest, Origin(f"file{index}.yaml", 7)) for index, manifest in enumerate(manifests)]
    scopes = {
        kind: Scope.CLUSTER if kind[2] in CLUSTER else Scope.NAMESPACED
        for kind in (kind_of_manifest(item.manifest) for item in declared)
    } | declared_scopes(declared)
    return normalise(declared, scopes, sync_rules or rules(), secret_key=KEY)


def only(*manifests: Manifest, sync_rules: SyncRules | None = None) -> Manifest:
    return run(*manifests, sync_rules=sync_rules).objects[-1].manifest


def problems(*manifests: Manifest, sync_rules: SyncRules | None = None) -> list[str]:
    with pytest.raises(InvalidManifests) as caught:
        run(*manifests, sync_rules=sync_rules)
    return [str(problem) for problem in caught.value.problems]


def test_a_namespaced_object_gets_the_default_namespace() -> None:
    manifest = config_map()
    del manifest["metadata"]["namespace"]

    assert only(manifest, sync_rules=rules(default_namespace="there"))["metadata"]["namespace"] == "there"


def test_without_a_default_namespace_a_missing_one_is_an_error_with_its_place() -> None:
    manifest = config_map()
    del manifest["metadata"]["namespace"]

    [problem] = problems(manifest, sync_rules=rules(default_namespace=""))

    assert problem.startswith("ConfigMap/settings: metadata.namespace: names no namespace")
    assert "(file0.yaml:7)" in problem
    assert "try: set metadata.namespace" in problem


def test_a_cluster_scoped_object_loses_its_namespace() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "r", "namespace": "x"},
    }

    desired = run(role).objects[0]

    assert "namespace" not in desired.manifest["metadata"]
    assert str(desired.ref) == "ClusterRole/r"


def test_the_scope_of_a_custom_kind_comes_from_its_definition_in_the_same_set() -> None:
    definition = crd(scope="Cluster")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "x"}}

    assert "namespace" not in only(definition, widget)["metadata"]


@pytest.mark.parametrize(
    "field", ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"]
)
def test_what_the_server_owns_is_not_sent(field: str) -> None:
    manifest = config_map() | {"status": {"phase": "old"}}
    manifest["metadata"][field] = "something"

    sent = only(manifest)

    assert field not in sent["metadata"]
    assert "status" not in sent


def test_nulls_of_builtin_kinds_go_and_those_of_custom_kinds_stay() -> None:
    built_in = deployment()
    built_in["spec"]["template"]["metadata"]["creationTimestamp"] = None
    built_in["spec"]["paused"] = None
    custom = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "x"},
        "spec": {"color": None},
    }

    assert "creationTimestamp" not in only(built_in)["spec"]["template"]["metadata"]
    assert "paused" not in only(built_in)["spec"]
    assert only(custom)["spec"] == {"color": None}


def test_the_texts_of_a_secret_become_its_data_and_win() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "data": {"user": "b2xk", "kept": "a2VwdA=="},
        "stringData": {"user": "new"},
    }

    sent = only(manifest)

    assert "stringData" not in sent
    assert sent["data"] == {"user": base64.b64encode(b"new").decode(), "kept": "a2VwdA=="}


@pytest.mark.parametrize(("bundle", "kept"), [("Cg==", False), ("", False), ("not base64!", False), ("PEM", True)])
def test_a_placeholder_in_the_webhook_of_a_definition_is_removed(bundle: str, kept: bool) -> None:
    if bundle == "PEM":
        bundle = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n").decode()
    definition = crd()
    definition["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": {"caBundle": bundle, "service": {"name": "w", "namespace": "x"}}},
    }

    client = only(definition)["spec"]["conversion"]["webhook"]["clientConfig"]

    assert ("caBundle" in client) is kept
    assert client["service"]["name"] == "w"


def test_the_rules_of_an_aggregated_role_are_the_controllers() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "all"},
        "aggregationRule": {"clusterRoleSelectors": []},
        "rules": [],
    }

    assert "rules" not in only(role)


def test_owner_labels_are_put_on_and_win() -> None:
    manifest = config_map()
    manifest["metadata"]["labels"] = {"app": "web", "kustomize.toolkit.fluxcd.io/name": "someone-else"}

    labels = only(manifest)["metadata"]["labels"]

    assert labels["app"] == "web"
    assert labels["kustomize.toolkit.fluxcd.io/name"] == "shop"


def test_the_tracking_annotation_names_the_object() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}

    def note(manifest: Manifest) -> str:
        sent = only(manifest, sync_rules=argo_rules())
        return str(sent["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"])

    assert note(deployment()) == "shop:apps/Deployment:shop/web"
    assert note(config_map()) == "shop:/ConfigMap:shop/settings"
    assert note(role) == "shop:rbac.authorization.k8s.io/ClusterRole:/r"


def test_two_files_with_one_object_are_named_both() -> None:
    [problem] = problems(config_map(), config_map(color="red"))

    assert "declared twice: file0.yaml:7 and file1.yaml:7" in problem


def test_two_versions_of_one_kind_are_one_object() -> None:
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "shop"},
    }

    assert len(problems(old, old | {"apiVersion": "autoscaling/v2"})) == 1


def test_where_the_rules_allow_it_the_last_declaration_counts_and_a_notice_says_so() -> None:
    result = run(config_map(color="blue"), config_map(color="red"), sync_rules=argo_rules(duplicates_allowed=True))

    assert result.objects[0].manifest["data"] == {"color": "red"}
    assert [notice.type for notice in result.notices] == ["RepeatedResource"]


def containers(**fields: Any) -> Manifest:
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0].update(fields)
    return manifest


@pytest.mark.parametrize(
    ("manifest", "field", "key"),
    [
        (
            containers(env=[{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}]),
            "spec.template.spec.containers[name=web].env",
            "name=A",
        ),
        (
            containers(ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]),
            "spec.template.spec.containers[name=web].ports",
            "containerPort=80,protocol=TCP",
        ),
        (
            containers(volumeMounts=[{"mountPath": "/a", "name": "x"}, {"mountPath": "/a", "name": "y"}]),
            "spec.template.spec.containers[name=web].volumeMounts",
            "mountPath=/a",
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
            },
            "spec.ports",
            "port=80,protocol=TCP",
        ),
        (
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": "c", "namespace": "shop"},
                "spec": {"jobTemplate": {"spec": {"template": {"spec": {"volumes": [{"name": "v"}, {"name": "v"}]}}}}},
            },
            "spec.jobTemplate.spec.template.spec.volumes",
            "name=v",
        ),
        (
            config_map() | {"metadata": {"name": "x", "namespace": "y", "finalizers": ["a/b", "a/b"]}},
            "metadata.finalizers",
            '"a/b"',
        ),
    ],
    ids=["env", "container ports", "mounts", "service ports", "volumes of a cron job", "finalizers"],
)
def test_a_duplicate_key_of_a_list_is_told_with_file_list_and_key(manifest: Manifest, field: str, key: str) -> None:
    [problem] = problems(manifest)

    assert f"{field}: 2 items have the key {key}" in problem
    assert "(file0.yaml:7)" in problem


def test_ports_of_different_protocols_are_different_ports() -> None:
    only(containers(ports=[{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": None}, "kind: is missing"),
        ({"apiVersion": ""}, "apiVersion: is missing"),
        ({"metadata": None}, "metadata: is missing"),
        ({"metadata": {}}, "metadata.name: is missing"),
        ({"metadata": {"name": 7}}, "metadata.name: must be text, found a number 7"),
        ({"metadata": {"generateName": "x-"}}, "generateName cannot be applied"),
        (
            {"metadata": {"name": "x", "labels": {"on": True}}},
            "metadata.labels[on]: must be text, found a boolean True",
        ),
        ({"metadata": {"name": "x", "annotations": ["a"]}}, "metadata.annotations: must be a mapping, found a list"),
        ({"metadata": {"name": "x", "namespace": 5}}, "metadata.namespace: must be text, found a number"),
    ],
)
def test_an_object_without_identity_is_told_with_its_place(change: dict[str, Any], expected: str) -> None:
    [problem] = problems(config_map() | change)

    assert expected in problem
    assert "(file0.yaml:7)" in problem


def test_the_value_of_a_secret_is_not_in_the_complaint_about_it() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"pin": 471123},
    }

    [problem] = problems(manifest)

    assert "stringData[pin]: must be text, found a number" in problem
    assert "471123" not in problem


def test_all_problems_are_told_at_once() -> None:
    found = problems(config_map(), config_map(), containers(env=[{"name": "A"}, {"name": "A"}]))

    assert len(found) == 2


def test_the_digest_follows_the_content_and_the_key() -> None:
    one = run(config_map(color="blue")).objects[0].digest

    assert run(config_map(color="blue")).objects[0].digest == one
    assert run(config_map(color="red")).objects[0].digest != one
    declared = [Declared(config_map(color="blue"))]
    scopes = {("", "v1", "ConfigMap"): Scope.NAMESPACED}
    assert normalise(declared, scopes, rules(), secret_key=b"another").objects[0].digest != one


def test_the_input_is_left_as_it_was() -> None:
    manifest = deployment()
    before = repr(manifest)

    run(manifest)

    assert repr(manifest) == before


def crd(scope: str = "Namespaced") -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": scope,
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }
