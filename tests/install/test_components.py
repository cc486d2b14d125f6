"""What is installed, as manifests: current in deploy/, restricted, and with no right too many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from trueup.cli.components import (
    DEFAULT_IMAGE,
    PORT,
    USER,
    Installation,
    all_components,
    deployment,
    is_ours,
    rights,
)
from trueup.cli.install import export_text
from trueup.cli.manifesting import LABELS, STATE_FOLDER
from trueup.cli.requirements import controller_needs, judge_crd, judge_git, judge_kubernetes, judge_rights
from trueup.cli.servercomponents import other_rights
from trueup.dialects.registry import crds
from trueup.model.manifest import name_of, ref_of
from trueup.model.rights import Rights

ROOT = Path(__file__).parents[2]
CHOSEN = Installation()


def test_the_manifests_in_deploy_are_those_that_install_applies() -> None:
    written = (ROOT / "deploy" / "install.yaml").read_text(encoding="utf-8")
    assert written == export_text(all_components(CHOSEN)), "run: trueup install --export > deploy/install.yaml"
    assert [ref_of(each) for each in yaml.safe_load_all(written)] == [ref_of(each) for each in all_components(CHOSEN)]


def test_every_object_of_ours_says_so() -> None:
    others = [str(ref_of(each)) for each in all_components(CHOSEN) if not is_ours(each)]
    assert others == ["Namespace/argocd", "AppProject/argocd/default"]


def test_the_controller_runs_without_any_privilege_on_its_node() -> None:
    pod = deployment(CHOSEN)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert LABELS.items() <= deployment(CHOSEN)["spec"]["template"]["metadata"]["labels"].items()


def test_only_the_applier_may_do_everything() -> None:
    roles = {name_of(each): each["rules"] for each in rights(CHOSEN) if each["kind"] == "ClusterRole"}
    writing = {
        name: [rule for rule in rules if not set(rule["verbs"]) <= {"get", "list", "watch"}]
        for name, rules in roles.items()
    }
    assert "*" in writing["trueup-applier"][0]["verbs"]
    for name, rules in writing.items():
        if name != "trueup-applier":
            assert all("*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]) for rule in rules), name


def test_image_namespace_and_adoption_are_carried_into_the_deployment() -> None:
    chosen = Installation(namespace="gitops", image="mirror.example/trueup@sha256:1", adopt=True)
    (container,) = deployment(chosen)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "mirror.example/trueup@sha256:1"
    assert "--namespace=gitops" in container["args"]
    assert "--adopt" in container["args"]
    places = {each["metadata"].get("namespace") for each in all_components(chosen)} - {None}
    assert places == {"gitops", "argocd"}


def test_the_needs_of_the_controller_are_read_from_its_rules() -> None:
    needs = {str(need) for need in controller_needs("trueup-system")}
    assert "patch kustomizations.kustomize.toolkit.fluxcd.io/status" in needs
    assert "update leases.coordination.k8s.io in trueup-system" in needs
    assert not any("applications.kustomize" in need for need in needs)


@pytest.mark.parametrize(
    ("version", "ok"), [("v1.37.2", True), ("v1.28.0-gke.1", True), ("v1.27.9", False), ("v2.0.0", True), ("", False)]
)
def test_the_servers_version_is_compared_by_number(version: str, ok: bool) -> None:
    assert judge_kubernetes(version).ok is ok


@pytest.mark.parametrize(
    ("version", "ok"),
    [("git version 2.39.5\n", True), ("git version 2.30.2", False), ("git version 2.50.1 (Apple Git-155)", True),
     ("", False)],
)  # fmt: skip
def test_git_must_be_there_and_not_too_old(version: str, ok: bool) -> None:
    finding = judge_git(version)
    assert finding.ok is ok
    assert bool(finding.hint) is not ok


def test_missing_rights_are_named() -> None:
    needs = controller_needs("trueup-system")
    assert judge_rights("the controller", needs, [True] * len(needs)).ok
    finding = judge_rights("the controller", needs[:2], [False, None])
    assert finding.ok is False
    assert str(needs[0]) in finding.found
    assert str(needs[1]) not in finding.found


def test_an_installed_crd_is_missing_older_newer_or_right() -> None:
    ours = crds()[0]
    assert judge_crd(ours, None).found == "not installed"
    assert judge_crd(ours, ours).ok
    fewer = json.loads(json.dumps(ours))
    for version in fewer["spec"]["versions"]:
        del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["interval"]
    assert "it lacks spec.interval" in judge_crd(ours, fewer).found
    assert "does not know: spec.interval" in judge_crd(fewer, ours).found


def test_the_image_is_made_for_the_pod_that_runs_it() -> None:
    lines = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    assert f"USER {USER}:{USER}" in lines
    assert f"HOME={STATE_FOLDER}" in lines
    assert f'VOLUME ["{STATE_FOLDER}", "/tmp"]' in lines
    assert f"EXPOSE {PORT}" in lines
    assert f"-t {DEFAULT_IMAGE} " in lines
    mounts = deployment(CHOSEN)["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts} == {STATE_FOLDER, "/tmp"}


def test_where_kubernetes_decides_the_server_may_be_the_person_and_reads_no_more_than_it_watches() -> None:
    chosen = Installation(rights=Rights.KUBERNETES)
    roles = {name_of(each): each["rules"] for each in all_components(chosen) if each["kind"] == "ClusterRole"}
    assert "trueup-server-actions" not in roles
    assert roles["trueup-server-impersonation"] == [
        {"apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"]}
    ]
    reading = [rule for rule in roles["trueup-server"] if "get" in rule["verbs"]]
    assert all("*" not in rule["apiGroups"] and "secrets" not in rule["resources"] for rule in reading)
    settings = next(each for each in all_components(chosen) if name_of(each) == "trueup-settings")
    assert settings["data"]["TRUEUP_RIGHTS"] == "kubernetes"
    # What an installation of before gave to policies is taken back, and the other way round.
    assert {str(ref_of(each)) for each in other_rights("trueup-system", Rights.KUBERNETES)} == {
        "ClusterRole/trueup-server-actions",
        "ClusterRoleBinding/trueup-server-actions",
    }
    assert {str(ref_of(each)) for each in other_rights("trueup-system", Rights.POLICY)} == {
        "ClusterRole/trueup-server-impersonation",
        "ClusterRoleBinding/trueup-server-impersonation",
    }
