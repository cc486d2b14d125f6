"""Events of every form that a cluster holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.apps.events import read_event
from trueup.cli.events import Wanted
from trueup.model.refs import ObjectRef

WEB = ObjectRef("apps", "Deployment", "shop", "web")
BASE: dict[str, Any] = {
    "metadata": {"name": "web.1", "namespace": "shop", "creationTimestamp": "2026-11-23T09:00:00Z"},
    "involvedObject": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
    "reason": "DriftCorrected",
    "message": "spec.replicas: 5 -> 2\n",
    "type": "Normal",
}
CASES = {
    "counted": (
        {"count": 3, "lastTimestamp": "2026-11-23T10:00:00Z", "source": {"component": "trueup"}},
        10,
        3,
        "trueup",
    ),
    "in a series": (
        {
            "eventTime": "2026-11-23T10:00:00.000000Z",
            "series": {"count": 7, "lastObservedTime": "2026-11-23T11:00:00.5Z"},
            "reportingComponent": "kubelet",
        },
        11,
        7,
        "kubelet",
    ),
    "single": ({"eventTime": "2026-11-23T10:00:00.123456Z", "reportingComponent": "x"}, 10, 1, "x"),
    "without any time of its own": ({"lastTimestamp": None, "eventTime": None}, 9, 1, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_an_event_is_read_in_all_its_forms(case: str) -> None:
    more, hour, count, component = CASES[case]
    row = read_event(BASE | more)
    assert row.at.replace(microsecond=0) == datetime(2026, 11, 23, hour, tzinfo=UTC)
    assert (row.ref, row.count, row.component, row.message) == (WEB, count, component, "spec.replicas: 5 -> 2")


def test_what_is_wanted_is_ours_or_that_of_an_app() -> None:
    ours = BASE | {"reportingComponent": "trueup"}
    assert Wanted(None, False).holds(ours)
    assert not Wanted(None, False).holds(BASE)
    assert Wanted({WEB}, False).holds(BASE)
    assert not Wanted({WEB}, True).holds(BASE)
    assert Wanted({WEB}, True).holds(BASE | {"type": "Warning"})
