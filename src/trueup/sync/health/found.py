"""What a rule of Argo CD's found."""

from __future__ import annotations

from msgspec import Struct

from trueup.model.health import Health


class HealthFound(Struct, frozen=True, gc=False):
    status: Health
    message: str
    rule: str
    """Short, as `deployment/paused`; `judge` puts the family before it."""
