"""The schema data of the embedded Kubernetes is what the pinned kube-apiserver serves."""

import gzip
from typing import Any

import msgspec
import pytest

from tests.peers.controlplane import ControlPlane
from tests.peers.pins import KUBERNETES, read_pin
from tools.schemadata.dump import (
    DATA,
    as_declared,
    collect,
    is_aggregated,
    listable,
    packed,
    roles_aggregated,
    v3_file_name,
)


def read(name: str) -> Any:
    return msgspec.json.decode(gzip.decompress((DATA / name).read_bytes()))


def test_the_data_is_of_the_pinned_release() -> None:
    assert read("version.json.gz") == {"gitVersion": read_pin(KUBERNETES).version, "major": "1", "minor": "37"}


def test_every_group_version_of_discovery_has_its_openapi_document() -> None:
    documents = {path.name for path in (DATA / "openapi-v3").iterdir()}
    discovery = read("discovery.json.gz")
    wanted = {"api__v1.json.gz"} | {
        v3_file_name(f"apis/{group['metadata']['name']}/{version['version']}")
        for group in discovery["apis"]["items"]
        for version in group["versions"]
    }
    assert wanted <= documents


def test_every_listable_resource_has_table_columns_that_begin_with_its_name() -> None:
    tables = read("tables.json.gz")
    unnamed = {"v1/events", "events.k8s.io/v1/events"}  # events are told by time, not by name
    assert set(tables) == {key for key, _ in listable(read("discovery.json.gz"))}
    assert {key for key, columns in tables.items() if columns[0]["name"] != "Name"} == unnamed


def test_openapi_keeps_what_merging_and_defaulting_need() -> None:
    schemas = read("openapi-v3/apis__apps__v1.json.gz")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-list-type"] == "map"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["description"]
    assert schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["protocol"]["default"] == "TCP"
    kinds = schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"]
    assert kinds == [{"group": "apps", "kind": "Deployment", "version": "v1"}]


def test_packing_depends_on_the_content_alone() -> None:
    assert packed({"b": 1, "a": [2]}) == packed({"a": [2], "b": 1})


def test_what_the_server_set_is_not_declared() -> None:
    live = {"kind": "Role", "metadata": {"name": "r", "labels": {"a": "b"}, "uid": "1", "resourceVersion": "2"}}
    assert as_declared(live) == {"kind": "Role", "metadata": {"name": "r", "labels": {"a": "b"}}}


@pytest.mark.parametrize(
    ("rules", "done"), [(None, False), ([{"verbs": ["get"]}], False), ([{"verbs": ["get"]}, {"verbs": ["list"]}], True)]
)
def test_a_role_is_aggregated_when_it_has_every_rule_of_those_it_selects(rules: Any, done: bool) -> None:
    role = {
        "metadata": {"name": "view"},
        "rules": rules,
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to-view": "true"}}]},
    }
    sources = [
        {"metadata": {"name": name, "labels": {"to-view": "true", "x": "y"}}, "rules": [{"verbs": [name]}]}
        for name in ("get", "list")
    ]
    other = {"metadata": {"name": "other"}, "rules": [{"verbs": ["delete"]}]}
    assert is_aggregated(role, [*sources, other, role]) is done


@pytest.mark.real
async def test_a_server_of_today_gives_the_same_files() -> None:
    server = ControlPlane(nodes=0)
    try:
        await server.start()
        await server.wait_until(lambda: roles_aggregated(server), "cluster roles are aggregated")
        served = await collect(server)
    finally:
        await server.stop()
    stored = {
        path.relative_to(DATA).as_posix(): read(path.relative_to(DATA).as_posix()) for path in DATA.rglob("*.json.gz")
    }
    assert served.keys() == stored.keys()
    assert [name for name, document in served.items() if document != stored[name]] == []
