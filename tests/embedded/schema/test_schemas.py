"""Our schemas judge as the real kube-apiserver does (its answers are in `recorded.json`)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.embedded.schema.realschemas import Answer, crd_cases, object_cases, recorded, whole
from trueup.embedded.schema import (
    BuiltinSchemas,
    FieldError,
    SchemaNode,
    apply_defaults,
    crd_schema_errors,
    prune,
    structural,
    validate,
)

AT = "spec.validation.openAPIV3Schema"


@cache
def checked() -> SchemaNode:
    return structural(object_cases()[0], BuiltinSchemas.load().definition)


def _causes(errors: list[FieldError]) -> list[dict[str, str]]:
    causes = [{"field": one.path, "message": one.message, "reason": one.reason} for one in errors]
    return sorted(causes, key=lambda one: (one["field"], one["message"]))


@pytest.mark.parametrize("case", object_cases()[1], ids=lambda case: case["title"])
def test_a_custom_resource_is_stored_or_refused_as_on_the_real_server(case: dict[str, Any]) -> None:
    real = recorded().objects[case["title"]]
    decoded, unknown = prune(checked(), whole(case))
    if case.get("strict") and unknown:
        named = ", ".join(f'unknown field "{path}"' for path in unknown)
        assert real.message.endswith(f"strict decoding error: {named}")
        return
    stored = apply_defaults(checked(), decoded)
    errors = validate(checked(), stored)
    if real.code >= 400:
        assert _causes(errors) == real.causes
        return
    assert errors == []
    kept = {key: stored["metadata"][key] for key in ("labels",) if key in stored["metadata"]}
    assert Answer(201, object={"spec": stored["spec"], "metadata": kept}) == real


@pytest.mark.parametrize("case", crd_cases(), ids=lambda case: case["title"])
def test_the_schema_of_a_crd_is_refused_for_what_the_real_server_refuses(case: dict[str, Any]) -> None:
    real = recorded().crds[case["title"]]
    errors = crd_schema_errors(case["schema"], AT)
    assert _causes(errors) == real.causes


def test_every_recorded_answer_belongs_to_a_case() -> None:
    assert set(recorded().crds) == {case["title"] for case in crd_cases()}
    assert set(recorded().objects) == {case["title"] for case in object_cases()[1]}
