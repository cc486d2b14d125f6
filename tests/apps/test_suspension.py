"""A suspension that says until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trueup.apps.asks import Ask
from trueup.apps.suspension import SUSPEND_UNTIL, ends_at, resuming_patch, with_suspension
from trueup.dialects.registry import all_dialects

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FLUX = next(one for one in all_dialects() if one.app_kind.kind == "Kustomization")
ARGOCD = next(one for one in all_dialects() if one.name == "argocd")


def suspended(until: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "a", "namespace": "b", "resourceVersion": "7", "annotations": {SUSPEND_UNTIL: until}},
        "spec": {"suspend": True, **spec},
    }


def test_it_ends_when_its_time_has_come_and_not_before() -> None:
    obj = suspended("2026-03-01T12:00:00Z")
    assert resuming_patch(obj, FLUX, NOW - timedelta(seconds=1)) is None
    patch = resuming_patch(obj, FLUX, NOW)
    assert patch is not None
    assert patch.body["spec"] == {"suspend": False}
    assert patch.body["metadata"]["annotations"][SUSPEND_UNTIL] is None
    assert patch.body["metadata"]["resourceVersion"] == "7", "what somebody else wrote meanwhile is looked at first"


@pytest.mark.parametrize("until", ["", "tomorrow", "2026-13-01T12:00:00Z"])
def test_a_time_that_cannot_be_read_ends_nothing(until: str) -> None:
    assert ends_at(suspended(until)) is None
    assert resuming_patch(suspended(until), FLUX, NOW) is None


def test_what_is_not_suspended_is_not_resumed() -> None:
    assert resuming_patch(suspended("2026-03-01T12:00:00Z", suspend=False), FLUX, NOW) is None


def test_an_application_is_resumed_by_its_annotation() -> None:
    obj = {
        "kind": "Application",
        "metadata": {
            "name": "a",
            "annotations": {SUSPEND_UNTIL: "2026-03-01T12:00:00Z", "argocd.argoproj.io/skip-reconcile": "true"},
        },
    }
    patch = resuming_patch(obj, ARGOCD, NOW)
    assert patch is not None
    assert patch.body["metadata"]["annotations"]["argocd.argoproj.io/skip-reconcile"] is None


def test_who_why_and_until_when_are_written_beside_the_wish() -> None:
    ask = with_suspension(Ask({"spec": {"suspend": True}}), by="malee", reason="freeze", until=NOW)
    assert ask.patch["spec"] == {"suspend": True}
    assert ask.patch["metadata"]["annotations"][SUSPEND_UNTIL] == "2026-03-01T12:00:00Z"
