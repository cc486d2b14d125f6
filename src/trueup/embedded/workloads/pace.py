"""How fast a HorizontalPodAutoscaler may scale: stabilisation windows and policies of `spec.behavior`. Pure.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior ; the defaults are
those that the API describes: up at once, by 4 pods or to twice as many each 15 s; down after 5 minutes, as far as need be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.objects import count_of, mapping_of, rows_of

SYNC = timedelta(seconds=15)
"""How often kube-controller-manager looks."""
LONGEST = timedelta(hours=1)
"""The longest window that the API allows."""
_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


class Moment(Struct, frozen=True):
    """At a time: a size that was recommended, or by how much the size was changed."""

    when: datetime
    count: int


class Memory(Struct):
    """What an autoscaler remembers of one workload."""

    recommended: list[Moment] = []
    changes: list[Moment] = []

    def forget(self, before: datetime) -> None:
        self.recommended = [each for each in self.recommended if each.when >= before]
        self.changes = [each for each in self.changes if each.when >= before]


class Paced(Struct, frozen=True):
    """The size to set now; reason and message of the condition AbleToScale and, where pace limits it, of ScalingLimited."""

    replicas: int
    able: tuple[str, str] = ("ReadyForNewScale", "recommended size matches current size")
    limited: tuple[str, str] | None = None


def paced(spec: Mapping[str, Any], current: int, wanted: int, memory: Memory, now: datetime) -> Paced:
    """`wanted` is what the metrics ask for; it joins the memory."""
    memory.forget(now - LONGEST)
    memory.recommended.append(Moment(now, wanted))
    up, down = _rules(spec, "scaleUp", _UP), _rules(spec, "scaleDown", _DOWN)
    steady, able = _stabilised(up, down, current, wanted, memory, now)
    if steady > current and steady > (most := _limit(up, current, memory, now, 1)):
        words = "the desired replica count is increasing faster than the maximum scale rate"
        return Paced(max(most, current), able, ("ScaleUpLimit", words))
    if steady < current and steady < (least := _limit(down, current, memory, now, -1)):
        words = "the desired replica count is decreasing faster than the maximum scale rate"
        return Paced(min(least, current), able, ("ScaleDownLimit", words))
    return Paced(steady, able)


def _rules(spec: Mapping[str, Any], way: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {**defaults, **mapping_of(dict(spec), "behavior", way)}


def _stabilised(
    up: dict[str, Any], down: dict[str, Any], current: int, wanted: int, memory: Memory, now: datetime
) -> tuple[int, tuple[str, str]]:
    """The size nearest to the current one that was recommended within the windows."""
    lowest = min(each.count for each in memory.recommended if each.when >= now - _window(up))
    highest = max(each.count for each in memory.recommended if each.when >= now - _window(down))
    steady = min(max(current, lowest), highest)
    if steady < wanted:
        words = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return steady, ("ScaleUpStabilized", words)
    if steady > wanted:
        words = "recent recommendations were higher than current one, applying the highest recent recommendation"
        return steady, ("ScaleDownStabilized", words)
    return steady, ("ReadyForNewScale", "recommended size matches current size")


def _window(rules: Mapping[str, Any]) -> timedelta:
    return timedelta(seconds=count_of(dict(rules), "stabilizationWindowSeconds"))


def _limit(rules: dict[str, Any], current: int, memory: Memory, now: datetime, way: int) -> int:
    """How far the policies let it go up (`way` 1) or down (-1)."""
    if rules["selectPolicy"] == "Disabled":
        return current
    ends = [_end(policy, current, memory.changes, now, way) for policy in rows_of(rules, "policies")]
    widest = max if (way > 0) == (rules["selectPolicy"] != "Min") else min
    return widest(ends, default=current)


def _end(policy: Mapping[str, Any], current: int, changes: Sequence[Moment], now: datetime, way: int) -> int:
    since = now - timedelta(seconds=count_of(dict(policy), "periodSeconds", default=15))
    recent = sum(each.count for each in changes if each.when > since and each.count * way > 0)
    start, value = current - recent, count_of(dict(policy), "value")
    if policy.get("type") == "Pods":
        return start + way * value
    return math.ceil(start * (1 + value / 100)) if way > 0 else int(start * (1 - value / 100))
