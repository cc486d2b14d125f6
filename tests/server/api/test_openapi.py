"""The document is made from the table, and says of each operation who may call it."""

from __future__ import annotations

from msgspec import Struct, defstruct, structs

from docs.parts.api import operations as every_operation
from tests.server.api.test_dispatch import Handlers, table
from trueup.server.api.openapi import document
from trueup.server.api.operation import Surface


def test_the_document_tells_paths_parameters_bodies_answers_and_rights() -> None:
    made = document(table(Handlers()))
    assert made["openapi"] == "3.1.0"
    assert set(made["paths"]) == {
        "/api/trueup/v1/things",
        "/api/trueup/v1/things/ticks",
        "/api/trueup/v1/things/{project}/{name}/sync",
        "/api/trueup/v1/version",
    }, "Argo CD's surface has Argo CD's document"
    listed = made["paths"]["/api/trueup/v1/things"]["get"]
    assert [parameter["name"] for parameter in listed["parameters"]] == ["limit", "name", "fields"]
    assert listed["x-trueup-access"] == {"kind": "listed", "resource": "applications", "action": "get"}
    sync = made["paths"]["/api/trueup/v1/things/{project}/{name}/sync"]["post"]
    assert sync["requestBody"]["required"] is False
    assert sync["x-trueup-access"] == {"kind": "needs", "resource": "applications", "action": "sync"}
    assert "Idempotency-Key" in [parameter["name"] for parameter in sync["parameters"]]
    assert "202" in sync["responses"]


def test_two_queries_of_one_name_are_told_apart() -> None:
    def query(of: str, field: str) -> type[Struct]:
        return defstruct("Query", [(field, str, "")], module=of)

    operations = [
        structs.replace(one, query=query(f"part{number}", f"field{number}"))
        for number, one in enumerate(table(Handlers()))
        if one.surface is Surface.TRUEUP
    ]
    names = {
        parameter["name"]
        for methods in document(operations)["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
    }
    assert {f"field{number}" for number in range(2)} <= names


def test_no_operation_names_a_parameter_twice() -> None:
    for path, methods in document(every_operation())["paths"].items():
        for method, made in methods.items():
            names = [(parameter["in"], parameter["name"]) for parameter in made["parameters"]]
            assert len(names) == len(set(names)), f"{method} {path}"
