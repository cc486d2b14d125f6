"""The table of list keys is what Kubernetes' own schemas say."""

from __future__ import annotations

from typing import Any

from tests.sync.listkeys_from_openapi import TABLE, make_table, text_of
from trueup.sync import listkeys


def test_the_table_is_made_from_the_schemas_we_ship() -> None:
    assert TABLE.read_text() == text_of(make_table()), "run: python -m tests.sync.listkeys_from_openapi"


def test_a_port_gets_the_protocol_that_its_key_needs_and_the_rest_is_shared() -> None:
    container: dict[str, Any] = {
        "name": "web",
        "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
    }
    other = {"name": "other", "env": [{"name": "A", "value": "1"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container, other]}}

    complete = listkeys.complete(pod, "v1", "Pod")

    assert [port["protocol"] for port in complete["spec"]["containers"][0]["ports"]] == ["TCP", "UDP"]
    assert complete["spec"]["containers"][1] is other
    assert "protocol" not in container["ports"][0]


def test_an_object_that_misses_nothing_is_returned_as_it_is() -> None:
    service = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}

    assert listkeys.complete(service, "v1", "Service") is service


def test_a_custom_kind_is_not_touched() -> None:
    widget = {"spec": {"ports": [{"containerPort": 80}, {"containerPort": 80}]}}

    assert listkeys.complete(widget, "example.com/v1", "Widget") is widget
    assert list(listkeys.duplicates(widget, "example.com/v1", "Widget")) == []
