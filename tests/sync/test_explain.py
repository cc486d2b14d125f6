"""Every refusal of `explanations.yaml`, as the server says it and as a person reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from trueup.model.apierror import ApiError, Cause, KindNotServed
from trueup.model.refs import ObjectRef
from trueup.sync.explain import LONGEST, explain, is_permanent

CASES = yaml.safe_load((Path(__file__).parent / "explanations.yaml").read_text())


def error_of(case: dict[str, Any]) -> ApiError:
    raw = case["error"]
    causes = tuple(Cause(row["reason"], row["message"], row["field"]) for row in raw.get("causes", ()))
    return ApiError(raw["code"], raw["reason"], raw["message"], causes=causes)


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_a_refusal_says_what_to_do(case: dict[str, Any]) -> None:
    assert explain(error_of(case), ObjectRef(**case["ref"]), "v1") == case["expect"]


def test_a_whole_template_is_not_repeated() -> None:
    template = "core.PodTemplateSpec{" + "x" * 3000 + "}"
    error = ApiError(
        422, "Invalid", f'Job.batch "m" is invalid: spec.template: Invalid value: {template}: must be short'
    )

    text = explain(error, ObjectRef("batch", "Job", "shop", "m"), "v1")

    assert text == 'Job.batch "m" is invalid: spec.template: Invalid value: …: must be short'


def test_no_message_is_endless() -> None:
    text = explain(ApiError(500, "InternalError", "x" * 5000), ObjectRef("", "ConfigMap", "a", "b"), "v1")

    assert len(text) == LONGEST


def test_what_secrets_went_through_is_not_quoted_either() -> None:
    error = ApiError(422, "Invalid", 'spec.host: Invalid value: "hunter2": bad')

    text = explain(error, ObjectRef("", "ConfigMap", "a", "b"), "v1", hide_values=True)

    assert "hunter2" not in text


def test_a_kind_that_is_not_served_keeps_its_own_words() -> None:
    error = KindNotServed("the cluster does not serve Widget in example.com/v1", hint="install its CRD first")

    assert explain(error, ObjectRef("example.com", "Widget", "a", "b"), "v1") == (
        "the cluster does not serve Widget in example.com/v1\n  try: install its CRD first"
    )


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (ApiError(422, "Invalid", "spec.x: Required value"), True),
        (ApiError(500, "", "failed to create typed patch object (a/b; v1, Kind=X): .spec.x: expected string"), True),
        (ApiError(400, "BadRequest", "unknown field"), True),
        (ApiError(500, "InternalError", 'failed calling webhook "x": refused'), False),
        (ApiError(403, "Forbidden", "no"), False),
        (ApiError(404, "NotFound", 'namespaces "x" not found'), False),
        (ApiError(429, "TooManyRequests", "slow down"), False),
        (KindNotServed("not yet"), False),
    ],
)
def test_what_cannot_pass_by_itself_is_known(error: Any, permanent: bool) -> None:
    assert is_permanent(error) is permanent
