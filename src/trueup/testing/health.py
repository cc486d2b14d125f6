"""Why objects are not healthy, in the words of a failed test. Pure, but for what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trueup.model.errors import TrueupError
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.health import status_for_wait

SHOWN_EVENTS = 10


class NotHealthy(TrueupError, AssertionError):
    """Something that was waited for is not healthy; the message names each object and the latest warnings about them."""


def is_well(verdict: Verdict) -> bool:
    """Done by kstatus, and well by Argo CD's rules where they say anything."""
    return status_for_wait(verdict) is Kstatus.CURRENT and verdict.health in (None, Health.HEALTHY, Health.SUSPENDED)


def is_lost(verdict: Verdict) -> bool:
    """Failed for good, as far as the object itself says: waiting longer would be in vain."""
    return verdict.kstatus is Kstatus.FAILED


def not_healthy(
    why: str, found: Sequence[tuple[ObjectRef, Verdict]], events: Iterable[Manifest], namespaces: frozenset[str]
) -> NotHealthy:
    """The error that says what is amiss. `events` are those of the cluster."""
    lines = [why]
    lines += [f"  {ref}: {_words(verdict)}" for ref, verdict in found if not is_well(verdict)]
    warnings = [each for each in events if each.get("type") == "Warning"]
    told = [_line(each) for each in warnings if (each.get("involvedObject") or {}).get("namespace", "") in namespaces]
    if told:
        lines += ["warnings:", *(f"  {line}" for line in list(dict.fromkeys(told))[-SHOWN_EVENTS:])]
    return NotHealthy("\n".join(lines), reason="NotHealthy")


def _words(verdict: Verdict) -> str:
    words = verdict.kstatus if verdict.health is None else f"{verdict.kstatus}, {verdict.health}"
    return f"{words}: {verdict.message}" if verdict.message else str(words)


def _line(event: Manifest) -> str:
    about = event.get("involvedObject") or {}
    return f"{about.get('kind')}/{about.get('name')}: {event.get('reason')}: {event.get('message')}"
