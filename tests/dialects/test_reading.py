"""Resources as they are written -> Apps and sources, or an error that names the field. The cases are files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.dialects.kit import cases, differences, plain
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest


@pytest.mark.parametrize("case", cases("flux_apps"))
def test_a_kustomization_is_read_as_an_app(case: dict[str, Any]) -> None:
    check(case, FluxDialect().read_app)


@pytest.mark.parametrize("case", cases("flux_sources"))
def test_a_source_of_flux_is_read(case: dict[str, Any]) -> None:
    check(case, FluxDialect().read_source)


@pytest.mark.parametrize("case", cases("argocd_apps"))
def test_an_application_is_read_as_an_app(case: dict[str, Any]) -> None:
    check(case, ArgoCdDialect().read_app)


def check(case: dict[str, Any], read: Callable[[Manifest], object]) -> None:
    if "error" not in case:
        assert differences(case["expect"], plain(read(case["object"]))) == []
        return
    with pytest.raises(TrueupError) as caught:
        read(case["object"])
    expected = case["error"]
    assert type(caught.value).__name__ == expected["class"]
    if "field" in expected:
        assert caught.value.field == expected["field"]
    for name in expected.get("names", []):
        assert name in str(caught.value)
    assert case["object"]["metadata"]["name"] in str(caught.value)
