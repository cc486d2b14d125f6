"""Words for how an object fares: kstatus's (is it done?) and Argo CD's (is it well?)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kstatus(StrEnum):
    """https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md"""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """Argo CD's codes, from best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


HEALTH_ORDER: tuple[Health, ...] = tuple(Health)
"""From best to worst."""


def worst(healths: list[Health]) -> Health:
    """The health of a whole from its parts; nothing at all is Healthy."""
    return max(healths, key=HEALTH_ORDER.index, default=Health.HEALTHY)


class Verdict(Struct, frozen=True, gc=False):
    """What the rules say of one object. `rule` names the rule that decided; `health` None: no rule of Argo's applies."""

    kstatus: Kstatus
    health: Health | None
    message: str = ""
    rule: str = ""
