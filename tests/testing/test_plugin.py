"""The fixtures for users' own tests, each promise by itself, on one cluster."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from trueup.model.apierror import ApiError
from trueup.model.errors import InvalidInput
from trueup.testing.cluster import NotHealthy, NotThere, Timeout, TrueupCluster, TrueupNamespace

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data: {size: "1"}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "shop/web:%s"}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.plugin.example}
spec:
  group: plugin.example
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""
GADGET = """
apiVersion: plugin.example/v1
kind: Gadget
metadata: {name: one}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.yaml").write_text(CONFIG % "a")
    (tmp_path / "below" / "b.yaml").write_text(CONFIG % "b")
    return tmp_path


def names(objects: list[dict[str, object]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]  # type: ignore[index]


def test_a_folder_is_applied_with_all_that_is_below(trueup_namespace: TrueupNamespace, folder: Path) -> None:
    assert sorted(names(trueup_namespace.apply(folder))) == ["a", "b"]
    assert {"a", "b"} <= set(names(trueup_namespace.list("configmaps")))


def test_a_kustomization_is_built(trueup_namespace: TrueupNamespace, folder: Path) -> None:
    (folder / "kustomization.yaml").write_text("resources: [a.yaml]\nnamePrefix: my-\n")
    assert names(trueup_namespace.apply(folder)) == ["my-a"]


def test_files_and_objects_go_together_and_are_answered_in_order(
    trueup_namespace: TrueupNamespace, folder: Path
) -> None:
    given = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "z"}}
    assert names(trueup_namespace.apply(folder / "below" / "b.yaml", given, str(folder / "a.yaml"))) == ["b", "z", "a"]
    assert "namespace" not in given["metadata"], "what the test holds is left as it is"


def test_yaml_that_cannot_be_read_is_an_error_that_says_where(trueup_namespace: TrueupNamespace) -> None:
    with pytest.raises(InvalidInput, match="the YAML:2: "):
        trueup_namespace.apply_yaml("kind: Pod\nmetadata: [")


def test_a_place_that_is_not_there_is_an_error(trueup_namespace: TrueupNamespace) -> None:
    with pytest.raises(InvalidInput, match="there is no file or folder no-such-folder"):
        trueup_namespace.apply("no-such-folder")


def test_what_the_api_refuses_is_its_own_error(trueup_namespace: TrueupNamespace) -> None:
    with pytest.raises(ApiError, match=r"spec\.template\.metadata\.labels"):
        trueup_namespace.apply_yaml(DEPLOYMENT.replace("labels: {app: web}", "labels: {app: other}") % "1")


def test_a_crd_and_its_first_object_may_come_together_in_any_order(trueup_namespace: TrueupNamespace) -> None:
    assert names(trueup_namespace.apply_yaml(f"{GADGET}---{CRD}")) == ["one", "gadgets.plugin.example"]
    assert trueup_namespace.get("gadget", "one")["apiVersion"] == "plugin.example/v1"


def test_crds_are_picked_out_of_a_folder(trueup_cluster: TrueupCluster, folder: Path) -> None:
    (folder / "values.yaml").write_text("this: is no manifest\n")
    (folder / "below" / "crd.yaml").write_text(CRD.replace("adget", "izmo"))
    assert names(trueup_cluster.crds(folder)) == ["gizmos.plugin.example"]
    assert trueup_cluster.list("gizmos") == []
    assert trueup_cluster.find("configmap", "a") is None


def test_crds_with_a_kustomization_are_those_that_it_names(trueup_cluster: TrueupCluster, folder: Path) -> None:
    (folder / "kustomization.yaml").write_text("resources: [crd.yaml, a.yaml]\n")
    (folder / "crd.yaml").write_text(CRD.replace("adget", "ewgaw"))
    (folder / "below" / "crd.yaml").write_text(CRD.replace("adget", "other"))
    assert names(trueup_cluster.crds(folder)) == ["gewgaws.plugin.example"]


def test_waiting_ends_when_the_workload_is_done(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(DEPLOYMENT % "1")
    trueup_namespace.wait_until_healthy()
    assert trueup_namespace.get("deploy", "web")["status"]["availableReplicas"] == 2


def test_what_never_becomes_healthy_is_told_with_the_warnings_about_it(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(DEPLOYMENT % "crash")
    trueup_namespace.advance("1m")
    with pytest.raises(NotHealthy) as told:
        trueup_namespace.wait_until_healthy(within="200ms")
    assert "not healthy within 200ms" in str(told.value)
    assert f"Deployment/{trueup_namespace.name}/web: InProgress" in str(told.value)
    assert "BackOff: Back-off restarting failed container web" in str(told.value)


def test_what_failed_for_good_is_not_waited_for(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(DEPLOYMENT % "broken")
    trueup_namespace.advance("11m")
    with pytest.raises(NotHealthy, match="web failed"):
        trueup_namespace.wait_until_healthy(within="10m")


def test_a_condition_that_never_holds_ends_the_wait(trueup_namespace: TrueupNamespace) -> None:
    with pytest.raises(Timeout, match="the moon is full: not within 100ms"):
        trueup_namespace.wait_until(lambda: False, within="100ms", what="the moon is full")


def test_what_is_not_there_is_found_as_none_and_got_as_an_error(trueup_namespace: TrueupNamespace) -> None:
    assert trueup_namespace.find("pod", "web") is None
    with pytest.raises(NotThere, match=f"there is no pod web in the namespace {trueup_namespace.name}"):
        trueup_namespace.get("pod", "web")
    assert trueup_namespace.delete("pod", "web") is False


def test_a_patch_changes_what_it_names(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(CONFIG % "a")
    changed = trueup_namespace.patch("configmap", "a", {"data": {"size": None, "colour": "red"}})
    assert changed["data"] == {"colour": "red"}


def test_what_was_deleted_is_waited_for_no_more(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(DEPLOYMENT % "broken")
    assert trueup_namespace.delete("deployment", "web") is True
    trueup_namespace.wait_until_healthy(within="5s")


def test_time_goes_on_by_as_much_as_asked_for(trueup_namespace: TrueupNamespace) -> None:
    before = trueup_namespace.cluster.now
    after = trueup_namespace.advance(timedelta(days=2))
    assert timedelta(days=2) - timedelta(seconds=1) <= after - before < timedelta(days=2, minutes=1)


def test_selectors_pick_objects(trueup_namespace: TrueupNamespace) -> None:
    trueup_namespace.apply_yaml(
        f"{CONFIG % 'a'}---{CONFIG % 'b'}".replace("{name: b}", "{name: b, labels: {tier: web}}")
    )
    assert names(trueup_namespace.list("cm", selector="tier=web")) == ["b"]


def test_programs_find_the_cluster_in_their_environment(trueup_namespace: TrueupNamespace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trueup.cli.main", "sync", "web"],
        env=trueup_namespace.cluster.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "serves none of our kinds" in done.stderr, "it asked the cluster, which has no CRDs of Trueup's"


async def test_an_event_loop_of_the_tests_own_is_not_in_the_way(trueup_namespace: TrueupNamespace) -> None:
    assert trueup_namespace.find("pod", "web") is None


def test_each_test_has_a_namespace_that_is_named_after_it(trueup_namespace: TrueupNamespace) -> None:
    assert trueup_namespace.name.startswith("each-test-has-a-namespace-that-is-named")
    assert len(trueup_namespace.name) <= 63
